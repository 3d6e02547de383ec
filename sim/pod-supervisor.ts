import type {ContainerConfig, ContainerStatus, PodSandboxConfig, RuntimeService} from '../native-free/cri.ts';
import {SubrootError, subrootError} from '../native-free/errors.ts';
import type {BackOffLimits} from './back-off.ts';
import {kubeletBackOff} from './back-off.ts';
import type {Clock} from './clock.ts';
import {systemClock} from './clock.ts';
import type {HandlerContext, PodNetwork} from './handlers.ts';
import {runHook, runProbe} from './handlers.ts';
import type {Pod, PodContainer} from './pod.ts';
import type {EventHandler} from './pod-events.ts';
import type {Happening, Task} from './pod-machine.ts';
import {PodMachine} from './pod-machine.ts';
import type {ContainerEnd, PodStatus} from './pod-status.ts';
import {stopGracefully} from './stop-container.ts';

/** How a pod is looked after. */
export interface SuperviseOptions {
  /** The waits between restarts; the kubelet's by default (10 s, doubled, at most 5 min). */
  readonly backOff?: Partial<BackOffLimits>;
  readonly clock?: Clock;
  /** Milliseconds between looks at the runtime; 100 by default (a kubelet looks once a second). */
  readonly pollMs?: number;
  readonly onEvent?: EventHandler;
  /** Told when the status has changed. */
  readonly onStatus?: (status: PodStatus, podSandboxId: string) => void;
  /** Told of every container that was started, before its hook. */
  readonly onStarted?: (container: {readonly name: string; readonly id: string; readonly attempt: number}) => void;
}

export interface SupervisorParts {
  readonly runtime: RuntimeService;
  readonly network: PodNetwork;
  readonly pod: Pod;
  readonly podSandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly configOf: (container: PodContainer, attempt: number) => ContainerConfig;
  /** True once somebody else stops or removes the pod: what ends then is not started again. */
  readonly isStopping?: () => boolean;
  /** What a container that has ended left for its status, beside what the runtime says. */
  readonly messageOf?: (status: ContainerStatus) => string;
  /** Only to get the pod up: a hook that fails ends that, and nothing is started twice. */
  readonly isStartOnly?: boolean;
  /** Removes the log of a container that was removed. */
  readonly removeLog?: (path: string) => void;
}

/** How supervision came to its end: the pod ended by itself, somebody stopped or removed it, or supervision was given up. */
export type SupervisionEnd = 'ended' | 'stopped' | 'released';

/**
 * Leads one pod's life on a runtime, from its sandbox on: starts the containers, looks at probes, starts again what ends, and ends when
 * the pod has. What is to be done is PodMachine's to say; this does it, one loop for each pod.
 */
