import {setTimeout as sleep} from 'node:timers/promises';
import {subrootError} from '../../native-free/errors.ts';
import {requireArgv, requireSize} from './terminal-input.ts';

/** A program in a terminal of its own. */
export interface Terminal {
  /** Which implementation it is. */
  readonly backend: 'node-pty' | 'script';
  readonly pid: number;
  /** Called with what the program writes, as text. */
  onData(listener: (text: string) => void): void;
  write(text: string): void;
  resize(rows: number, columns: number): void;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when the program has ended; 128 + n when a signal ended it. */
  readonly exited: Promise<{readonly exitCode: number}>;
}

export interface TerminalOptions {
  readonly rows: number;
  readonly columns: number;
  /** Insists on one implementation; otherwise node-pty when it can be loaded, else script(1). */
  readonly backend?: 'node-pty' | 'script';
}

/** A program that a helper starts, by a plan that waits for it. */
export interface PreparedProgram {
  readonly argv: readonly string[];
  /** True until the program runs or was refused. */
  isPending(): boolean;
  /** Why it was refused, when it was. */
  failure(): Promise<Error | undefined>;
  /** Removes what is left of the plan. */
  discard(): void;
}

/** Starts `argv` in a new terminal. Errors: SUBROOT_TERMINAL_MISSING, SUBROOT_USAGE. */
export async function openTerminal(argv: readonly string[], options: TerminalOptions): Promise<Terminal> {
  requireArgv(argv);
  requireSize(options.rows, options.columns);
  const reasons: string[] = [];
  if (options.backend !== 'script') {
    try {
      const {openNodePty} = await import('./node-pty-terminal.ts');
      return await openNodePty(argv, options);
    } catch (error) {
      reasons.push(`node-pty: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  if (options.backend !== 'node-pty') {
    const {openScript} = await import('./script-terminal.ts');
    const terminal = await openScript(argv, options);
    if (terminal) return terminal;
    reasons.push('script(1) is not installed');
  }
  throw subrootError('SUBROOT_TERMINAL_MISSING', {why: reasons.join('; ')});
}

/**
 * Starts a prepared program in a new terminal and resolves when it runs: from then on what is written is the program's, with no
 * echo but its own. Errors: those of openTerminal, the program's failure, and SUBROOT_AGENT_FAILED when its helper died.
 */
export async function openPrepared(program: PreparedProgram, options: TerminalOptions): Promise<Terminal> {
  const terminal = await openTerminal(program.argv, options).catch((error: unknown) => {
    program.discard();
    throw error;
  });
  let exit: {readonly exitCode: number} | undefined;
  const exited = terminal.exited.then((ended) => {
    exit = ended;
    return ended;
  });
  for (let delay = 1; program.isPending() && exit === undefined; delay = Math.min(delay * 2, 10)) await sleep(delay);
  const isStuck = program.isPending();
  const failure = await program.failure();
  program.discard();
  if (failure === undefined && !isStuck) return terminal;
  const {exitCode} = await exited;
  throw (
    failure ?? subrootError('SUBROOT_AGENT_FAILED', {what: `it ended with ${exitCode} before it started the program`})
  );
}
