import {setTimeout as sleep} from 'node:timers/promises';

/** Time as a pod's life knows it; tests bring their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after that many milliseconds, or when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(Math.max(0, ms), undefined, signal ? {signal} : {}).catch(() => undefined),
};
