import {spawn} from 'node:child_process';
import {closeSync, openSync, readFileSync} from 'node:fs';
import {readText} from './machine-files.ts';
import {isProcessAlive, startTimeOf} from './proc.ts';

/** A program that runs until it is ended. */
export interface KeptProgram {
  /**
   * Pid of the process below it whose name is that, as soon as there is one; undefined when the program has ended first or it took longer.
   */
  untilRuns(name: string, timeoutMs: number): Promise<number | undefined>;
  /** Kills it with all that is below it and waits. Twice is fine. */
  end(): Promise<void>;
}

/** Starts a program that stays, with its output in a file and an empty pipe for its input unless other streams are named. */
export function keepProgram(
  argv: readonly string[],
  streams: {readonly output: string; readonly stdin?: string; readonly stdout?: string},
): KeptProgram {
  const [file = '', ...args] = argv;
  const output = openSync(streams.output, 'a');
  const stdin = streams.stdin === undefined ? ('pipe' as const) : openSync(streams.stdin, 'r');
  const stdout = streams.stdout === undefined ? output : openSync(streams.stdout, 'a');
  const child = spawn(file, args, {
    cwd: '/',
    env: {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'},
    stdio: [stdin, stdout, output],
    detached: true,
  });
  for (const fd of new Set([output, stdin, stdout])) if (typeof fd === 'number') closeSync(fd);
  child.stdin?.on('error', () => {});
  child.stdin?.end();
  let running = true;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      running = false;
      resolve();
    };
    child.on('error', end);
    child.on('exit', end);
  });
  return {
    async untilRuns(name, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (running && performance.now() < deadline) {
        const found = below(child.pid ?? 0).find((pid) => readText(`/proc/${pid}/comm`)?.trimEnd() === name);
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return undefined;
    },
    async end() {
      // Whoever is below it is remembered first: without its parent it could not be found any more.
      const all = below(child.pid ?? 0).flatMap((pid) => {
        const startTime = startTimeOf(pid);
        return startTime === undefined ? [] : [{pid, startTime}];
      });
      if (running) child.kill('SIGKILL');
      for (const each of all.reverse()) {
        if (!isProcessAlive(each)) continue;
        try {
          process.kill(each.pid, 'SIGKILL');
        } catch {
          // It has gone by itself.
        }
      }
      if (child.pid !== undefined) await ended;
      const deadline = performance.now() + 5000;
      while (all.some(isProcessAlive) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 2));
    },
  };
}

/** A process and all below it, parents first. Source: proc_pid_task(5), children. */
function below(pid: number): number[] {
  const children = (() => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  })();
  return [pid, ...children.flatMap(below)];
}
