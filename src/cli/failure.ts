import {type ErrorDetails, printable, SubrootError, subrootError} from '../../native-free/errors.ts';
import type {OutputFormat} from './command.ts';
import {exitCodeOf} from './exit-codes.ts';
import {encode} from './output.ts';

/** An error of the command line: what is wrong with the words, and what to write instead. Both are sentences without a full stop. */
export function usageError(what: string, mend: string): SubrootError {
  return subrootError('SUBROOT_USAGE', {what, mend} satisfies ErrorDetails<'SUBROOT_USAGE'>);
}

/** Throws SUBROOT_NOT_LINUX elsewhere. `what` is the command. */
export function requireLinux(what: string): void {
  if (process.platform !== 'linux') throw subrootError('SUBROOT_NOT_LINUX', {what, platform: process.platform});
}

/** Prints an error to standard error in the format asked for and answers the exit code. What is no SubrootError is a bug of ours: 70. */
export async function printFailure(
  error: unknown,
  asked: {readonly format: OutputFormat; readonly debug: boolean},
): Promise<number> {
  const known =
    error instanceof SubrootError ? error : subrootError('SUBROOT_INTERNAL', {what: messageOf(error)}, error);
  if (asked.format === 'table') process.stderr.write(`subroot: ${known.message}\n`);
  else process.stderr.write(`${(await encode(failureValue(known), asked.format)).trimEnd()}\n`);
  if (asked.debug) process.stderr.write(`${stackOf(known)}\n`);
  return exitCodeOf(known.kind);
}

/** What `-o json` prints for an error. */
export function failureValue(error: SubrootError): object {
  const {code, layer, shortMessage: message, mend, details} = error;
  return {error: {code, layer, message, mend, details}};
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  const lines: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const stack = (each.stack ?? each.message).split('\n').map((line) => printable(line));
    lines.push(lines.length === 0 ? stack.join('\n') : `caused by: ${stack.join('\n')}`);
  }
  return lines.join('\n');
}
