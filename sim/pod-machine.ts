import type {BackOff, BackOffLimits} from './back-off.ts';
import {nextBackOff, restartableAt} from './back-off.ts';
import type {ProbeKind} from './life.ts';
import {probeKinds} from './life.ts';
import type {Pod, PodContainer} from './pod.ts';
import type {PodEvent} from './pod-events.ts';
import type {ContainerEnd, ContainerStateNow, ContainerStatusNow, PodStatus} from './pod-status.ts';
import {conditionsOf, phaseOf} from './pod-status.ts';
import type {ProbeResult, ProbeState} from './probe-state.ts';
import {beginProbe, endProbe, isProbeOpen, newProbeState} from './probe-state.ts';
import type {ContainerRole} from './restart-decision.ts';
import {roleOf, shouldRestart, shouldRestartAfterKill} from './restart-decision.ts';

/** What happened to a container. Moments in milliseconds since the epoch. */
export type Happening =
  | {readonly kind: 'started'; readonly name: string; readonly id: string; readonly at: number}
  | {
      readonly kind: 'startFailed';
      readonly name: string;
      readonly id?: string;
      readonly message: string;
      readonly at: number;
    }
  /** Its postStart hook is over, or it has none. */
  | {readonly kind: 'hooked'; readonly name: string; readonly id: string; readonly failure?: string}
  | {
      readonly kind: 'probed';
      readonly name: string;
      readonly id: string;
      readonly probe: ProbeKind;
      readonly result: ProbeResult;
      readonly output: string;
    }
  | {readonly kind: 'ended'; readonly name: string; readonly end: ContainerEnd};

/** What is to be done now. */
export type Task =
  | {readonly kind: 'start'; readonly container: PodContainer; readonly attempt: number}
  /** `grace` in seconds. */
  | {readonly kind: 'stop'; readonly container: PodContainer; readonly id: string; readonly grace: number}
  | {readonly kind: 'probe'; readonly container: PodContainer; readonly id: string; readonly probe: ProbeKind};

export interface Decision {
  readonly tasks: readonly Task[];
  /** When to decide again if nothing happens before; absent: only then. */
  readonly wakeAt?: number;
  /** The pod has ended, and nothing of it runs. */
  readonly isOver: boolean;
}

interface Member {
  readonly container: PodContainer;
  readonly role: ContainerRole;
  stage: 'waiting' | 'starting' | 'running' | 'stopping' | 'ended';
  /** Of the container that runs or ran last; -1 before the first. */
  attempt: number;
  id: string | undefined;
  startedAt: number;
  isHooked: boolean;
  probes: Partial<Record<ProbeKind, ProbeState>>;
  killedBy: 'probe' | 'hook' | 'end' | undefined;
  end: ContainerEnd | undefined;
  lastEnd: ContainerEnd | undefined;
  backOff: BackOff | undefined;
  /** That it waits has been told. */
  isWaitTold: boolean;
}

interface Ending {
  readonly reason?: string;
  readonly message?: string;
  /** Seconds for each container, instead of its pod's. */
  readonly grace?: number;
}

/** Seconds that a pod which is over a limit has. Source: kubernetes pkg/kubelet/eviction/eviction_manager.go, 1.36. */
const EVICTION_GRACE = 1;

/**
 * A pod's life as a kubelet leads it, without runtime, clock or waiting: `take` what happened, `decide` what is to be done, ask for the
 * `status`. Init containers run in order, each to its end; sidecars stay, are started again whatever the policy says, and go last, in
 * reverse order; probes, hooks, restart policies, back-off and the deadline are the kubelet's.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions, 1.36.
 */
export class PodMachine {
  readonly #pod: Pod;
  readonly #members: readonly Member[];
  readonly #limits: BackOffLimits;
  readonly #startedAt: number;
  #isInitialized = false;
  #ending: Ending | undefined;
  #events: PodEvent[] = [];

