import {type EventHandler, exceededLimit, type LimitedVolume, limitedVolumes, type Pod} from '../../sim/index.ts';
import type {NodeVolumeHost} from './volume-host.ts';

/** Milliseconds between two looks, as a kubelet has it. Source: kubernetes pkg/kubelet/kubelet.go evictionMonitoringPeriod, 1.36. */
const PERIOD_MS = 10_000;

interface Watched {
  readonly volumes: readonly LimitedVolume[];
  readonly evict: (message: string) => Promise<void>;
  readonly onEvent: EventHandler | undefined;
}

/**
 * Holds pods to the limits of their emptyDirs on disk by looking, as a kubelet does: a pod that is over one is told as `Evicted` and
 * stopped at once. Only while this process lives, and only for pods that it started.
 */
export class VolumeWatch {
  readonly #host: NodeVolumeHost;
  readonly #periodMs: number;
  readonly #pods = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(host: NodeVolumeHost, periodMs: number | undefined) {
    this.#host = host;
    this.#periodMs = periodMs ?? PERIOD_MS;
  }

  /** Watches a pod that has limits; does nothing for another. `evict` tells the message and stops the pod. */
  add(pod: Pod, podDir: string, evict: (message: string) => Promise<void>, onEvent?: EventHandler): void {
    const volumes = limitedVolumes(pod, podDir);
    if (volumes.length === 0) return;
    this.#pods.set(pod.metadata.uid, {volumes, evict, onEvent});
    this.#timer ??= setInterval(() => void this.#look(), this.#periodMs);
    // Nobody waits for a limit.
    this.#timer.unref();
  }

  delete(uid: string): void {
    this.#pods.delete(uid);
    if (this.#pods.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Watches nothing any more. */
  clear(): void {
    for (const uid of [...this.#pods.keys()]) this.delete(uid);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const [uid, {volumes, evict, onEvent}] of [...this.#pods]) {
      try {
        const message = await exceededLimit(volumes, this.#host);
        if (message === undefined || !this.#pods.has(uid)) continue;
        this.delete(uid);
        await evict(message);
      } catch (error) {
        // A pod that is being removed has no volumes any more.
        if (!this.#pods.has(uid) || (error as {errno?: unknown}).errno === 'ENOENT') continue;
        const why = error instanceof Error ? error.message : String(error);
        onEvent?.({
          type: 'Warning',
          reason: 'VolumeStatsFailed',
          message: `What its emptyDirs take cannot be seen: ${why}`,
        });
      }
    }
    this.#isLooking = false;
  }
}
