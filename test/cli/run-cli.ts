import {type ChildProcessByStdio, spawn} from 'node:child_process';
import type {Readable, Writable} from 'node:stream';
import {fileURLToPath} from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const project = fileURLToPath(new URL('../..', import.meta.url));

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program while it runs. */
export interface StartedCli {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<CliResult>;
  /** What it has written so far. */
  seen(): {readonly stdout: string; readonly stderr: string};
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

/** Starts the program from its source with piped streams, in an environment that holds nothing but PATH and what is given. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: readonly string[] = cliWords,
): StartedCli {
  const [file = '', ...words] = program;
  const child = spawn(file, [...words, ...args], {
    cwd: project,
    env: {PATH: process.env.PATH, HOME: process.env.HOME, ...env},
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // It may end before it has read what it is given.
  child.stdin.on('error', () => {});
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({exitCode, signal, stdout, stderr}));
  });
  return {child, ended, seen: () => ({stdout, stderr})};
}

/** Runs the program to its end, with nothing on standard input unless `input` says what. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
  program: readonly string[] = cliWords,
): Promise<CliResult> {
  await takePlace();
  try {
    const {child, ended} = startCli(args, env, program);
    child.stdin.end(input);
    return await ended;
  } finally {
    leavePlace();
  }
}

/** The command line of the program, for scripts that tests hand to a shell. */
export const cliWords: readonly string[] = [process.execPath, '--import=tsx', main];
export const projectFolder = project;
