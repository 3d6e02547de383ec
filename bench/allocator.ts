// ns per allocate+release at 1, 50 and 99 % full of 65,534 blocks, against a plain Map that is scanned; and what opening and using
// a ledger of 10,000 pods costs. Run: node --import=tsx bench/allocator.ts [--json]
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Ledger, seededRandom, UsernsAllocator} from '../sim/index.ts';
import {quantile, type Row} from './lib/measure.ts';
import {report} from './lib/report.ts';

function percentiles(samples: readonly number[]): {n: number; p50: number; p99: number} {
  return {n: samples.length, p50: quantile(samples, 0.5), p99: quantile(samples, 0.99)};
}

/** ns per call, one sample per batch. */
function timed(batches: number, calls: number, run: () => void): number[] {
  const samples: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) run();
    samples.push(Number(process.hrtime.bigint() - start) / calls);
  }
  return samples;
}

/** What one would write first: a Map of taken slots, scanned from a random one. */
class MapScan {
  readonly #taken = new Map<number, true>();
  readonly #random = seededRandom('peer');
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  allocate(): number {
    const start = this.#random.below(this.#capacity);
    for (let i = 0; i < this.#capacity; i++) {
      const slot = (start + i) % this.#capacity;
      if (this.#taken.has(slot)) continue;
      this.#taken.set(slot, true);
      return slot;
    }
    return -1;
  }

  free(slot: number): void {
    this.#taken.delete(slot);
  }
}

/** Releases the longest held and allocates another. Blocks are drawn at random, so holes are spread as on a node that has run for long. */
function churn(held: number[], allocate: () => number, free: (id: number) => void): () => void {
  let at = 0;
  return () => {
    free(held[at] ?? 0);
    held[at] = allocate();
    at = at + 1 === held.length ? 0 : at + 1;
  };
}

function allocatorRows(): Row[] {
  return [0.01, 0.5, 0.99].map((share) => {
    const allocator = new UsernsAllocator({random: seededRandom('ours')});
    const count = Math.floor(allocator.capacity * share);
    const ours = churn(
      Array.from({length: count}, () => allocator.tryAllocate() ?? 0),
      () => allocator.tryAllocate() ?? 0,
      (id) => allocator.free(id),
    );
    const naive = new MapScan(allocator.capacity);
    const theirs = churn(
      Array.from({length: count}, () => naive.allocate()),
      () => naive.allocate(),
      (slot) => naive.free(slot),
    );
    timed(20, 2000, ours);
    timed(20, 2000, theirs);
    const own = percentiles(timed(500, 1000, ours));
    const peer = percentiles(timed(200, 1000, theirs)).p50;
    return {
      bench: 'allocator',
      case: `allocate+release, ${share * 100} % of ${allocator.capacity}`,
      ...{...own, unit: 'ns' as const, ratio: own.p50 / peer, peer: 'Map scan'},
    };
  });
}

function ledgerRows(): Row[] {
  const folder = mkdtempSync(join(tmpdir(), 'subroot-bench-'));
  try {
    const open = (root: string, pid: number) =>
      Ledger.open({
        root,
        owner: {pid, startTime: 1, bootId: 'bench'},
        isAlive: () => true,
        random: seededRandom('ledger'),
      });
    const small = open(join(folder, 'small'), 1);
    const creates: number[] = [];
    const releases: number[] = [];
    for (let i = 0; i < 1000; i++) {
      const start = process.hrtime.bigint();
      small.getOrCreate(`pod-${i}`);
      const middle = process.hrtime.bigint();
      // Some pods stay, as on a node.
      if (i % 10 !== 0) small.release(`pod-${i}`);
      if (i % 10 !== 0) releases.push(Number(process.hrtime.bigint() - middle) / 1e3);
      creates.push(Number(middle - start) / 1e3);
    }
    const known = timed(200, 20, () => void small.getOrCreate('pod-0')).map((ns) => ns / 1e3);
    const large = open(join(folder, 'large'), 1);
    for (let i = 0; i < 10_000; i++) large.getOrCreate(`pod-${i}`);
    const recoveries = Array.from({length: 7}, (_, i) => {
      const start = process.hrtime.bigint();
      open(join(folder, 'large'), 2 + i);
      return Number(process.hrtime.bigint() - start) / 1e6;
    });
    const row = (name: string, samples: readonly number[], unit: Row['unit']): Row => ({
      bench: 'ledger',
      case: name,
      ...percentiles(samples),
      unit,
    });
    return [
      row('getOrCreate, new pod', creates, 'us'),
      row('getOrCreate, known pod', known, 'us'),
      row('release', releases, 'us'),
      row('recovery of 10,000 pods', recoveries, 'ms'),
    ];
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}

report([...allocatorRows(), ...ledgerRows()]);
