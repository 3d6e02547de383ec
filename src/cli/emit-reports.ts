import {writeFileSync} from 'node:fs';
import {subrootError} from '../../native-free/errors.ts';
import {renderReport} from '../check/reports/render-report.ts';
import type {Report} from '../check/result.ts';
import {verdictOfAll} from '../check/verdict.ts';
import type {ReportPlace} from './check-flags.ts';
import {escapeInvisible} from './escape-invisible.ts';
import {type ExitCode, exitCodes} from './exit-codes.ts';
import type {Output} from './output.ts';

/** How reports are shown when no form is asked for. */
export interface Shown {
  /** Text for a terminal. */
  readonly text: () => string;
  /** Of `-o json`. */
  readonly value: object;
  /** What standard output gets when it is no terminal and nothing was asked for. */
  readonly piped: 'tap' | 'text';
}

/**
 * Writes the reports to every place that was asked for, and to standard output what is for it. Answers 0 when all that was judged is as it
 * should be, 1 when something is not, 3 when a target could not be judged at all. Throws SUBROOT_FILE_UNWRITABLE.
 */
export async function emitReports(
  reports: readonly Report[],
  shown: Shown,
  places: readonly ReportPlace[],
  {strict, output}: {readonly strict: boolean; readonly output: Output},
): Promise<ExitCode> {
  const render = async ({format}: ReportPlace): Promise<string> => {
    if (format === 'text') return `${shown.text()}\n`;
    const text = await renderReport(format, reports, {strict});
    return format === 'json' || format === 'sarif' ? escapeInvisible(text) : text;
  };
  for (const place of places) {
    if (place.file === undefined) continue;
    try {
      writeFileSync(place.file, await render(place));
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? 'EIO';
      throw subrootError('SUBROOT_FILE_UNWRITABLE', {path: place.file, why}, error);
    }
  }
  const onOutput = places.find(({file}) => file === undefined);
  if (output.format !== 'table') await output.emit(shown.value, () => '');
  else if (onOutput !== undefined) output.print(await render(onOutput));
  else output.print(await render({format: process.stdout.isTTY === true ? 'text' : shown.piped}));
  return exitCodeOfReports(reports, strict);
}

function exitCodeOfReports(reports: readonly Report[], strict: boolean): ExitCode {
  const verdict = verdictOfAll(reports, strict);
  if (verdict === 'passed') return exitCodes.ok;
  return verdict === 'failed' ? exitCodes.found : exitCodes.host;
}
