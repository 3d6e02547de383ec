import {readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

/** One measured figure: a line of `--json`, a row of the table in docs/performance.md. */
export interface Row {
  readonly bench: string;
  readonly case: string;
  readonly n: number;
  readonly p50: number;
  /** For rates the slowest round, for counts and sizes the same as p50. */
  readonly p99: number;
  readonly unit: 'ns' | 'us' | 'ms' | 's' | 'pods/s' | 'MB' | 'kB';
  /** Whose p50 `ratio` divides by, measured in the same run. */
  readonly peer?: string;
  /** This row's p50 over the peer's: below 1 is better for times and sizes, above 1 for rates. */
  readonly ratio?: number;
}

export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function cpuTicks(): {busy: number; all: number} {
  const fields = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? '').split(' ').map(Number);
  const all = fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  return {busy: all - (fields[3] ?? 0) - (fields[4] ?? 0), all};
}

let missedWindows = 0;
/** How often nobody left the machine alone for long enough, and the run was timed all the same. */
export function quietMisses(): number {
  return missedWindows;
}

/** Waits until the machine was at most 15 % busy for 40 ms; gives up after 200 ms, since a busy machine must not stop the bench. */
export async function quietWindow(): Promise<void> {
  const end = performance.now() + 200;
  while (performance.now() < end) {
    const before = cpuTicks();
    await sleep(40);
    const after = cpuTicks();
    if (after.all > before.all && (after.busy - before.busy) / (after.all - before.all) <= 0.15) return;
  }
  missedWindows += 1;
}

/** One thing to time. `before` and `after` are not timed; `undo` is timed apart when there is one. */
export interface Case {
  readonly name: string;
  readonly before?: (index: number) => unknown;
  readonly run: (index: number) => unknown;
  readonly undo?: (index: number) => unknown;
  readonly after?: (index: number) => unknown;
}

export interface Samples {
  readonly run: number[];
  readonly undo: number[];
}

async function timed(work: ((index: number) => unknown) | undefined, index: number, into: number[]): Promise<void> {
  if (work === undefined) return;
  const start = performance.now();
  await work(index);
  into.push(performance.now() - start);
}

/** Times all cases A B C …, B C A …, each in a quiet window, so that the drift of the machine is the same for all of them. */
export async function interleave(cases: readonly Case[], rounds: number): Promise<Map<string, Samples>> {
  const samples = new Map(cases.map(({name}) => [name, {run: [], undo: []} as Samples]));
  const warmUp = 2;
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const entry = cases[(i + round + warmUp) % cases.length];
      if (entry === undefined) continue;
      const into = round < 0 ? {run: [], undo: []} : samples.get(entry.name);
      if (into === undefined) continue;
      await entry.before?.(round);
      await quietWindow();
      await timed(entry.run, round, into.run);
      await timed(entry.undo, round, into.undo);
      await entry.after?.(round);
    }
  }
  return samples;
}

/** Rows of samples in milliseconds, beside the fastest of the peers named. */
export function timeRows(
  bench: string,
  samples: ReadonlyMap<string, readonly number[]>,
  peers: readonly string[],
): Row[] {
  const measured = [...samples].filter(([, list]) => list.length > 0);
  const [best] = measured
    .filter(([name]) => peers.includes(name))
    .map(([name, list]) => ({name, p50: quantile(list, 0.5)}))
    .sort((a, b) => a.p50 - b.p50);
  return measured.map(([name, list]) => {
    const p50 = quantile(list, 0.5);
    const row: Row = {bench, case: name, n: list.length, p50, p99: quantile(list, 0.99), unit: 'ms'};
    return best === undefined ? row : {...row, peer: best.name, ratio: p50 / best.p50};
  });
}
