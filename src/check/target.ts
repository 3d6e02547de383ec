import type {IdMapping} from '../../native-free/id-map.ts';
import type {Ability, TargetDescription} from './result.ts';

/** What a check asks a target for. */
export interface PodRequest {
  /** Names it in messages; unique in a run. */
  readonly name: string;
  /** False: a pod without a user namespace of its own, the control arm. */
  readonly userNamespace: boolean;
  /** The range; the target's own choice by default. Only with the ability `same-range`. */
  readonly range?: {readonly hostId: number; readonly size: number};
  readonly capabilities: 'default' | 'all';
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly readonly?: boolean;
    /** Shift its ids by the pod's map, as Kubernetes volumes are. */
    readonly idmapped?: boolean;
  }[];
  /** Paths on the host to be opened as the first program's streams; pipes or nothing by default. Only with the ability `stdio`. */
  readonly stdio?: {readonly stdin?: string; readonly stdout?: string};
}

export interface TargetProcess {
  readonly pid: number;
  readonly startTime: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A pod of a target, with a program in it that stays until it is removed. */
export interface TargetPod {
  readonly name: string;
  /** Its first program, as the host sees it. It is in the pod's user namespace, if there is one: that is what checks look at. */
  readonly init: TargetProcess;
  /** What the target says that it made; undefined where it does not say. What is so is read from /proc. */
  readonly declared: {
    readonly userNamespace?: boolean;
    readonly uids?: readonly IdMapping[];
    readonly gids?: readonly IdMapping[];
  };
  /** Runs a program inside as the target's users do (`crictl exec`, `runc exec`): its credentials are part of what is judged. */
  exec(
    argv: readonly string[],
    options?: {readonly uid?: number; readonly input?: string; readonly timeoutMs?: number},
  ): Promise<ExecResult>;
  /** Removes it and all that was made for it. Twice is fine. */
  remove(): Promise<void>;
}

/** A runtime under judgement. */
export interface Target {
  readonly description: TargetDescription;
  has(ability: Ability): boolean;
  /** Makes a pod. Errors: SUBROOT_TARGET_* with what the runtime said. */
  start(request: PodRequest): Promise<TargetPod>;
  /** Pods that were there before us and are judged as they are (`pid:PID`, `self`, pods named to `verify`); never removed by us. */
  readonly existing: readonly TargetPod[];
  /** Removes everything that this target made, also after an error. */
  close(): Promise<void>;
}
