import type {Clock} from '../../sim/index.ts';

interface Timer {
  readonly at: number;
  readonly resolve: () => void;
}

/** A clock that stands still unless it is told to go on. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const timer: Timer = {at: this.#now + ms, resolve};
      this.#timers.add(timer);
      signal?.addEventListener('abort', () => {
        this.#timers.delete(timer);
        resolve();
      });
    });
  }

  /** Resolves when somebody waits: what comes before that may take real time, such as the loading of a module. */
  async untilAwaited(): Promise<void> {
    while (this.#timers.size === 0) await settle();
  }

  /** Goes on by that much, timer by timer, and lets everything that follows from each be done. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.resolve();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets all promises that can be settled without time be settled. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
