import {existsSync} from 'node:fs';
import {parseStatus} from '../host/process-view.ts';
import {CannotTry} from './attempt.ts';

function firstOf(name: string, paths: readonly string[]): string {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new CannotTry(`there is no ${name} on this machine to make a canary program of`);
  return found;
}

/** A small program that shows who runs it: `cat /proc/self/status`. A shell would drop what a set-user-ID bit gave it. */
export function catProgram(): string {
  return firstOf('cat', ['/bin/cat', '/usr/bin/cat']);
}

export function perlProgram(): string {
  return firstOf('perl', ['/usr/bin/perl', '/bin/perl', '/usr/local/bin/perl']);
}

/** The effective uid in a status text, as its reader saw it. */
export function effectiveUidOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseStatus(text)?.uids[1];
}
