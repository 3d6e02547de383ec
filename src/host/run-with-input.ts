import {spawn} from 'node:child_process';
import {closeSync, openSync} from 'node:fs';

/**
 * Runs a program to its end with a file of the host opened for reading as its standard input, and that very descriptor handed on. Its exit
 * code, or 255 when a signal ended it. Throws what open(2) and execve(2) say.
 */
export async function runWithInput(argv: readonly string[], stdin: string): Promise<number> {
  const [file = '', ...args] = argv;
  const input = openSync(stdin, 'r');
  try {
    return await new Promise<number>((resolve, reject) => {
      const env = {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'};
      const child = spawn(file, args, {stdio: [input, 'ignore', 'ignore'], env, cwd: '/', timeout: 20_000});
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? 255));
    });
  } finally {
    closeSync(input);
  }
}