  constructor(pod: Pod, {limits, startedAt}: {readonly limits: BackOffLimits; readonly startedAt: number}) {
    this.#pod = pod;
    this.#limits = limits;
    this.#startedAt = startedAt;
    this.#members = [...pod.spec.initContainers, ...pod.spec.containers].map((container) => ({
      container,
      role: roleOf(pod, container),
      stage: 'waiting',
      attempt: -1,
      id: undefined,
      startedAt: 0,
      isHooked: false,
      probes: {},
      killedBy: undefined,
      end: undefined,
      lastEnd: undefined,
      backOff: undefined,
      isWaitTold: false,
    }));
  }

  /** Events since the last call. */
  takeEvents(): PodEvent[] {
    return this.#events.splice(0);
  }

  /** Ids of the containers that may end by themselves. */
  running(): readonly {readonly name: string; readonly id: string}[] {
    return this.#members.flatMap(({container, stage, id}) =>
      id !== undefined && (stage === 'running' || stage === 'stopping') ? [{name: container.name, id}] : [],
    );
  }

  /** Whether every container of `containers` has been started once and its hook is over. */
  get isStarted(): boolean {
    return this.#members.every(
      ({role, attempt, stage, isHooked}) =>
        role !== 'app' || attempt > 0 || stage === 'ended' || (attempt === 0 && isHooked),
    );
  }

  take(happening: Happening): void {
    const member = this.#members.find(({container}) => container.name === happening.name);
    if (!member) return;
    switch (happening.kind) {
      case 'started':
        this.#started(member, happening.id, happening.at);
        return;
      case 'startFailed': {
        const {id = '', at, message} = happening;
        this.#tell('Warning', 'Failed', message, member);
        const end = {
          id,
          attempt: member.attempt,
          exitCode: 128,
          reason: 'StartError',
          message,
          startedAt: 0,
          finishedAt: at,
        };
        this.#ended(member, end);
        return;
      }
      case 'hooked':
        if (member.id !== happening.id || member.stage !== 'running') return;
        member.isHooked = true;
        if (happening.failure !== undefined) {
          this.#tell('Warning', 'FailedPostStartHook', happening.failure, member);
          member.killedBy = 'hook';
        }
        return;
      case 'probed':
        this.#probed(member, happening);
        return;
      case 'ended':
        if (member.id === happening.end.id && member.stage !== 'ended') this.#ended(member, happening.end);
        return;
    }
  }

  /** Ends the pod because it is over a limit: it has failed, and nothing of it is started again. */
  evict(message: string): void {
    if (this.#ending) return;
    this.#events.push({type: 'Warning', reason: 'Evicted', message});
    this.#ending = {reason: 'Evicted', message, grace: EVICTION_GRACE};
  }

  #started(member: Member, id: string, at: number): void {
    const {container} = member;
    Object.assign(member, {stage: 'running', id, startedAt: at, isHooked: false});
    for (const kind of probeKinds) {
      const probe = container[`${kind}Probe`];
      if (probe) member.probes[kind] = newProbeState(kind, probe, at);
    }
    this.#tell('Normal', 'Started', `Started container ${container.name}`, member);
  }

  #ended(member: Member, end: ContainerEnd): void {
    Object.assign(member, {stage: 'ended', end, isHooked: false, isWaitTold: false});
    member.probes = {};
  }

  #probed(member: Member, {id, probe: kind, result, output}: Happening & {kind: 'probed'}): void {
    const [state, probe] = [member.probes[kind], member.container[`${kind}Probe`]];
    if (member.id !== id || !state || !probe) return;
    member.probes[kind] = endProbe(kind, probe, state, result);
    const word = `${kind[0]?.toUpperCase()}${kind.slice(1)} probe`;
    if (result === 'failure') this.#tell('Warning', 'Unhealthy', `${word} failed: ${output}`, member);
    if (result === 'unknown') this.#tell('Warning', 'ProbeWarning', `${word} errored: ${output}`, member);
  }

  #hasStarted({stage, isHooked, container, probes}: Member): boolean {
    if (stage !== 'running' || !isHooked) return false;
    return !container.startupProbe || probes.startup?.verdict === 'success';
  }

  #isReadyNow(member: Member): boolean {
    return (
      this.#hasStarted(member) && (!member.container.readinessProbe || member.probes.readiness?.verdict === 'success')
    );
  }

  #wantsRestart({container, role, end, killedBy}: Member): boolean {
    if (!end || this.#ending) return false;
    if (role === 'sidecar') return true;
    return killedBy === 'probe' || killedBy === 'hook'
      ? shouldRestartAfterKill(this.#pod, container)
      : shouldRestart(this.#pod, container, end.exitCode);
  }

  /** The end that the back-off counts from: a container that a probe had killed is first judged by the one before it, as a kubelet does. */
  #restartAt({end, lastEnd, killedBy, backOff}: Member): {at: number; since: number} {
    const finishedAt = end?.finishedAt ?? 0;
    const own = {at: restartableAt(backOff, finishedAt, this.#limits), since: finishedAt};
    if (killedBy !== 'probe') return own;
    const since = lastEnd?.finishedAt ?? finishedAt;
    const isFree = !lastEnd || restartableAt(backOff, since, this.#limits) <= finishedAt;
    return isFree ? {at: finishedAt, since} : own;
  }

  decide(now: number): Decision {
    const tasks: Task[] = [];
    const wakes: number[] = [];
    this.#checkDeadline(now, wakes);
    this.#initialize();
    if (!this.#ending && this.#hasFinished()) this.#ending = {};
    if (this.#ending) {
      tasks.push(...this.#endAll());
      const isOver = this.#members.every(({stage}) => stage === 'waiting' || stage === 'ended');
      return {tasks, isOver};
    }
    tasks.push(...this.#kills(), ...this.#starts(now, wakes), ...this.#looks(now, wakes));
    const wakeAt = Math.min(...wakes);
    return {tasks, isOver: false, ...(wakeAt !== Number.POSITIVE_INFINITY && {wakeAt})};
  }

  #checkDeadline(now: number, wakes: number[]): void {
    const {activeDeadlineSeconds} = this.#pod.spec;
    if (activeDeadlineSeconds === undefined || this.#ending) return;
    const at = this.#startedAt + activeDeadlineSeconds * 1000;
    if (now < at) {
      wakes.push(at);
      return;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#events.push({type: 'Normal', reason: 'DeadlineExceeded', message});
    this.#ending = {reason: 'DeadlineExceeded', message};
  }

  #initialize(): void {
    this.#isInitialized ||= this.#members.every((member) => member.role === 'app' || this.#isInitDone(member));
  }

  #isInitDone(member: Member): boolean {
    if (member.role === 'sidecar') return this.#hasStarted(member);
    return member.stage === 'ended' && member.end?.exitCode === 0;
  }

  /** True when nothing is left to run: an init container failed for good, or every app container has ended for good. */
  #hasFinished(): boolean {
    if (!this.#isInitialized)
      return this.#members.some(
        (member) =>
          member.role === 'init' &&
          member.stage === 'ended' &&
          !this.#isInitDone(member) &&
          !this.#wantsRestart(member),
      );
    return this.#members.every(
      (member) => member.role !== 'app' || (member.stage === 'ended' && !this.#wantsRestart(member)),
    );
  }

  /** Stops what runs: the others first and all at once, then the sidecars from the last to the first. */
  #endAll(): Task[] {
    const live = this.#members.filter(({stage}) => stage === 'running' || stage === 'stopping' || stage === 'starting');
    const others = live.filter(({role}) => role !== 'sidecar');
    const due = others.length > 0 ? others : live.slice(-1);
    const grace = this.#ending?.grace ?? this.#pod.spec.terminationGracePeriodSeconds;
    return due.flatMap((member) => this.#stop(member, 'end', grace));
  }

  #stop(member: Member, killedBy: Member['killedBy'], grace: number): Task[] {
    const {container, id, stage} = member;
    if (stage !== 'running' || id === undefined) return [];
    Object.assign(member, {stage: 'stopping', killedBy});
    return [{kind: 'stop', container, id, grace}];
  }

  #kills(): Task[] {
    const podGrace = this.#pod.spec.terminationGracePeriodSeconds;
    return this.#members.flatMap((member) => {
      if (member.stage !== 'running') return [];
      if (member.killedBy === 'hook') return this.#stop(member, 'hook', podGrace);
      const failed = (['liveness', 'startup'] as const).find((kind) => member.probes[kind]?.verdict === 'failure');
      if (failed === undefined) return [];
      const again = shouldRestartAfterKill(this.#pod, member.container) || member.role === 'sidecar';
      const message = `Container ${member.container.name} failed ${failed} probe${again ? ', will be restarted' : ''}`;
      this.#tell('Normal', 'Killing', message, member);
      const grace = member.container[`${failed}Probe`]?.terminationGracePeriodSeconds ?? podGrace;
      return this.#stop(member, 'probe', grace);
    });
  }

  /** One container at a time, as a kubelet does: the next waits for the hook of the one before. */
  #starts(now: number, wakes: number[]): Task[] {
    const isBusy = this.#members.some(
      ({stage, isHooked}) => stage === 'starting' || (stage === 'running' && !isHooked),
    );
    for (const member of this.#eligible()) {
      if (member.stage === 'waiting') return isBusy ? [] : [this.#start(member)];
      if (member.stage !== 'ended' || !this.#wantsRestart(member)) continue;
      const {at, since} = this.#restartAt(member);
      if (now < at) {
        wakes.push(at);
        this.#tellWait(member);
      } else if (!isBusy) {
        member.backOff = nextBackOff(member.backOff, since, now, this.#limits);
        return [this.#start(member)];
      }
    }
    return [];
  }

  #tellWait(member: Member): void {
    if (member.isWaitTold) return;
    member.isWaitTold = true;
    const {name, namespace, uid} = this.#pod.metadata;
    const where = `container ${member.container.name} in pod ${name}_${namespace}(${uid})`;
    this.#tell('Warning', 'BackOff', `Back-off restarting failed ${where}`, member);
  }

  /** Whose turn it is: sidecars that were started, and the first init container that is not done, or else everything. */
  #eligible(): Member[] {
    const inits = this.#members.filter(({role}) => role !== 'app');
    const sidecars = inits.filter(({role, attempt}) => role === 'sidecar' && attempt >= 0);
    if (this.#isInitialized) return [...sidecars, ...this.#members.filter(({role}) => role === 'app')];
    const next = inits.find((member) => !this.#isInitDone(member));
    return next ? [...sidecars.filter((member) => member !== next), next] : sidecars;
  }

  #start(member: Member): Task {
    if (member.end) member.lastEnd = member.end;
    Object.assign(member, {stage: 'starting', end: undefined, id: undefined, killedBy: undefined, isHooked: false});
    member.attempt += 1;
    return {kind: 'start', container: member.container, attempt: member.attempt};
  }

  #looks(now: number, wakes: number[]): Task[] {
    return this.#members.flatMap((member) => {
      const {container, id, stage, isHooked} = member;
      if (stage !== 'running' || !isHooked || id === undefined) return [];
      return probeKinds.flatMap((kind): Task[] => {
        const [state, probe] = [member.probes[kind], container[`${kind}Probe`]];
        if (!state || !probe || !isProbeOpen(kind, state, this.#hasStarted(member))) return [];
        if (now < state.nextAt) {
          wakes.push(state.nextAt);
          return [];
        }
        member.probes[kind] = beginProbe(probe, state, now);
        wakes.push(now + probe.periodSeconds * 1000);
        return [{kind: 'probe', container, id, probe: kind}];
      });
    });
  }

  #tell(type: PodEvent['type'], reason: string, message: string, member: Member): void {
    this.#events.push({type, reason, message, container: member.container.name});
  }

  status(now: number): PodStatus {
    const containers = this.#members.map((member) => this.#statusOf(member, now));
    const {reason, message} = this.#ending ?? {};
    const phase = reason === undefined ? phaseOf(this.#pod, containers) : 'Failed';
    return {
      phase,
      ...(reason !== undefined && {reason}),
      ...(message !== undefined && {message}),
      conditions: conditionsOf(phase, containers),
      containers,
    };
  }

  #statusOf(member: Member, now: number): ContainerStatusNow {
    const {container, role, id, attempt, end, lastEnd} = member;
    const wantsRestart = member.stage === 'ended' && this.#wantsRestart(member);
    const last = wantsRestart ? end : lastEnd;
    return {
      name: container.name,
      role,
      ...(id !== undefined && {id}),
      state: this.#stateOf(member, wantsRestart, now),
      ...(last && {lastState: last}),
      ready: role === 'init' ? member.stage === 'ended' && end?.exitCode === 0 : this.#isReadyNow(member),
      started: this.#hasStarted(member),
      restartCount: Math.max(0, attempt),
    };
  }

  #stateOf(member: Member, wantsRestart: boolean, now: number): ContainerStateNow {
    const {container, role, stage, startedAt, end} = member;
    switch (stage) {
      case 'waiting': {
        const isNext = role === 'app' ? this.#isInitialized : this.#eligible().includes(member);
        return {kind: 'waiting', reason: isNext ? 'ContainerCreating' : 'PodInitializing'};
      }
      case 'starting':
        return {kind: 'waiting', reason: 'ContainerCreating'};
      case 'running':
      case 'stopping':
        return {kind: 'running', startedAt};
      case 'ended': {
        if (!wantsRestart && end) return {kind: 'terminated', ...end};
        const delay = Math.round((this.#restartAt(member).at - (end?.finishedAt ?? now)) / 1000);
        const {name, namespace, uid} = this.#pod.metadata;
        const message = `back-off ${delay}s restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`;
        return {kind: 'waiting', reason: 'CrashLoopBackOff', message};
      }
    }
  }
}
