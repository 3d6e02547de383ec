import {spawn} from 'node:child_process';
import {closeSync, openSync, readFileSync} from 'node:fs';

/** How a program ended. */
export interface ProgramRun {
  /** undefined: a signal ended it, or it was never started. */
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** There is no such program. */
  readonly missing: boolean;
  /** It was killed at its time limit. */
  readonly timedOut: boolean;
}

export interface ProgramOptions {
  /** Standard input; empty by default. */
  readonly input?: string;
  /** 60 s by default; then it is killed with all that it has started in its process group. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /**
   * For a program that leaves something running with its streams: it writes both into this file and is waited for, not its streams.
   * `stdin` and `stdout` are opened instead where they are given.
   */
  readonly leaves?: {readonly output: string; readonly stdin?: string; readonly stdout?: string};
}

const MAX_OUTPUT = 4 * 1024 * 1024;

/**
 * Runs a program to its end with an argv array, in English, in a session of its own; never through a shell. Its standard input is always a
 * pipe or a file that was named, never /dev/null: a container runtime may give its own streams to the container's root by fchown(2). Never throws.
 */
export async function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const [file = '', ...args] = argv;
  const {leaves} = options;
  const opened: number[] = [];
  const open = (path: string, flags: string): number => {
    const fd = openSync(path, flags);
    opened.push(fd);
    return fd;
  };
  try {
    const output = leaves === undefined ? ('pipe' as const) : open(leaves.output, 'a+');
    const stdin = leaves?.stdin === undefined ? ('pipe' as const) : open(leaves.stdin, 'r');
    const stdout = leaves?.stdout === undefined ? output : open(leaves.stdout, 'a');
    const child = spawn(file, args, {
      cwd: options.cwd ?? '/',
      env: {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...options.env},
      stdio: [stdin, stdout, output],
      detached: true,
    });
    const seen = {stdout: collect(child.stdout), stderr: collect(child.stderr)};
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
    const ended = await untilEnd(child, leaves === undefined ? 'close' : 'exit', options.timeoutMs ?? 60_000);
    const stderr = leaves === undefined ? seen.stderr() : readFileSync(leaves.output, 'utf8').slice(-MAX_OUTPUT);
    return {...ended, stdout: seen.stdout(), stderr};
  } catch (error) {
    // A stream that cannot be opened.
    return {
      exitCode: undefined,
      signal: undefined,
      stdout: '',
      stderr: error instanceof Error ? error.message : String(error),
      missing: false,
      timedOut: false,
    };
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size < MAX_OUTPUT) chunks.push(chunk);
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).subarray(0, MAX_OUTPUT).toString('utf8');
}

type End = Pick<ProgramRun, 'exitCode' | 'signal' | 'missing' | 'timedOut'>;

function untilEnd(child: ReturnType<typeof spawn>, event: 'close' | 'exit', timeoutMs: number): Promise<End> {
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
      // Whoever has left the group may hold the pipes for ever.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, timeoutMs);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve({exitCode: undefined, signal: undefined, missing: error.code === 'ENOENT', timedOut});
    });
    child.on(event, (code: number | null, signal: NodeJS.Signals | null) => {
      clearTimeout(timer);
      resolve({exitCode: code ?? undefined, signal: signal ?? undefined, missing: false, timedOut});
    });
  });
}