export class PodSupervisor {
  readonly #parts: SupervisorParts;
  readonly #options: SuperviseOptions;
  readonly #clock: Clock;
  readonly #machine: PodMachine;
  readonly #work = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  /** Ids of the containers that were made and not removed, by name, oldest first. */
  readonly #made = new Map<string, string[]>();
  #wake: () => void = () => undefined;
  #isAwake = false;
  #end: SupervisionEnd | undefined;
  #fatal: unknown;
  #published = '';
  #isUp = false;
  /** Somebody stops the pod: its containers are seen to their end, and nothing is done. */
  #isYielding = false;
  #settleUp: {resolve: () => void; reject: (error: unknown) => void} = {
    resolve: () => undefined,
    reject: () => undefined,
  };
  /** Resolves when every container has been started once; rejects with what forbids that: then nothing is looked after any more. */
  readonly up: Promise<void>;
  /** Resolves when there is nothing more to look after; the containers of a pod that was released go on. */
  readonly ended: Promise<{readonly status: PodStatus; readonly end: SupervisionEnd}>;

  constructor(parts: SupervisorParts, options: SuperviseOptions = {}) {
    this.#parts = parts;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const limits = {...kubeletBackOff, ...options.backOff};
    const {pod, isStartOnly} = parts;
    const led: Pod = isStartOnly ? {...pod, spec: {...pod.spec, restartPolicy: 'Never'}} : pod;
    this.#machine = new PodMachine(led, {limits, startedAt: this.#clock.now()});
    this.up = new Promise((resolve, reject) => {
      this.#settleUp = {resolve, reject};
    });
    this.up.catch(() => undefined);
    this.ended = this.#run();
    this.ended.catch(() => undefined);
  }

  get status(): PodStatus {
    return this.#machine.status(this.#clock.now());
  }

  /** The newest container of each name that was made. */
  get containers(): readonly {readonly name: string; readonly id: string}[] {
    return [...this.#made].flatMap(([name, made]) => made.slice(-1).map((id) => ({name, id})));
  }

  /** Stops looking: probes and hooks under way are cut, containers stay as they are. */
  async release(): Promise<void> {
    this.#finish('released');
    await this.ended.catch(() => undefined);
  }

  /** Ends the pod because it is over a limit, in the words that its status and its event have. */
  evict(message: string): void {
    this.#machine.evict(message);
    this.#nudge();
  }

  #finish(end: SupervisionEnd): void {
    this.#end ??= end;
    this.#abort.abort();
    this.#nudge();
  }

  #nudge(): void {
    this.#isAwake = true;
    this.#wake();
  }

  #take(happening: Happening): void {
    this.#machine.take(happening);
    this.#nudge();
  }

  async #run(): Promise<{status: PodStatus; end: SupervisionEnd}> {
    // Whoever made us gets to know us before the first event.
    await Promise.resolve();
    try {
      while (this.#end === undefined) {
        const decision = this.#isYielding ? undefined : this.#machine.decide(this.#clock.now());
        this.#publish();
        for (const task of decision?.tasks ?? []) this.#spawn(task);
        if (decision?.isOver) this.#finish('ended');
        else await this.#pause(decision?.wakeAt);
        if (this.#end === undefined) await this.#look();
      }
    } catch (error) {
      this.#fatal ??= error;
      this.#finish('released');
    }
    await Promise.allSettled(this.#work);
    this.#publish();
    if (!this.#isUp) {
      const details = {pod: this.#parts.pod.metadata.name, phase: this.status.reason ?? this.status.phase};
      this.#settleUp.reject(this.#fatal ?? subrootError('SUBROOT_POD_ENDED', details));
    }
    if (this.#fatal !== undefined) throw this.#fatal;
    return {status: this.status, end: this.#end ?? 'ended'};
  }

  #publish(): void {
    for (const event of this.#machine.takeEvents()) this.#options.onEvent?.(event);
    const {status} = this;
    const text = JSON.stringify(status);
    if (text !== this.#published) this.#options.onStatus?.(status, this.#parts.podSandboxId);
    this.#published = text;
    if (this.#isUp || !this.#machine.isStarted) return;
    this.#isUp = true;
    this.#settleUp.resolve();
  }

  async #pause(wakeAt: number | undefined): Promise<void> {
    if (this.#isAwake) {
      this.#isAwake = false;
      return;
    }
    const cut = new AbortController();
    this.#wake = () => cut.abort();
    const pollMs = this.#options.pollMs ?? 100;
    const ms = wakeAt === undefined ? pollMs : Math.min(pollMs, Math.max(0, wakeAt - this.#clock.now()));
    await this.#clock.wait(ms, cut.signal);
    cut.abort();
    this.#wake = () => undefined;
    this.#isAwake = false;
  }

  /** Asks the runtime what has ended. */
  async #look(): Promise<void> {
    const {runtime, podSandboxId} = this.#parts;
    const ends: Happening[] = [];
    for (const {name, id} of this.#machine.running()) {
      const status = await orMissing(runtime.containerStatus({containerId: id}));
      if (status === undefined) ends.push({kind: 'ended', name, end: this.#lostEnd(id)});
      else if (status.status.state === 'CONTAINER_EXITED')
        ends.push({kind: 'ended', name, end: this.#endOf(status.status)});
    }
    const sandbox = await orMissing(runtime.podSandboxStatus({podSandboxId}));
    for (const end of ends) this.#machine.take(end);
    // After the containers were looked at: what somebody stops ends after he said so.
    this.#isYielding ||= this.#parts.isStopping?.() ?? false;
    const hasEnded = this.#isYielding && this.#machine.running().length === 0;
    if (hasEnded || sandbox?.status.state !== 'SANDBOX_READY') this.#finish('stopped');
  }

  #endOf(status: ContainerStatus): ContainerEnd {
    const message = this.#parts.messageOf?.(status) ?? '';
    return {
      id: status.id,
      attempt: status.metadata.attempt,
      exitCode: status.exitCode,
      reason: status.reason,
      message: [status.message, message].filter(Boolean).join('\n'),
      startedAt: Number(status.startedAt / 1_000_000n),
      // As we see it, so that one clock counts; the runtime's own is in its status.
      finishedAt: this.#clock.now(),
    };
  }

  /** A container that somebody removed. */
  #lostEnd(id: string): ContainerEnd {
    const now = this.#clock.now();
    const message = 'The container could not be located when the pod was looked at';
    return {id, attempt: 0, exitCode: 137, reason: 'ContainerStatusUnknown', message, startedAt: 0, finishedAt: now};
  }

  #spawn(task: Task): void {
    const work = this.#do(task).catch((error: unknown) => {
      if (this.#end !== undefined) return;
      this.#fatal ??= error;
      this.#finish('released');
    });
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  async #do(task: Task): Promise<void> {
    const {container} = task;
    switch (task.kind) {
      case 'start':
        await this.#start(container, task.attempt);
        return;
      case 'stop': {
        const {preStop, ports, name} = container;
        const {network, runtime} = this.#parts;
        const failure = await stopGracefully(
          {runtime, network, clock: this.#clock},
          task.id,
          {ports, grace: task.grace, ...(preStop?.handler && {preStop: preStop.handler})},
          this.#abort.signal,
        );
        if (failure !== undefined)
          this.#options.onEvent?.({
            type: 'Warning',
            reason: 'FailedPreStopHook',
            message: `PreStopHook failed: ${failure}`,
            container: name,
          });
        this.#nudge();
        return;
      }
      case 'probe': {
        const probe = container[`${task.probe}Probe`];
        if (!probe?.handler) return;
        const outcome = await runProbe(probe.handler, probe.timeoutSeconds, this.#contextOf(container, task.id));
        this.#take({kind: 'probed', name: container.name, id: task.id, probe: task.probe, ...outcome});
        return;
      }
    }
  }

  #contextOf({ports}: PodContainer, containerId: string): HandlerContext {
    const {runtime, network} = this.#parts;
    return {runtime, network, clock: this.#clock, containerId, ports, signal: this.#abort.signal};
  }

  async #start(container: PodContainer, attempt: number): Promise<void> {
    const {runtime, podSandboxId, sandboxConfig, configOf} = this.#parts;
    const {name} = container;
    const call = {signal: this.#abort.signal};
    let id: string | undefined;
    try {
      const config = configOf(container, attempt);
      ({containerId: id} = await runtime.createContainer({podSandboxId, config, sandboxConfig}, call));
      this.#remember(name, id);
      await runtime.startContainer({containerId: id}, call);
    } catch (error) {
      // What never could run is a mistake of its manifest, told at once instead of tried for ever.
      if (attempt === 0) throw error;
      const message = error instanceof SubrootError ? error.shortMessage : String(error);
      await this.#prune(name);
      this.#take({kind: 'startFailed', name, message, at: this.#clock.now(), ...(id !== undefined && {id})});
      return;
    }
    this.#take({kind: 'started', name, id, at: this.#clock.now()});
    this.#options.onStarted?.({name, id, attempt});
    await this.#prune(name);
    const hook = container.postStart?.handler;
    const failure = hook && (await runHook(hook, this.#contextOf(container, id)));
    if (failure !== undefined && this.#parts.isStartOnly)
      throw subrootError('SUBROOT_POST_START_FAILED', {
        pod: this.#parts.pod.metadata.name,
        container: name,
        why: failure,
      });
    this.#take({
      ...{kind: 'hooked', name, id},
      ...(failure !== undefined && {failure: `PostStartHook failed: ${failure}`}),
    });
  }

  #remember(name: string, id: string): void {
    const made = this.#made.get(name) ?? [];
    made.push(id);
    this.#made.set(name, made);
  }

  /** Of the containers of one name that have ended only the last stays, with its log, as a kubelet keeps them. */
  async #prune(name: string): Promise<void> {
    const made = this.#made.get(name) ?? [];
    while (made.length > 2) {
      const [id = ''] = made;
      const status = await orMissing(this.#parts.runtime.containerStatus({containerId: id}));
      await this.#parts.runtime.removeContainer({containerId: id});
      if (status) this.#parts.removeLog?.(status.status.logPath);
      made.shift();
    }
  }
}

/** Undefined where the runtime knows of none. */
async function orMissing<Result>(answer: Promise<Result>): Promise<Result | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof SubrootError && error.grpc === 'NOT_FOUND') return undefined;
    throw error;
  }
}
