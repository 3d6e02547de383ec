import {existsSync} from 'node:fs';
import {defaultCapabilities, formatCapabilityMask} from '../../native-free/capability.ts';
import {parseIdMap} from '../../native-free/id-map.ts';
import {type AttackCall, AttackProcess, type AttemptEnd, type SetupStep} from '../host/attacker.ts';
import {readIdMapText, startTimeOf} from '../host/proc.ts';
import {namespaceInode, statusOf} from '../host/process-view.ts';
import {CannotTry} from './attempt.ts';
import type {NamespaceType, Operation} from './operation.ts';
import {Place} from './place.ts';
import type {Arm, Attacker} from './result.ts';
import type {RunFolder} from './run-folder.ts';
import type {Target, TargetPod} from './target.ts';

/** Who makes an attempt. Equal values share one process. */
export interface Who {
  /** The pod whose user namespace it is in; none is the initial one. */
  readonly pod?: TargetPod;
  /** The pod's other namespaces that it is in too; by default none, as after an escape from all of them. */
  readonly inside?: readonly Exclude<NamespaceType, 'user' | 'time'>[];
  /** All that there are in its user namespace, the default fourteen, or none. */
  readonly capabilities: 'all' | 'default' | 'none';
  /** Ids in its user namespace; root by default. */
  readonly uid?: number;
  readonly gid?: number;
  /** Descriptors that it has from before it joined anything: key, path, flags of open(2). */
  readonly keep?: readonly (readonly [key: string, path: string, flags: number])[];
  /** Pidfds likewise: key, pid. */
  readonly pidfds?: readonly (readonly [key: string, pid: number])[];
}

/** A process that makes attempts, and what the host sees of it. */
export interface Actor {
  readonly attacker: Attacker;
  run(operations: readonly Operation[], timeoutMs?: number): Promise<AttemptEnd>;
  hold(operations: readonly Operation[]): Promise<AttemptEnd & {readonly release: () => Promise<void>}>;
  close(): Promise<void>;
}

export interface Held {
  readonly pid: number;
  readonly calls: AttemptEnd['calls'];
  release(): Promise<void>;
}

/** All namespaces of a pod but the user namespace. */
export const everyNamespace = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;

/** First host ids of a pod and how many, by its maps. Undefined without a user namespace of its own. */
export interface Block {
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
}

/**
 * Where the stage's own file system is mounted: a folder that everybody may reach, and that nothing of the system needs. The machine's own
 * mount table does not change.
 */
const stageFolders = ['/mnt', '/media', '/srv'];

const defaultMask = formatCapabilityMask(defaultCapabilities);

/** Pods may have one name; a process is one pod's. */
function keyOf({pod, inside, capabilities, uid, gid, keep, pidfds}: Who): string {
  return JSON.stringify([pod?.init, inside, capabilities, uid, gid, keep, pidfds]);
}

function callsOf(operations: readonly Operation[]): AttackCall[] {
  return operations.map(({call}) => call);
}

/** What a running check is handed: pods that are shared by all checks, canaries, and the attacker. Everything in it is cleaned up by the engine. */
export class Scene {
  readonly target: Target;
  /** The pod under judgement, and a second one with another range; made once for all checks. */
  readonly pods: readonly TargetPod[];
  readonly seed: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly run: RunFolder;
  /** Where canaries are, as attackers see it: a file system of its own in a copy of the host's mount namespace. */
  readonly stageFolder: string;
  readonly #stage: AttackProcess | undefined;
  readonly #actors = new Map<string, Promise<Actor>>();

  private constructor(
    parts: Omit<ScenePlan, 'run'> & {run: RunFolder; stage: AttackProcess | undefined; stageFolder: string},
  ) {
    this.target = parts.target;
    this.pods = parts.pods;
    this.seed = parts.seed;
    this.signal = parts.signal;
    this.timeoutMs = parts.timeoutMs;
    this.run = parts.run;
    this.stageFolder = parts.stageFolder;
    this.#stage = parts.stage;
  }

