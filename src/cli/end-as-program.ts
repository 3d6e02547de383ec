import type {SubrootError} from '../../native-free/errors.ts';
import {printFailure} from './failure.ts';
import type {Output} from './output.ts';

/** Codes of a program that never ran, as every shell and container engine has them. */
export const startExitCodes = {ours: 125, notExecutable: 126, notFound: 127} as const;

/** Prints why a program could not be started and answers 125, 126 or 127. */
export async function startFailure(error: SubrootError, output: Output): Promise<number> {
  await printFailure(error, {format: output.format, debug: false});
  if (error.code === 'SUBROOT_COMMAND_NOT_FOUND') return startExitCodes.notFound;
  if (error.code === 'SUBROOT_COMMAND_NOT_EXECUTABLE') return startExitCodes.notExecutable;
  return startExitCodes.ours;
}
