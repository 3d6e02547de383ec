import {type ChildProcessByStdio, spawn} from 'node:child_process';
import type {Readable, Writable} from 'node:stream';
import {subrootError} from '../../native-free/errors.ts';

/** A tool of this machine that reads a stream or writes one. */
export interface PipeTool {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Resolves when it has ended well. Errors: SUBROOT_IMAGE_TOOL_MISSING, SUBROOT_TOOL_FAILED with what it said. */
  readonly ended: Promise<void>;
  kill(): void;
}

/** Starts a tool with pipes; argv only, no shell. `what` and `install` are for the message when it is not there. */
export function pipeTool(
  file: string,
  args: readonly string[],
  options: {readonly input: boolean; readonly what: string; readonly install: string},
): PipeTool {
  const child = spawn(file, args, {
    stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: {PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C'},
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  // Its end says why; a pipe that breaks says less.
  child.stdin?.on('error', () => {});
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      reject(
        isMissing
          ? subrootError(
              'SUBROOT_IMAGE_TOOL_MISSING',
              {tool: file, what: options.what, install: options.install},
              error,
            )
          : error,
      );
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else {
        reject(
          subrootError('SUBROOT_TOOL_FAILED', {
            tool: [file, ...args].join(' '),
            exitCode: code ?? 128,
            output: stderr.trim() || signal || 'it said nothing',
            mend: 'see what it said',
          }),
        );
      }
    });
  });
  ended.catch(() => {});
  return {stdin: child.stdin ?? undefined, stdout: child.stdout, ended, kill: () => child.kill('SIGKILL')};
}
