import {allChecks} from '../../check/checks.ts';
import {conformanceChecks} from '../../check/conformance-checks.ts';
import {reportOptions, reportPlaces, selectionOptions, targetOptions} from '../check-flags.ts';
import {reportSchema} from '../check-schemas.ts';
import {defineCommand} from '../command.ts';
import {drawReport} from '../draw-report.ts';
import {emitReports} from '../emit-reports.ts';
import {usageError} from '../failure.ts';
import {chosenChecks, endingWithSignals, judgeTarget, openCheckTarget, requireTaken} from '../run-target.ts';
import {optionsOf} from './breakout.ts';

/** `subroot conformance`: is a pod of this runtime what was declared, does it refuse what it must, and all checks. */
export const conformanceCommand = defineCommand({
  options: {
    target: {
      type: 'string',
      requiresArg: true,
      default: 'subroot',
      describe: 'what is judged: subroot, oci:runc, podman, docker, cri:SOCKET, bwrap, unshare, pid:PID',
    },
    ...selectionOptions,
    ...targetOptions,
    ...reportOptions,
  },
  schema: reportSchema,
  run: async ({flags}, context) => {
    const {output} = context;
    const strict = flags.strict === true;
    const places = reportPlaces(flags.report, context.format !== 'table');
    requireTaken([flags.target], optionsOf(flags));
    if (flags.target === 'self')
      throw usageError('from inside nobody can tell what was declared', 'write `subroot breakout --target self`');
    const checks = chosenChecks(flags, [...conformanceChecks, ...allChecks]);
    return await endingWithSignals(async (signal) => {
      const open = () => openCheckTarget(flags.target, optionsOf(flags), context);
      const report = await judgeTarget(open, checks, {seed: flags.seed, signal}, context);
      const text = () => drawReport(report, output, strict);
      return await emitReports([report], {text, value: report, piped: 'tap'}, places, {strict, output});
    });
  },
});
