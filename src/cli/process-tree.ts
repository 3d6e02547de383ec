import {readFileSync} from 'node:fs';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';

interface Identity {
  readonly pid: number;
  readonly startTime: string;
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * The processes below a helper of ours, remembered: who loses its parent belongs to the pod's pid 1 from then on, and could not be
 * found again. Source: proc_pid_task(5), children.
 */
export class ProcessTree {
  readonly #root: number;
  readonly #known = new Map<number, Identity>();

  constructor(root: number) {
    this.#root = root;
  }

  /** Looks again. */
  watch(): void {
    const open = [this.#root];
    for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
      for (const child of childrenOf(pid)) {
        const startTime = startTimeOf(child);
        if (startTime !== undefined) this.#known.set(child, {pid: child, startTime});
        open.push(child);
      }
    }
  }

  /** Kills all that were seen and still live, and what they have started meanwhile; the root is not among them. */
  kill(): void {
    this.watch();
    for (const identity of this.#known.values()) {
      if (!isProcessAlive(identity)) continue;
      try {
        process.kill(identity.pid, 'SIGKILL');
      } catch {
        // It went by itself, or it has become somebody whom we may not kill.
      }
    }
  }
}
