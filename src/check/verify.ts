import {subrootError} from '../../native-free/errors.ts';
import type {PodView} from '../node/running-pod.ts';
import type {Check} from './check.ts';
import {allChecks} from './checks.ts';
import {conformanceChecks} from './conformance-checks.ts';
import {type RunOptions, runChecks} from './engine.ts';
import type {Report} from './result.ts';
import {targetOfPods} from './targets/subroot-pods.ts';
import {outcomeSigns, verdictOf} from './verdict.ts';

/** Of identity what needs no pod of its own and reads no whole disk, as `host-id-audit` does: for a pod that runs already. */
export const verifyChecks: readonly Check[] = [...conformanceChecks, ...allChecks].filter(
  ({id, group, abilities}) =>
    group === 1 &&
    id !== 'host-id-audit' &&
    !id.startsWith('refuses-') &&
    !abilities.some((ability) => ability === 'start' || ability === 'mounts'),
);

/** Judges a pod of ours that runs, and answers the report whatever it says. `other` stands beside it, so that ids can be compared. */
export async function judgePod(
  pod: PodView,
  options: Omit<RunOptions, 'checks'> & {readonly other?: PodView | undefined} = {},
): Promise<Report> {
  const {other, ...rest} = options;
  const target = await targetOfPods(other === undefined ? [pod] : [pod, other]);
  return await runChecks(target, {...rest, checks: verifyChecks});
}

/**
 * For tests: resolves with the report when the pod is what it claims to be. Throws SUBROOT_POD_NOT_VERIFIED with what is not as it should be;
 * with `strict` also what is inconclusive.
 *
 *     await using pod = await node.runPod({command: ['sleep', 'infinity']});
 *     await verify(pod);
 */
export async function verify(
  pod: PodView,
  options: Omit<RunOptions, 'checks'> & {readonly other?: PodView; readonly strict?: boolean} = {},
): Promise<Report> {
  const {strict = false, ...rest} = options;
  const report = await judgePod(pod, rest);
  const failed = report.results.filter((result) => verdictOf(result, strict) === 'failed');
  if (failed.length === 0) return report;
  throw subrootError('SUBROOT_POD_NOT_VERIFIED', {
    pod: pod.name,
    count: failed.length,
    failed: failed.map(({id, outcome, reason}) => `${id} is ${outcomeSigns[outcome].words}: ${reason}`).join('; '),
  });
}
