import {setTimeout as sleep} from 'node:timers/promises';
import {subrootError} from '../../native-free/errors.ts';
import {type Clock, isReady, type PodStatus, type PodSupervisor, type SupervisionEnd} from '../../sim/index.ts';
import type {Agent} from '../host/agent.ts';

/** This machine's time; a pod that is looked after does not keep our process from ending, as no bound pod does. */
export const idleClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) =>
    sleep(Math.max(0, ms), undefined, {ref: false, ...(signal ? {signal} : {})}).catch(() => undefined),
};

/** Who wants to know of every status. */
export class StatusListeners {
  readonly #listeners = new Set<(status: PodStatus) => void>();

  add(listener: (status: PodStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readonly tell = (status: PodStatus): void => {
    for (const listener of [...this.#listeners]) listener(status);
  };
}

/**
 * A pod's life as a kubelet leads it, in this process: its probes are looked at, its containers started again, until the pod ends or is
 * stopped, or supervision is released. `runPod(…, {supervise: true})` begins it.
 */
export class Supervision {
  readonly #name: string;
  readonly #supervisor: PodSupervisor;
  readonly #listeners: StatusListeners;
  readonly #agent: Pick<Agent, 'await'>;

  /** @internal */
  constructor(parts: {
    name: string;
    supervisor: PodSupervisor;
    listeners: StatusListeners;
    agent: Pick<Agent, 'await'>;
  }) {
    this.#name = parts.name;
    this.#supervisor = parts.supervisor;
    this.#listeners = parts.listeners;
    this.#agent = parts.agent;
  }

  /** The pod's status now: phase, conditions, and for each container its state, restarts and readiness. */
  get status(): PodStatus {
    return this.#supervisor.status;
  }

  /**
   * Resolves with the first status that passes the test, at once when it does already.
   * Errors: SUBROOT_POD_ENDED when none can come any more, SUBROOT_CANCELLED.
   */
  async until(test: (status: PodStatus) => boolean, options: {readonly signal?: AbortSignal} = {}): Promise<PodStatus> {
    const {signal} = options;
    let forget = () => {};
    const passed = new Promise<PodStatus>((resolve, reject) => {
      const look = (status: PodStatus) => test(status) && resolve(status);
      const cancel = () =>
        reject(subrootError('SUBROOT_CANCELLED', {what: `waiting for pod ${this.#name}`}, signal?.reason));
      const removeListener = this.#listeners.add(look);
      signal?.addEventListener('abort', cancel, {once: true});
      forget = () => {
        removeListener();
        signal?.removeEventListener('abort', cancel);
      };
      if (signal?.aborted) cancel();
      look(this.status);
    });
    const ended = this.#supervisor.ended.then(({status}) => {
      if (test(status)) return status;
      throw subrootError('SUBROOT_POD_ENDED', {pod: this.#name, phase: status.phase});
    });
    try {
      return await this.#agent.await(Promise.race([passed, ended]));
    } finally {
      forget();
    }
  }

  /** Resolves when all containers that stay are ready. Errors: as `until`. */
  async untilReady(options: {readonly signal?: AbortSignal} = {}): Promise<PodStatus> {
    return await this.until(isReady, options);
  }

  /** Resolves when the pod has ended, was stopped or removed, or was released; rejects when the runtime failed. */
  async untilEnd(): Promise<{readonly status: PodStatus; readonly end: SupervisionEnd}> {
    return await this.#agent.await(this.#supervisor.ended);
  }

  /** @internal Ends the pod because it is over a limit. */
  evict(message: string): void {
    this.#supervisor.evict(message);
  }

  /** Ends the supervision and leaves the pod as it is: from then on nobody starts anything again. */
  async release(): Promise<void> {
    await this.#supervisor.release();
  }
}
