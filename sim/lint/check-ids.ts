import {BLOCK_SIZE} from '../../native-free/ids.ts';
import type {Report} from './finding.ts';
import type {RuleContext} from './rule-context.ts';
import type {Spot} from './spot.ts';

/** Ids of the spec are ids inside the pod: with a user namespace those from `idsPerPod` on do not exist there. */
export function checkIds({pod, cluster}: RuleContext): Report[] {
  if (pod.hostUsers !== false) return [];
  return idsBeyond(idFields(pod), cluster.idsPerPod).map(({spot, id}) => ({
    rule: 'id-beyond-block',
    mark: spot.mark,
    path: spot.path,
    message: `id ${id} does not exist in a pod of ${cluster.idsPerPod} ids (0-${cluster.idsPerPod - 1}): the container cannot be started with it`,
    mend: `choose an id below ${cluster.idsPerPod}, or set userNamespaces.idsPerPod: ${roomFor(id)} in the kubelet's configuration (1.33 and newer, on an empty node)`,
  }));
}

/** The ids that a pod's spec names, with their places. */
export function idFields(pod: RuleContext['pod']): {spot: Spot; id: number}[] {
  const contexts = [pod.securityContext, ...pod.containers.map(({securityContext}) => securityContext)];
  const spots = contexts.flatMap((context) => [
    ...['runAsUser', 'runAsGroup', 'fsGroup'].flatMap((name) => context?.get(name) ?? []),
    ...(context?.get('supplementalGroups')?.items ?? []),
  ]);
  return spots.flatMap((spot) => (spot.number === undefined ? [] : [{spot, id: spot.number}]));
}

/** Those that a block of that size does not hold. */
export function idsBeyond<T extends {readonly id: number}>(fields: readonly T[], idsPerPod: number): T[] {
  return fields.filter(({id}) => Number.isInteger(id) && id >= idsPerPod);
}

/** The smallest idsPerPod that holds an id. */
export function roomFor(id: number): number {
  return (Math.floor(id / BLOCK_SIZE) + 1) * BLOCK_SIZE;
}
