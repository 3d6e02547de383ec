import {subrootError} from '../../native-free/errors.ts';
import {findPod} from '../node/pod-list.ts';
import {PodView} from '../node/running-pod.ts';
import type {Inventory} from '../runtime/inventory.ts';

/** What a word on the command line names: a pod, or one container of a pod. */
export interface Target {
  readonly pod: PodView;
  /** Set when the word named a container; else the pod's first is meant. */
  readonly containerId?: string;
}

/** The pod or container that a word names: pod names first, then unique prefixes of container ids. Throws SUBROOT_NOT_FOUND, SUBROOT_AMBIGUOUS. */
export function findTarget(inventory: Inventory, ref: string): Target {
  const record = findPod(inventory, ref);
  if (record) return {pod: new PodView(inventory, record)};
  const container = ref === '' ? undefined : inventory.findContainer(ref);
  const sandbox = container && inventory.findSandbox(container.sandboxId);
  if (!container || !sandbox)
    throw subrootError('SUBROOT_NOT_FOUND', {kind: 'pod or container', ref: ref || '""', list: 'ps -a'});
  return {pod: new PodView(inventory, sandbox), containerId: container.id};
}
