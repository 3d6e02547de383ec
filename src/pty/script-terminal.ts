import {type ChildProcess, execFile, spawn} from 'node:child_process';
import {constants} from 'node:os';
import type {Readable, Writable} from 'node:stream';
import {promisify} from 'node:util';
import {subrootError} from '../../native-free/errors.ts';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';
import {EarlyText} from './early-text.ts';
import {shellQuote} from './shell-quote.ts';
import type {Terminal, TerminalOptions} from './terminal.ts';
import {terminalEnvironment} from './terminal-environment.ts';
import {requireArgv, requireSize, requireText} from './terminal-input.ts';

/** One word of an execve(2) holds that many bytes, its zero included. Source: linux/binfmts.h MAX_ARG_STRLEN. */
const MAX_WORD_BYTES = 131_072;

/** Descriptor on which the terminal tells its name, before the program starts. */
const REPORT_FD = 3;

/**
 * The one shell command that subroot builds: gives the terminal its size, and what script(1) takes away when its own input is no
 * terminal (the echo), tells pid and device on descriptor 3, and becomes the program. The pid is the program's, because of exec.
 */
function commandOf(argv: readonly string[], {rows, columns}: TerminalOptions): string {
  const program = argv.map(shellQuote).join(' ');
  const command = `stty rows ${rows} cols ${columns} echo iutf8; echo "$$ $(tty)" >&${REPORT_FD}; exec ${REPORT_FD}>&-; exec ${program}`;
  if (Buffer.byteLength(command) >= MAX_WORD_BYTES)
    throw subrootError('SUBROOT_USAGE', {
      what: `a program of ${Buffer.byteLength(command)} bytes does not fit into script(1)'s command`,
      mend: `keep it under ${MAX_WORD_BYTES} bytes, or install node-pty`,
    });
  return command;
}

/** Whether a tool is installed, and does what is asked. */
async function probe(tool: string, words: readonly string[]): Promise<'works' | 'refuses' | 'missing'> {
  return await promisify(execFile)(tool, [...words], {env: terminalEnvironment()}).then(
    () => 'works',
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'missing' : 'refuses'),
  );
}

/**
 * Words that make a program die with us, however we die: script(1) itself only types Ctrl-D when its input ends, and waits. Where
 * setpriv(1) cannot do it (busybox) there are none, and a kill -9 of ours leaves the terminal until its program reads that Ctrl-D.
 */
const leash = ['setpriv', '--pdeathsig', 'KILL'] as const;

interface Report {
  readonly pid: number;
  readonly startTime: string;
  readonly device: string;
}

/** What the command tells before it becomes the program. Errors: SUBROOT_TERMINAL_MISSING. */
async function readReport(child: ChildProcess): Promise<Report> {
  let errors = '';
  let line = '';
  const report = child.stdio[REPORT_FD] as Readable;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-1000);
  });
  return await new Promise((resolve, reject) => {
    const refuse = (why: string) => reject(subrootError('SUBROOT_TERMINAL_MISSING', {why: `script(1): ${why}`}));
    child.once('error', ({message}) => refuse(message));
    child.once('close', (code) => refuse(errors.trim() || `it ended with ${code}`));
    report.setEncoding('utf8').on('data', (text: string) => {
      line += text;
      const match = /^(\d+) (\/dev\/\S+)\n/.exec(line);
      if (!match) return;
      report.destroy();
      const [, pid = '', device = ''] = match;
      resolve({pid: Number(pid), device, startTime: startTimeOf(Number(pid)) ?? ''});
    });
  });
}

/** Starts `argv` in a terminal of script(1); undefined when that is not installed. Errors: SUBROOT_TERMINAL_MISSING, SUBROOT_USAGE. */
export async function openScript(argv: readonly string[], options: TerminalOptions): Promise<Terminal | undefined> {
  requireArgv(argv);
  requireSize(options.rows, options.columns);
  const command = ['script', '-qefc', commandOf(argv, options), '/dev/null'] as const;
  const [script, setpriv] = await Promise.all([
    probe('script', ['--version']),
    probe(leash[0], [...leash.slice(1), 'true']),
  ]);
  if (script === 'missing') return undefined;
  const [file, ...words] = setpriv === 'works' ? ([...leash, ...command] as const) : command;
  const child = spawn(file, words, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: terminalEnvironment(),
    cwd: '/',
    // A session of its own: the Ctrl-C of our own terminal is not for it.
    detached: true,
  });
  const output = new EarlyText();
  const stdin = child.stdin as Writable;
  // It may end while we type.
  stdin.on('error', () => {});
  child.stdout?.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const exited = new Promise<{exitCode: number}>((resolve) => {
    child.once('close', (code, signal) => resolve({exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0)}));
  });
  const report = await readReport(child);
  let hasEnded = false;
  child.once('exit', () => {
    hasEnded = true;
  });
  let resized = Promise.resolve();
  const resizeNow = async ({rows, columns}: TerminalOptions) => {
    if (hasEnded || !isProcessAlive(report)) return;
    const size = ['rows', String(rows), 'cols', String(columns)];
    // It fails only when the terminal has ended meanwhile.
    await promisify(execFile)('stty', ['-F', report.device, ...size], {env: terminalEnvironment()}).catch(() => {});
  };
  return {
    backend: 'script',
    pid: report.pid,
    exited,
    onData: (listener) => output.listen(listener),
    write(text) {
      requireText(text);
      if (!hasEnded) stdin.write(text);
    },
    resize(rows, columns) {
      requireSize(rows, columns);
      resized = resized.then(() => resizeNow({rows, columns}));
    },
    kill(signal = 'SIGHUP') {
      if (!hasEnded && isProcessAlive(report)) process.kill(report.pid, signal);
    },
  };
}
