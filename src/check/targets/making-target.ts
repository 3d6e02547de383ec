import {subrootError} from '../../../native-free/errors.ts';
import {isProcessAlive, startTimeOf} from '../../host/proc.ts';
import type {Ability, TargetDescription} from '../result.ts';
import type {PodRequest, Target, TargetPod, TargetProcess} from '../target.ts';

/** What each ability lets a check do, for messages. */
export const abilityWords: Readonly<Record<Ability, string>> = {
  start: 'make pods',
  'two-pods': 'run two pods at once',
  'same-range': 'give two pods the same ids',
  control: 'run a pod without a user namespace',
  exec: 'run programs in a pod',
  'all-capabilities': 'give every capability',
  mounts: 'mount folders of the host',
  'idmapped-mounts': 'shift the ids of a mount',
  stdio: "open the host's files as the first program's streams",
  outside: 'be looked at from outside',
};

const podPrefix = 'subroot-check-';

/** Whether a name is one that a target gave to a pod, in a process that is dead. */
export function isOfDeadRun(name: string): boolean {
  const [, pid, startTime] = /^subroot-check-(\d+)-(\d+)-\d+$/.exec(name) ?? [];
  return pid !== undefined && startTime !== undefined && !isProcessAlive({pid: Number(pid), startTime});
}

/** The abilities that are named, and no others. */
export function abilitiesOf(...names: readonly Ability[]): Readonly<Record<Ability, boolean>> {
  const all = Object.keys(abilityWords) as Ability[];
  return Object.fromEntries(all.map((name) => [name, names.includes(name)])) as Record<Ability, boolean>;
}

/** A target that makes pods, and keeps account of them. */
export abstract class MakingTarget implements Target {
  abstract readonly description: TargetDescription;
  readonly existing: readonly TargetPod[] = [];
  readonly #pods = new Set<TargetPod>();
  readonly #notes: string[] = [];
  #count = 0;

  /** Makes the pod; `id` is unique on this machine. What fails leaves nothing. */
  protected abstract make(request: PodRequest, id: string): Promise<TargetPod>;
  /** Removes what the target itself has made, after its pods are gone. */
  protected abstract cleanUp(): Promise<void>;

  /** Remarks so far; `description.notes` of a target of ours is this list. */
  protected get notes(): string[] {
    return this.#notes;
  }

  /** Adds a remark once. */
  protected note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  has(ability: Ability): boolean {
    return this.description.abilities[ability];
  }

  async start(request: PodRequest): Promise<TargetPod> {
    for (const ability of abilitiesNeeded(request)) {
      if (!this.has(ability)) throw this.lacks(ability, 'see `abilities` in its description');
    }
    this.#count += 1;
    const pod = await this.make(request, `${podPrefix}${process.pid}-${startTimeOf(process.pid)}-${this.#count}`);
    this.#pods.add(pod);
    return pod;
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const pod of this.#pods) await pod.remove().catch((error: unknown) => failures.push(error));
    this.#pods.clear();
    await this.cleanUp();
    if (failures.length > 0) throw failures[0];
  }

  /** SUBROOT_TARGET_LACKS. */
  protected lacks(ability: Ability, why: string): Error {
    return subrootError('SUBROOT_TARGET_LACKS', {
      target: this.description.target,
      ability: abilityWords[ability],
      why,
    });
  }

  /** SUBROOT_TARGET_REFUSED, with the end of what the target said. */
  protected refused(action: string, said: string): Error {
    return subrootError('SUBROOT_TARGET_REFUSED', {
      target: this.description.target,
      action,
      said: said.trim().split('\n').slice(-4).join(' / ').slice(-600) || 'it said nothing',
    });
  }
}

function abilitiesNeeded(request: PodRequest): Ability[] {
  return [
    'start',
    ...(request.userNamespace ? [] : (['control'] as const)),
    ...(request.range === undefined ? [] : (['same-range'] as const)),
    ...(request.capabilities === 'all' ? (['all-capabilities'] as const) : []),
    ...((request.mounts ?? []).length > 0 ? (['mounts'] as const) : []),
    ...(request.mounts?.some(({idmapped}) => idmapped === true) ? (['idmapped-mounts'] as const) : []),
    ...(request.stdio === undefined ? [] : (['stdio'] as const)),
  ];
}

/** Throws SUBROOT_TARGET_NEEDS_ROOT unless we are root of the initial user namespace or of one that may give ids away. */
export function requireRoot(target: string): void {
  const uid = process.geteuid?.() ?? -1;
  if (uid !== 0) throw subrootError('SUBROOT_TARGET_NEEDS_ROOT', {target, uid});
}

/** A process with the moment it began, so that it is this one for ever. Undefined when it is gone. */
export function processOf(pid: number): TargetProcess | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : {pid, startTime};
}
