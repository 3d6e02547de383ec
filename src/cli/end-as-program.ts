import {SubrootError} from '../../native-free/errors.ts';
import {printFailure} from './failure.ts';
import type {Output} from './output.ts';

/** Codes of a program that never ran, as every shell and container engine has them; 124 is timeout(1)'s. */
export const startExitCodes = {timeout: 124, ours: 125, notExecutable: 126, notFound: 127} as const;

const codeOf: Readonly<Record<string, number>> = {
  SUBROOT_COMMAND_NOT_FOUND: startExitCodes.notFound,
  SUBROOT_COMMAND_NOT_EXECUTABLE: startExitCodes.notExecutable,
  SUBROOT_EXEC_TIMEOUT: startExitCodes.timeout,
};

/** The code of a program that could not be started (126, 127) or was killed for its time (124), if the error is one of those. */
export function exitCodeOfProgram(error: unknown): number | undefined {
  return error instanceof SubrootError ? codeOf[error.code] : undefined;
}

/**
 * Runs what ends with the exit code of a program in a pod. What goes wrong before is printed, and its codes stay apart from the
 * program's: 2 for words or a file that cannot be meant, 126 and 127 for a program that cannot be started, 125 for all else of ours.
 */
export async function endAsProgram(
  {output, debug}: {readonly output: Output; readonly debug: boolean},
  body: () => Promise<number>,
): Promise<number> {
  try {
    return await body();
  } catch (error) {
    const exitCode = await printFailure(error, {format: output.format, debug});
    const isMistake = error instanceof SubrootError && (error.kind === 'usage' || error.kind === 'config');
    return exitCodeOfProgram(error) ?? (isMistake ? exitCode : startExitCodes.ours);
  }
}
