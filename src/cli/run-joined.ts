import {type ChildProcess, spawn} from 'node:child_process';
import {setTimeout as sleep} from 'node:timers/promises';
import {subrootError} from '../../native-free/errors.ts';
import {exitCodeOfSignal} from './ending-signals.ts';
import {ProcessTree} from './process-tree.ts';

/** Seconds that a program has to end after a SIGTERM or SIGHUP to us, before it is killed with all that it has started. */
const GRACE_SECONDS = 10;

export interface JoinedOptions {
  /** Whether our standard input is the program's. */
  readonly stdin: boolean;
  /** Seconds; 0 is for ever. */
  readonly timeout: number;
  /** Its name, for messages. */
  readonly program: string;
}

/**
 * Runs the helper that joins a container, with our streams, and answers the program's exit code. A SIGTERM or SIGHUP to us is the
 * program's; what it has started and left behind when it ends by that is killed. Errors: SUBROOT_EXEC_TIMEOUT, SUBROOT_PERL_MISSING.
 */
export async function runJoined(argv: readonly string[], {stdin, timeout, program}: JoinedOptions): Promise<number> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {stdio: [stdin ? 'inherit' : 'ignore', 'inherit', 'inherit'], cwd: '/'});
  const exited = exitOf(child, file);
  const end = new Ending(child);
  // The terminal sends Ctrl-C and Ctrl-\ to the program itself; we only must not die of them before it.
  const ignore = () => {};
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, end.passOn);
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  const timer = timeout > 0 ? setTimeout(() => end.timeOut(), timeout * 1000) : undefined;
  try {
    const exitCode = await exited;
    end.finish();
    if (end.isTimedOut) throw subrootError('SUBROOT_EXEC_TIMEOUT', {command: program, seconds: timeout});
    return exitCode;
  } finally {
    clearTimeout(timer);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, end.passOn);
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
  }
}

async function exitOf(child: ChildProcess, file: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? subrootError('SUBROOT_PERL_MISSING', {tried: file}, error) : error),
    );
    child.on('exit', (code, signal) => resolve(code ?? (signal ? exitCodeOfSignal(signal) : 255)));
  });
}

/** The ways in which a program is ended from outside. */
class Ending {
  isTimedOut = false;
  readonly #child: ChildProcess;
  #tree: ProcessTree | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** The first signal is the program's; a second one, or the end of the grace, kills it. */
  readonly passOn = (signal: NodeJS.Signals): void => {
    if (this.#tree) {
      this.#kill();
      return;
    }
    this.#watch();
    this.#child.kill(signal);
    setTimeout(() => this.#kill(), GRACE_SECONDS * 1000).unref();
  };

  timeOut(): void {
    this.isTimedOut = true;
    this.#watch();
    this.#kill();
  }

  /** The helper has ended: what it leaves after one of the above goes too. */
  finish(): void {
    this.#tree?.kill();
  }

  #watch(): void {
    this.#tree ??= new ProcessTree(this.#child.pid ?? 0);
    this.#tree.watch();
    void this.#goOn(this.#tree);
  }

  async #goOn(tree: ProcessTree): Promise<void> {
    while (this.#child.exitCode === null && this.#child.signalCode === null) {
      await sleep(20, undefined, {ref: false});
      tree.watch();
    }
  }

  /** The helper sees its program die, gives the terminal back and ends; it is killed only when it does not. */
  #kill(): void {
    this.#tree?.kill();
    setTimeout(() => this.#child.kill('SIGKILL'), 2000).unref();
  }
}
