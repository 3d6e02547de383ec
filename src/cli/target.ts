import {printable, StateError, type SubrootError, subrootError} from '../../native-free/errors.ts';
import {findPod} from '../node/pod-list.ts';
import {PodView} from '../node/running-pod.ts';
import type {Inventory} from '../runtime/inventory.ts';
import type {ContainerRecord, SandboxRecord} from '../runtime/state-store.ts';
import {usageError} from './failure.ts';
import {findNearest} from './nearest.ts';
import type {Output} from './output.ts';

/** What a word on the command line names: a pod, or one container of a pod. */
export interface Target {
  readonly pod: PodView;
  /** Set when the word named a container; else the pod's first is meant. */
  readonly containerId?: string;
}

/** SUBROOT_NOT_FOUND for a name that is nearly one of ours: the mend names that one. */
class NearMiss extends StateError {
  override readonly mend: string;

  constructor(details: {readonly kind: string; readonly ref: string; readonly list: string}, nearest: string) {
    super('SUBROOT_NOT_FOUND', details);
    this.mend = `did you mean \`${printable(nearest)}\`? \`subroot ${details.list}\` lists them`;
    this.message = `${this.shortMessage}\nTo mend: ${this.mend} [${this.code}]`;
  }
}

/**
 * The pod or container that a word names: names of pods first (NAME is that of namespace default first, or NAMESPACE/NAME), then their
 * uids, then unique beginnings (4 digits or more) of the ids of pods and containers. Throws SUBROOT_NOT_FOUND, SUBROOT_AMBIGUOUS.
 */
export function findTarget(inventory: Inventory, ref: string): Target {
  const record = findPodRecord(inventory, ref);
  if (record && isNamed(record, ref)) return {pod: new PodView(inventory, record)};
  const container = findContainer(inventory, ref);
  if (record && container) throw ambiguous(ref, record.id, container.id);
  if (record) return {pod: new PodView(inventory, record)};
  const sandbox = container && inventory.findSandbox(container.sandboxId);
  if (!container || !sandbox) throw notFound(inventory, ref, 'pod or container', 'ps -a');
  return {pod: new PodView(inventory, sandbox), containerId: container.id};
}

/** The pod that a word names, by name or id. Throws SUBROOT_NOT_FOUND, SUBROOT_AMBIGUOUS, and SUBROOT_USAGE for a container. */
export function findPodTarget(inventory: Inventory, ref: string): PodView {
  const record = findPodRecord(inventory, ref);
  if (record) return new PodView(inventory, record);
  if (!findContainer(inventory, ref)) throw notFound(inventory, ref, 'pod', 'pods');
  throw usageError(
    `${ref} is a container, and a pod is meant here`,
    'name the pod; `subroot ps -a` shows which one it is in',
  );
}

/** The id of the container that is meant: the word's own, else the one named with -c, else the first of the pod. */
export async function containerOf({pod, containerId}: Target, name: string | undefined, output: Output) {
  if (containerId !== undefined) {
    if (name === undefined) return containerId;
    throw usageError('the word names a container already, and -c another', 'leave -c out, or name the pod');
  }
  if (name === undefined) {
    const all = await pod.containers();
    const meant = all.find(({role}) => role === 'app') ?? all[0];
    const [first, ...others] = [meant, ...all.filter((each) => each !== meant)].map((each) =>
      printable(each?.name ?? ''),
    );
    if (others.length > 0)
      output.progress(
        `container ${first} is meant; -c names another of pod ${printable(pod.name)}: ${others.join(', ')}`,
      );
  }
  return await pod.containerId(name);
}

/** Fewer digits name nothing: a short word is rather a name that was mistyped, and `rm` must not take it for an id. */
const MIN_ID_DIGITS = 4;

function findPodRecord(inventory: Inventory, ref: string): SandboxRecord | undefined {
  const record = findPod(inventory, ref);
  return record && (isNamed(record, ref) || ref.length >= MIN_ID_DIGITS) ? record : undefined;
}

function findContainer(inventory: Inventory, ref: string): ContainerRecord | undefined {
  return ref.length < MIN_ID_DIGITS ? undefined : inventory.findContainer(ref);
}

function isNamed({config: {metadata}}: SandboxRecord, ref: string): boolean {
  return [metadata.name, `${metadata.namespace}/${metadata.name}`, metadata.uid].includes(ref);
}

function ambiguous(ref: string, podId: string, containerId: string): SubrootError {
  const matches = `pod ${podId.slice(0, 13)}, container ${containerId.slice(0, 13)}`;
  return subrootError('SUBROOT_AMBIGUOUS', {ref, count: 2, kind: 'id', matches});
}

function notFound(inventory: Inventory, ref: string, kind: string, list: string): SubrootError {
  const details = {kind, ref: ref || '""', list};
  const names = inventory
    .readableSandboxes()
    .flatMap(({config: {metadata}}) => [
      metadata.name,
      ...(metadata.namespace === 'default' ? [] : [`${metadata.namespace}/${metadata.name}`]),
    ]);
  const nearest = findNearest(ref, names);
  return nearest === undefined ? subrootError('SUBROOT_NOT_FOUND', details) : new NearMiss(details, nearest);
}
