import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const project = fileURLToPath(new URL('../..', import.meta.url));

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Children at a time: more would only wait for each other. */
const PLACES = 3;
let running = 0;
const waiting: (() => void)[] = [];

async function takePlace(): Promise<void> {
  if (running >= PLACES) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
}

function leavePlace(): void {
  running -= 1;
  waiting.shift()?.();
}

/** Runs the program from its source with piped streams, in an environment that holds nothing but PATH and what is given. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  await takePlace();
  const child = spawn(process.execPath, ['--import=tsx', main, ...args], {
    cwd: project,
    env: {PATH: process.env.PATH, HOME: process.env.HOME, ...env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      leavePlace();
      resolve({exitCode, signal, stdout, stderr});
    });
  });
}

/** The command line of the program, for scripts that tests hand to a shell. */
export const cliWords: readonly string[] = [process.execPath, '--import=tsx', main];
export const projectFolder = project;
