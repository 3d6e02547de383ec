import type {Report} from '../../check/result.ts';
import {reportOptions, reportPlaces, selectionOptions, targetOptions} from '../check-flags.ts';
import {comparisonSchema} from '../check-schemas.ts';
import {defineCommand} from '../command.ts';
import {drawMatrix} from '../draw-report.ts';
import {emitReports} from '../emit-reports.ts';
import {usageError} from '../failure.ts';
import {chosenChecks, endingWithSignals, judgeTarget, openCheckTarget, requireTaken} from '../run-target.ts';
import {optionsOf} from './breakout.ts';

/** `subroot compare`: the same checks against several targets, beside each other. */
export const compareCommand = defineCommand({
  options: {...selectionOptions, ...targetOptions, ...reportOptions},
  schema: comparisonSchema,
  run: async ({flags, words}, context) => {
    const {output} = context;
    const strict = flags.strict === true;
    const places = reportPlaces(flags.report, context.format !== 'table');
    requireTaken(words, optionsOf(flags));
    const checks = chosenChecks(flags);
    if (words.includes('self'))
      throw usageError(
        'self is looked at from inside and the others from outside',
        'judge it alone: `subroot breakout --target self`',
      );
    const twice = words.find((word, index) => words.indexOf(word) !== index);
    if (twice !== undefined) throw usageError(`${twice} is given twice`, 'name each target once');
    return await endingWithSignals(async (signal) => {
      const reports: Report[] = [];
      // The same canaries for all of them.
      let {seed} = flags;
      for (const word of words) {
        const open = () => openCheckTarget(word, optionsOf(flags), context);
        const report = await judgeTarget(open, checks, {seed, signal}, context);
        seed ??= report.seed;
        reports.push(report);
      }
      const text = () => drawMatrix(reports, output, strict);
      return await emitReports(reports, {text, value: {reports}, piped: 'text'}, places, {strict, output});
    });
  },
});
