import {subrootError} from '../../native-free/errors.ts';
import type {Inventory} from '../runtime/inventory.ts';
import {mapOf} from '../runtime/mappings.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';
import type {Mode} from '../userns/mode.ts';

/** A line of `subroot pods`. */
export interface PodSummary {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly state: 'Ready' | 'NotReady';
  readonly mode: Mode;
  readonly createdAt: bigint;
  /** Pid of the holder, while it is ready. */
  readonly pid?: number;
  /** Its ids as the caller's; absent for a pod in the node's own user namespace. */
  readonly block?: {readonly first: number; readonly size: number};
  readonly containers: readonly {
    readonly id: string;
    readonly name: string;
    readonly state: string;
    /** How often it was started again. */
    readonly restarts: number;
  }[];
}

/** Ids of a pod as its starter's: the first and how many. Undefined for a pod in the node's own user namespace. */
export function blockOf(record: SandboxRecord): {readonly first: number; readonly size: number} | undefined {
  const map = mapOf(record, 'uid');
  const [first] = map;
  return first && {first: first.hostId, size: map.reduce((sum, {size}) => sum + size, 0)};
}

/** All pods that have a readable record, newest first. */
export async function listPods(inventory: Inventory): Promise<PodSummary[]> {
  return inventory
    .readableSandboxes()
    .sort((a, b) => Number(BigInt(b.createdAt) - BigInt(a.createdAt)))
    .map((record): PodSummary => {
      const {name, namespace, uid} = record.config.metadata;
      const isReady = inventory.isReady(record);
      const block = blockOf(record);
      return {
        id: record.id,
        name,
        namespace,
        uid,
        state: isReady ? 'Ready' : 'NotReady',
        mode: record.mode,
        createdAt: BigInt(record.createdAt),
        ...(isReady && record.holder ? {pid: record.holder.pid} : {}),
        ...(block ? {block} : {}),
        containers: inventory.currentContainers(record.id).map((container) => ({
          id: container.id,
          name: container.config.metadata.name,
          state: inventory.stateOf(container).slice('CONTAINER_'.length),
          restarts: container.config.metadata.attempt,
        })),
      };
    });
}

/**
 * The pod that a reference names: NAMESPACE/NAME, or NAME (that of namespace default first), its uid, or a unique prefix of its
 * sandbox id. Undefined when there is none. Throws SUBROOT_AMBIGUOUS.
 */
export function findPod(inventory: Inventory, ref: string): SandboxRecord | undefined {
  const records = inventory.readableSandboxes();
  const qualified = ref.includes('/') ? ref : `default/${ref}`;
  const candidates = [
    records.filter(({config: {metadata}}) => `${metadata.namespace}/${metadata.name}` === qualified),
    records.filter(({config: {metadata}}) => metadata.name === ref || metadata.uid === ref),
    ref === '' ? [] : records.filter(({id}) => id.startsWith(ref)),
  ];
  const matches = candidates.find((list) => list.length > 0) ?? [];
  // Of several sandboxes of one pod, the one that runs is meant.
  const chosen = matches.length > 1 ? matches.filter((record) => inventory.isReady(record)) : matches;
  if (matches.length > 1 && chosen.length !== 1) {
    throw subrootError('SUBROOT_AMBIGUOUS', {
      ref,
      count: matches.length,
      kind: 'pod',
      matches: matches
        .map(({id, config}) => `${config.metadata.namespace}/${config.metadata.name} (${id.slice(0, 13)})`)
        .join(', '),
    });
  }
  return chosen[0];
}

/** As findPod, but throws SUBROOT_NOT_FOUND. */
export function requirePod(inventory: Inventory, ref: string): SandboxRecord {
  const record = findPod(inventory, ref);
  if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'pod', ref: ref || '""', list: 'pods'});
  return record;
}
