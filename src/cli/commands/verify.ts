import type {Report} from '../../check/result.ts';
import {judgePod} from '../../check/verify.ts';
import {listPods} from '../../node/pod-list.ts';
import {reportOptions, reportPlaces} from '../check-flags.ts';
import {comparisonSchema} from '../check-schemas.ts';
import {defineCommand} from '../command.ts';
import {drawReport} from '../draw-report.ts';
import {emitReports} from '../emit-reports.ts';
import {usageError} from '../failure.ts';
import {openInventory} from '../open-inventory.ts';
import {endingWithSignals} from '../run-target.ts';
import {findPodTarget} from '../target.ts';

/** `subroot verify`: is a pod that runs what it claims to be? */
export const verifyCommand = defineCommand({
  options: reportOptions,
  schema: comparisonSchema,
  run: async ({flags, words}, context) => {
    const {output, root} = context;
    const strict = flags.strict === true;
    const places = reportPlaces(flags.report, context.format !== 'table');
    const inventory = openInventory(root);
    const ready = (await listPods(inventory)).filter(({state}) => state === 'Ready').map(({id}) => id);
    const pods = (words.length > 0 ? words : ready).map((ref) => findPodTarget(inventory, ref));
    if (pods.length === 0)
      throw usageError('there is no pod to verify', 'start one: `subroot run pod.yaml`; `subroot pods` lists them');
    return await endingWithSignals(async (signal) => {
      const judge = async (pod: (typeof pods)[number]): Promise<Report> => {
        // Another one stands beside it, so that their ids can be compared.
        const otherId = [...pods.map(({id}) => id), ...ready].find((id) => id !== pod.id);
        return await judgePod(pod, {
          other: otherId === undefined ? undefined : findPodTarget(inventory, otherId),
          folder: `${root}/checks`,
          signal,
          ...(flags.seed === undefined ? {} : {seed: flags.seed}),
        });
      };
      // Two at a time: each has programs of its own to wait for.
      const reports: Report[] = [];
      for (let at = 0; at < pods.length; at += 2)
        reports.push(...(await Promise.all(pods.slice(at, at + 2).map(judge))));
      const text = () => reports.map((report) => drawReport(report, output, strict)).join('\n\n');
      return await emitReports(reports, {text, value: {reports}, piped: 'tap'}, places, {strict, output});
    });
  },
});