  /**
   * Makes the stage: mount, network, UTS and IPC namespaces that the initial user namespace owns, as it owns the host's. Without root there
   * is none, and only what /proc shows can be judged.
   */
  static async open(plan: ScenePlan): Promise<Scene> {
    const stageFolder = stageFolders.find((path) => existsSync(path)) ?? plan.run.makeFolder('stage');
    const stage = process.geteuid?.() === 0 ? await AttackProcess.start([['stage', stageFolder]]) : undefined;
    return new Scene({...plan, stage, stageFolder});
  }

  /** The pod that is judged. */
  get pod(): TargetPod {
    const [pod] = this.pods;
    if (!pod) throw new CannotTry('the target has no pod');
    return pod;
  }

  /** A second pod; checks of two pods cannot be tried without. */
  get otherPod(): TargetPod {
    const [, pod] = this.pods;
    if (!pod) throw new CannotTry('this needs a second pod, and the target gave one only');
    return pod;
  }

  get #root(): AttackProcess {
    if (this.#stage) return this.#stage;
    throw new CannotTry('attackers are played by root of this machine, and we are not root');
  }

  /** The process that keeps the stage. */
  get stagePid(): number {
    return this.#root.pid;
  }

  /** A path of the stage as our own process sees it. */
  view(path: string): string {
    return `/proc/${this.#root.pid}/root${path}`;
  }

  place(name: string, arm: Arm): Place {
    return new Place(this, name, arm);
  }

  /** Who an arm is. */
  whoOf(arm: Arm): Who {
    const capabilities = arm.endsWith('all') ? 'all' : 'default';
    return arm.startsWith('control') ? {capabilities} : {capabilities, pod: this.pod};
  }

  /** The ids of a pod on the host, from its maps. */
  blockOf(pod: TargetPod): Block | undefined {
    if (!this.hasOwnUserNamespace(pod)) return undefined;
    const first = (file: 'uid_map' | 'gid_map') => {
      const parsed = parseIdMap(readIdMapText(pod.init.pid, file) ?? '');
      return parsed.ok ? parsed.map.find(({containerId}) => containerId === 0) : undefined;
    };
    const [uids, gids] = [first('uid_map'), first('gid_map')];
    return uids && gids ? {uid: uids.hostId, gid: gids.hostId, size: Math.min(uids.size, gids.size)} : undefined;
  }

  hasOwnUserNamespace(pod: TargetPod): boolean {
    return namespaceInode(pod.init.pid, 'user') !== namespaceInode('self', 'user');
  }

  /** The process that is this one, made when it is first asked for. Errors: AttackerRefused, and Error when the host sees another. */
  actor(who: Who): Promise<Actor> {
    const key = keyOf(who);
    const found = this.#actors.get(key);
    if (found) return found;
    const made = this.#make(who);
    this.#actors.set(key, made);
    // Whoever asked for it is told; here it must only not count as unheard.
    made.catch(() => {});
    return made;
  }

