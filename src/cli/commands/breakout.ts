import {shiftedVolumeWarning} from '../../check/cve-map.ts';
import {type ReportPlace, reportOptions, reportPlaces, selectionOptions, targetOptions} from '../check-flags.ts';
import {reportSchema} from '../check-schemas.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {drawReport} from '../draw-report.ts';
import {emitReports} from '../emit-reports.ts';
import {wrapAfter} from '../render.ts';
import {chosenChecks, endingWithSignals, judgeTarget, openCheckTarget, requireTaken} from '../run-target.ts';

/** `subroot breakout`: what an attacker who has escaped can still do, tried with and without a user namespace. */
export const breakoutCommand = defineCommand({
  options: {
    target: {
      type: 'string',
      requiresArg: true,
      default: 'subroot',
      describe: 'what is judged: subroot, oci:runc, podman, docker, cri:SOCKET, bwrap, unshare, pid:PID, self',
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
    if (flags.target === 'self') return await judgeSelf(flags, places, context);
    const checks = chosenChecks(flags);
    return await endingWithSignals(async (signal) => {
      const open = () => openCheckTarget(flags.target, optionsOf(flags), context);
      const report = await judgeTarget(open, checks, {seed: flags.seed, signal}, context);
      const text = () =>
        [
          drawReport(report, output, strict),
          '',
          ...wrapAfter(`${output.paint.warn('▲')} `, shiftedVolumeWarning, output.width),
        ].join('\n');
      return await emitReports([report], {text, value: report, piped: 'tap'}, places, {strict, output});
    });
  },
});

/** From inside: reads only, and needs no engine. */
async function judgeSelf(
  flags: {
    readonly check?: string[] | undefined;
    readonly group?: string[] | undefined;
    readonly strict?: boolean | undefined;
  },
  places: readonly ReportPlace[],
  {output}: CommandContext,
): Promise<number> {
  const [{selfChecks}, {reportOnSelf}, {openSelf}] = await Promise.all([
    import('../../check/self-checks.ts'),
    import('../../check/self-report.ts'),
    import('../../check/targets/existing.ts'),
  ]);
  const checks = chosenChecks(flags, selfChecks);
  const report = reportOnSelf(
    openSelf(),
    checks.map(({id}) => id),
  );
  const strict = flags.strict === true;
  const text = () => drawReport(report, output, strict);
  return await emitReports([report], {text, value: report, piped: 'tap'}, places, {strict, output});
}

/** Flags as the target's opener takes them. */
export function optionsOf(flags: {
  readonly image?: string | undefined;
  readonly 'runtime-handler'?: string | undefined;
}): {readonly image?: string; readonly runtimeHandler?: string} {
  const handler = flags['runtime-handler'];
  return {
    ...(flags.image === undefined ? {} : {image: flags.image}),
    ...(handler === undefined ? {} : {runtimeHandler: handler}),
  };
}
