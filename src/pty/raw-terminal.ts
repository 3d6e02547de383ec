import {spawnSync} from 'node:child_process';

/** stty(1) on the terminal that is our standard input; its output, or undefined when it failed. */
function stty(...words: readonly string[]): string | undefined {
  const {status, stdout} = spawnSync('stty', [...words], {stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8'});
  return status === 0 ? stdout.trim() : undefined;
}

/**
 * Makes our own terminal a mere wire, for a program that has one of its own; answers what gives it back. By stty(1), because Node's
 * setRawMode still turns each newline into two characters (libuv sets ONLCR), which a full-screen program does not expect. Without
 * stty(1) it is Node's after all. When we are killed, Node itself restores what it found at its start.
 */
export function makeTerminalRaw(): () => void {
  const before = stty('-g');
  if (before === undefined || stty('raw', '-echo', '-iexten') === undefined) {
    process.stdin.setRawMode?.(true);
    return () => process.stdin.setRawMode?.(false);
  }
  return () => void stty(before);
}
