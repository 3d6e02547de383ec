import {totalmem} from 'node:os';
import {
  containerResourcesOf,
  type EventHandler,
  hasResources,
  type NodeResources,
  type Pod,
  startedContainers,
} from '../../sim/index.ts';

/**
 * What the kubelet is told of this node's resources, for a pod that asks for some; undefined for any other. Each limit that nothing enforces here is an
 * event of the pod. Errors, with `requireLimits`: SUBROOT_CGROUP_MISSING.
 */
export async function nodeResourcesFor(
  pod: Pod,
  {requireLimits, onEvent}: {readonly requireLimits: boolean; readonly onEvent?: EventHandler | undefined},
): Promise<(() => NodeResources) | undefined> {
  if (!hasResources(pod)) return undefined;
  const {cgroupHost} = await import('../host/cgroups.ts');
  const {missingControllers, requireControllers} = await import('../runtime/container-cgroup.ts');
  const node: NodeResources = {memoryCapacity: totalmem(), cgroupVersion: cgroupHost().version};
  for (const container of startedContainers(pod)) {
    const resources = containerResourcesOf(pod, container, () => node);
    if (requireLimits) requireControllers(resources, container.name);
    for (const {controller, why} of missingControllers(resources)) {
      const message = `limits of ${controller} are not enforced: ${why}`;
      onEvent?.({type: 'Warning', reason: 'LimitsNotEnforced', container: container.name, message});
    }
  }
  return () => node;
}
