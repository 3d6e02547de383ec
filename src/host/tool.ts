import {userInfo} from 'node:os';
import {type SubrootError, subrootError} from '../../native-free/errors.ts';

export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** The program is not there. */
  readonly missing: boolean;
}

/**
 * Runs a tool of this machine to its end and answers how it ended; never through a shell. execa is loaded on first use: it costs
 * more than most commands take.
 */
export async function runTool(
  file: string,
  args: readonly string[],
  options: {input?: string; timeoutMs?: number} = {},
): Promise<ToolResult> {
  const {execa} = await import('execa');
  const result = await execa(file, args, {
    reject: false,
    timeout: options.timeoutMs ?? 10_000,
    env: {LC_ALL: 'C'},
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : {input: options.input}),
  });
  return {
    stdout: result.stdout,
    stderr: result.stderr,
    exitCode: result.exitCode ?? 255,
    missing: result.code === 'ENOENT',
  };
}

/** As runTool, but a failure is an error that keeps everything: SUBROOT_TOOL_MISSING, SUBROOT_SUBID_NOT_GRANTED, SUBROOT_TOOL_FAILED. */
export async function requireTool(file: string, args: readonly string[], install: string): Promise<string> {
  const result = await runTool(file, args);
  if (result.missing) throw subrootError('SUBROOT_TOOL_MISSING', {tool: file, install});
  if (result.exitCode !== 0) throw await explainTool(file, args, result);
  return result.stdout;
}

/** The error for what a tool said before it failed, by the messages that are known; they are loaded only now. */
async function explainTool(file: string, args: readonly string[], result: ToolResult): Promise<SubrootError> {
  const {explainText} = await import('../../native-free/explain/explain-text.ts');
  const output = (result.stderr || result.stdout).trim() || 'it said nothing';
  const [best] = explainText(output).explanations;
  const outside = /-> (\[\d+-\d+\)) not allowed/.exec(output)?.[1];
  if (best?.id === 'subid-range-not-granted' && outside !== undefined) {
    const subordinate = file.includes('gid') ? '/etc/subgid' : '/etc/subuid';
    return subrootError('SUBROOT_SUBID_NOT_GRANTED', {
      tool: file,
      user: userName(),
      outside,
      output,
      file: subordinate,
    });
  }
  return subrootError('SUBROOT_TOOL_FAILED', {
    tool: [file, ...args].join(' '),
    exitCode: result.exitCode,
    output: best === undefined ? output : `${output} (${best.why})`,
    mend: best?.mend ?? 'see `subroot doctor`, which looks at this machine',
  });
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.() ?? 'unknown');
  }
}
