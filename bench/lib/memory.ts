import {readdirSync, readFileSync, statSync} from 'node:fs';

export interface Memory {
  /** Estimate of what could be given to a new program, and what nobody uses at all. */
  readonly available: number;
  readonly free: number;
  /** Slabs that cannot be reclaimed, kernel stacks, page tables, per-CPU memory. */
  readonly kernel: number;
}

/** Kilobytes, from /proc/meminfo. */
export function readMemory(): Memory {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    available: field('MemAvailable'),
    free: field('MemFree'),
    kernel: field('SUnreclaim') + field('KernelStack') + field('PageTables') + field('Percpu'),
  };
}

/** Processes whose owner is an id of a pod: from 65536 on, as all blocks are. */
export function podPids(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const owner = /^\d+$/.test(name) ? (statSync(`/proc/${name}`, {throwIfNoEntry: false})?.uid ?? 0) : 0;
    return owner >= 65_536 ? [Number(name)] : [];
  });
}

/** Kilobytes of a process's own share, 0 when it is gone. */
export function pssOf(pid: number): number {
  try {
    return Number(/^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
