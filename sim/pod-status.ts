import type {Pod} from './pod.ts';
import type {ContainerRole} from './restart-decision.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** How a container ended. Moments in milliseconds since the epoch, 0 when it never ran. */
export interface ContainerEnd {
  readonly id: string;
  readonly attempt: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `StartError`, … */
  readonly reason: string;
  readonly message: string;
  readonly startedAt: number;
  readonly finishedAt: number;
}

export type ContainerStateNow =
  | {readonly kind: 'waiting'; readonly reason: string; readonly message?: string}
  | {readonly kind: 'running'; readonly startedAt: number}
  | ({readonly kind: 'terminated'} & ContainerEnd);

/** A container as `status.containerStatuses` of a pod shows it. */
export interface ContainerStatusNow {
  readonly name: string;
  readonly role: ContainerRole;
  /** Of the one that runs or ran last. */
  readonly id?: string;
  readonly state: ContainerStateNow;
  readonly lastState?: ContainerEnd;
  readonly ready: boolean;
  /** Its startup probe has succeeded, or it has none and runs. */
  readonly started: boolean;
  readonly restartCount: number;
}

export interface PodCondition {
  readonly type: 'Initialized' | 'ContainersReady' | 'Ready';
  readonly status: boolean;
  readonly reason?: string;
  readonly message?: string;
}

/** The status of a pod, as far as its containers say it. */
export interface PodStatus {
  readonly phase: PodPhase;
  /** `DeadlineExceeded`, … */
  readonly reason?: string;
  readonly message?: string;
  readonly conditions: readonly PodCondition[];
  /** In the order of the spec: init containers, then containers. */
  readonly containers: readonly ContainerStatusNow[];
}

/**
 * The phase of a pod from the states of its containers, where one that waits to be started again has a `lastState`.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go getPhase, 1.36.
 */
export function phaseOf(pod: Pod, containers: readonly ContainerStatusNow[]): PodPhase {
  const {restartPolicy} = pod.spec;
  const inits = containers.filter(({role}) => role === 'init');
  const failed = inits.some(({state}) => state.kind === 'terminated' && state.exitCode !== 0);
  if (failed && restartPolicy === 'Never') return 'Failed';
  const isDone = ({role, state, started}: ContainerStatusNow) =>
    role === 'init'
      ? state.kind === 'terminated' && state.exitCode === 0
      : role === 'app' || started || state.kind === 'terminated';
  if (!containers.every(isDone)) {
    // A sidecar that is being started again does not make a pod that ran a new one.
    const hasRun = containers.some(
      ({role, state, lastState}) => role === 'app' && (state.kind !== 'waiting' || lastState),
    );
    if (!hasRun) return 'Pending';
  }
  const apps = containers.filter(({role}) => role === 'app');
  if (apps.some(({state, lastState}) => state.kind === 'waiting' && !lastState)) return 'Pending';
  if (apps.some(({state}) => state.kind === 'running')) return 'Running';
  // Ended, and to be started again.
  if (apps.some(({state}) => state.kind === 'waiting')) return 'Running';
  return apps.every(({state}) => state.kind === 'terminated' && state.exitCode === 0) ? 'Succeeded' : 'Failed';
}

/** Source: kubernetes pkg/kubelet/status/generate.go GenerateContainersReadyCondition, GeneratePodInitializedCondition, 1.36. */
export function conditionsOf(phase: PodPhase, containers: readonly ContainerStatusNow[]): PodCondition[] {
  if (phase === 'Succeeded') {
    const done = {status: false, reason: 'PodCompleted'};
    return [
      {type: 'Initialized', status: true, reason: 'PodCompleted'},
      {type: 'ContainersReady', ...done},
      {type: 'Ready', ...done},
    ];
  }
  const pending = containers
    .filter(({role, state, started}) =>
      role === 'init' ? !(state.kind === 'terminated' && state.exitCode === 0) : role === 'sidecar' && !started,
    )
    .map(({name}) => name);
  const hasRun = containers.some(
    ({role, state, lastState}) => role === 'app' && (state.kind !== 'waiting' || lastState),
  );
  const unready = containers.filter(({role, ready}) => role !== 'init' && !ready).map(({name}) => name);
  const readiness =
    phase === 'Failed'
      ? {status: false, reason: 'PodFailed'}
      : unready.length > 0
        ? {
            status: false,
            reason: 'ContainersNotReady',
            message: `containers with unready status: [${unready.join(' ')}]`,
          }
        : {status: true};
  return [
    pending.length === 0 || hasRun
      ? {type: 'Initialized', status: true}
      : {
          type: 'Initialized',
          status: false,
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${pending.join(' ')}]`,
        },
    {type: 'ContainersReady', ...readiness},
    {type: 'Ready', ...readiness},
  ];
}

/** Whether all of the pod's containers that stay are ready. */
export function isReady(status: PodStatus): boolean {
  return status.conditions.some(({type, status: holds}) => type === 'Ready' && holds);
}

/**
 * The word of kubectl's STATUS column: the phase, or the reason why a container waits or ended.
 * Source: kubernetes pkg/printers/internalversion/printers.go printPod, 1.36.
 */
export function statusWord({phase, reason, conditions, containers}: PodStatus): string {
  if (reason !== undefined) return reason;
  const isInitialized = conditions.some(({type, status}) => type === 'Initialized' && status);
  const inits = isInitialized ? [] : containers.filter(({role}) => role !== 'app');
  for (const [i, {role, state, started}] of inits.entries()) {
    if (role === 'sidecar' ? started : state.kind === 'terminated' && state.exitCode === 0) continue;
    if (state.kind === 'terminated') return `Init:${state.reason}`;
    if (state.kind === 'waiting' && state.reason !== 'PodInitializing') return `Init:${state.reason}`;
    if (phase === 'Pending') return `Init:${i}/${inits.length}`;
  }
  const apps = containers.filter(({role}) => role === 'app');
  const waiting = apps.find(({state}) => state.kind === 'waiting');
  if (waiting?.state.kind === 'waiting') return waiting.state.reason;
  if (apps.some(({state}) => state.kind === 'running')) return 'Running';
  const ended = apps.flatMap(({state}) => (state.kind === 'terminated' ? [state] : []));
  return ended.find(({exitCode}) => exitCode !== 0)?.reason ?? ended[0]?.reason ?? phase;
}