  async #make(who: Who): Promise<Actor> {
    const stage = [String(this.#root.pid), startTimeOf(this.#root.pid) ?? ''] as const;
    const steps: SetupStep[] = [
      ['process', ...stage],
      ['join', 'mnt,net,uts,ipc'],
      ...(who.keep ?? []).map(([key, path, flags]): SetupStep => ['keep', key, path, String(flags)]),
      ...(who.pidfds ?? []).map(([key, pid]): SetupStep => ['pidfd', key, String(pid)]),
    ];
    if (who.pod) {
      const {init} = who.pod;
      steps.push(['process', String(init.pid), init.startTime]);
      // What the pod shares with the host is left as the stage has it: a copy that the same user namespace owns. A namespace of the host is
      // never acted in, whatever the target has made.
      const own = (who.inside ?? []).filter((type) => namespaceInode(init.pid, type) !== namespaceInode('self', type));
      if (own.length > 0) steps.push(['join', own.join(',')]);
      steps.push(['user', this.hasOwnUserNamespace(who.pod) ? 'join' : 'same']);
    } else steps.push(['user', 'same']);
    if (who.uid !== undefined) steps.push(['credentials', String(who.uid), String(who.gid ?? who.uid), '']);
    if (who.capabilities !== 'all' && (who.uid ?? 0) === 0)
      steps.push(['capabilities', who.capabilities === 'none' ? '0' : defaultMask]);
    const process = await AttackProcess.start(steps);
    const attacker = this.#look(process.pid);
    if (typeof attacker === 'string') {
      await process.close();
      throw new Error(attacker);
    }
    const expected = who.pod && namespaceInode(who.pod.init.pid, 'user');
    if (expected !== undefined && attacker.userNamespace !== expected) {
      await process.close();
      throw new Error('the attacker is in another user namespace than the pod');
    }
    return {
      attacker,
      run: (operations, timeoutMs) => process.run(callsOf(operations), timeoutMs ?? this.timeoutMs),
      hold: (operations) => process.hold(callsOf(operations), this.timeoutMs),
      close: () => process.close(),
    };
  }

  /** What /proc shows of an attacker; a text when that is not what it must be. */
  #look(pid: number): Attacker | string {
    const status = statusOf(pid);
    const userNamespace = namespaceInode(pid, 'user');
    const startTime = startTimeOf(pid);
    if (!status || userNamespace === undefined || startTime === undefined) return 'the attacker is gone';
    const {uids, gids, groups, effective} = status;
    const [uid = -1] = uids;
    const [gid = -1] = gids;
    if (new Set(uids).size !== 1 || new Set(gids).size !== 1) return 'the attacker has several ids';
    if (groups.length > 0) return `the attacker kept the groups ${groups.join(', ')}`;
    return {pid, startTime, uid, gid, groups, userNamespace, capabilities: effective};
  }

  /** Has the host's root do something in the stage. Throws with the call and errno that failed. */
  async asHost(...operations: readonly Operation[]): Promise<AttemptEnd> {
    const end = await this.#root.run(callsOf(operations), this.timeoutMs);
    const failed = end.calls.findIndex(({errno}, index) => errno !== undefined && operations[index]?.call[2] === '!');
    if (failed >= 0) throw new Error(`${operations[failed]?.did}: ${end.calls[failed]?.errno}`);
    if (end.how !== 'done') throw new Error(`${operations.at(-1)?.did}: ${end.how}`);
    return end;
  }

  /** As `asHost`, for undoing: what is gone already is no error. */
  async tidy(...operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) await this.#root.run(callsOf([operation]), this.timeoutMs);
  }

  async hold(who: Who, operations: readonly Operation[]): Promise<Held> {
    const actor = await this.actor(who);
    const end = await actor.hold(operations);
    const failed = end.calls.findIndex(({errno}, index) => errno !== undefined && operations[index]?.call[2] === '!');
    if (end.how !== 'held' || end.number === undefined || failed >= 0) {
      await end.release();
      throw new Error(`${operations[Math.max(failed, 0)]?.did ?? 'fork'}: ${end.calls[failed]?.errno ?? end.how}`);
    }
    return {pid: end.number, calls: end.calls, release: end.release};
  }

  /** Ends a process that only one check asked for. */
  async dismiss(who: Who): Promise<void> {
    const key = keyOf(who);
    const actor = this.#actors.get(key);
    this.#actors.delete(key);
    await actor?.then((each) => each.close()).catch(() => {});
  }

  async close(): Promise<void> {
    for (const actor of this.#actors.values()) await actor.then((each) => each.close()).catch(() => {});
    this.#actors.clear();
    await this.#stage?.close();
  }
}

export interface ScenePlan {
  readonly target: Target;
  readonly pods: readonly TargetPod[];
  readonly seed: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly run: RunFolder;
}
