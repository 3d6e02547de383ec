import type {Report} from './finding.ts';
import {checksAgainst, failedChecks} from './pod-security.ts';
import type {RuleContext} from './rule-context.ts';

/** The checks that keep a pod from the level asked for, as the pod is written. */
export function checkPodSecurity(
  {pod, cluster}: RuleContext,
  {level, minor}: {readonly level: 'baseline' | 'restricted'; readonly minor?: number},
): Report[] {
  const failed = failedChecks(pod, {api: cluster.api, ...(minor === undefined ? {} : {policyMinor: minor})});
  return checksAgainst(failed, level).map(({check, why, spot}) => ({
    rule: 'pod-security',
    mark: spot?.mark ?? pod.workload.mark,
    path: spot?.path ?? pod.spec.path,
    message: `level ${level} refuses it (check ${check}): ${why}`,
    mend: 'change the field, or choose another level for the namespace',
  }));
}
