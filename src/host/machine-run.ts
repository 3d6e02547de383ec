import {execFile, spawnSync} from 'node:child_process';

const TIMEOUT_MS = 3000;

export interface Ran {
  /** undefined: it could not be started, or was ended by a signal or the time limit of 3 s. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const options = () =>
  ({
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
    env: {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'},
  }) as const;

/** The same while the caller goes on: what the program printed, however it ended. Never throws. */
export async function runAside(program: string, args: readonly string[]): Promise<string> {
  return await new Promise((resolve) => {
    const child = execFile(program, args, {...options(), killSignal: 'SIGKILL'}, (_, stdout) => resolve(stdout));
    child.stdin?.end();
  });
}

/** Runs a short program to its end with an argv array, in English, without input. Never throws. */
export function runQuick(program: string, args: readonly string[]): Ran {
  const {status, stdout, stderr} = spawnSync(program, args, {...options(), stdio: ['ignore', 'pipe', 'pipe']});
  return {exitCode: status ?? undefined, stdout: stdout ?? '', stderr: stderr ?? ''};
}
