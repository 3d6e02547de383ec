import test from 'ava';
import fc from 'fast-check';
import type {Random} from '../../sim/index.ts';
import {seededRandom, UsernsAllocator, UsernsManager} from '../../sim/index.ts';

const UNIT = 65_536;
const pool2000 = {first: UNIT, length: 2000 * UNIT};
const always = (n: number): Random => ({below: () => n});

test('A1 a pod gets a block of 65536 ids, and its id is taken', (t) => {
  const manager = new UsernsManager({pool: pool2000});
  const {hostId, size} = manager.allocate('one');
  t.is(size, UNIT);
  t.true(manager.allocator.isTaken(hostId));
  t.true(manager.allocator.isTaken(hostId + UNIT - 1));
});

test('A2 the next pod gets another block of the same size', (t) => {
  const manager = new UsernsManager({pool: pool2000});
  const one = manager.allocate('one');
  const two = manager.allocate('two');
  t.not(one.hostId, two.hostId);
  t.is(two.size, one.size);
});

test('A3 recording the block a pod has changes nothing', (t) => {
  const manager = new UsernsManager({pool: pool2000});
  const two = manager.allocate('two');
  manager.record('two', two.hostId, two.size);
  t.deepEqual(manager.blockOf('two'), two);
  t.is(manager.allocator.inUse, 1);
});

test('A4 released blocks are free', (t) => {
  const manager = new UsernsManager({pool: pool2000});
  const ids = ['one', 'two'].map((pod) => manager.allocate(pod).hostId);
  t.true(manager.release('one'));
  t.true(manager.release('two'));
  t.deepEqual(
    ids.map((id) => manager.allocator.isTaken(id)),
    [false, false],
  );
  t.false(manager.release('two'));
});

test('B1 the default pool serves 110 pods', (t) => {
  t.is(new UsernsAllocator({maxPods: 110}).capacity, 65_534);
});

interface Refusal {
  readonly message: RegExp;
  readonly code?: string;
  readonly idsPerPod?: number;
}
function refused(title: string, pool: {first: number; length: number}, refusal: Refusal): void {
  const {message, code = 'SUBROOT_POOL_RANGE', idsPerPod = UNIT} = refusal;
  test(title, (t) => {
    const error = t.throws(() => new UsernsAllocator({pool, maxPods: 1, idsPerPod}), {code, message});
    t.regex(error?.message ?? '', /To mend: /);
  });
}
refused(
  'B2 a first id that is no multiple is refused',
  {first: UNIT + 1, length: UNIT},
  {message: /assigned ID 65537 is not a multiple of 65536/},
);
refused('B3 first id 1 is refused', {first: 1, length: UNIT}, {message: /assigned ID 1 is not a multiple/});
refused(
  'B4 a length that is no multiple is refused',
  {first: UNIT, length: UNIT + 1},
  {message: /IDs length 65537 is not a multiple of 65536/},
);
refused(
  'a pool that begins at host id 0 is refused',
  {first: 0, length: UNIT},
  {message: /first ID 0 must be greater or equal to 65536/},
);
refused(
  'a pool that runs past 2^32 is refused, where the kubelet wraps to host id 0 (kubernetes#141345)',
  {first: 327_680, length: 4_294_836_224},
  {message: /its last id would be 4295163903/},
);
refused('one block past 2^32 is refused', {first: 2 * UNIT, length: 2 ** 32 - UNIT}, {message: /past the 32-bit ids/});
refused(
  'a pool of the terminal block alone is too small (kubernetes#139916)',
  {first: 2 ** 32 - UNIT, length: UNIT},
  {message: /4294901760:65536 has 0 blocks/, code: 'SUBROOT_POOL_TOO_SMALL'},
);
refused(
  'an empty pool is too small',
  {first: UNIT, length: 0},
  {message: /has 0 blocks/, code: 'SUBROOT_POOL_TOO_SMALL'},
);
refused('fractions and NaN are no pool', {first: Number.NaN, length: UNIT}, {message: /whole numbers/});
refused(
  'idsPerPod 0 is refused',
  {first: UNIT, length: UNIT},
  {message: /must not be less than 65536/, code: 'SUBROOT_POOL_IDS_PER_POD', idsPerPod: 0},
);
refused(
  'idsPerPod 65537 is refused',
  {first: UNIT, length: UNIT},
  {message: /must be a multiple of 65536/, code: 'SUBROOT_POOL_IDS_PER_POD', idsPerPod: 65_537},
);
refused(
  'idsPerPod 2^32 is refused',
  {first: UNIT, length: UNIT},
  {message: /not be greater than 4294967295/, code: 'SUBROOT_POOL_IDS_PER_POD', idsPerPod: 2 ** 32},
);

test('a pool one block short of maxPods is refused with the length it would need', (t) => {
  const make = (blocks: number) => new UsernsAllocator({pool: {first: UNIT, length: blocks * UNIT}, maxPods: 110});
  t.is(make(110).capacity, 110);
  t.throws(() => make(109), {
    code: 'SUBROOT_POOL_TOO_SMALL',
    message: /109 blocks .* 110 pods[\s\S]*at least 7208960 ids/,
  });
});

for (const [idsPerPod, capacity] of [
  [UNIT, 65_534],
  [2 * UNIT, 32_766],
  [3 * UNIT, 21_844],
  [16 * UNIT, 4094],
  [32_768 * UNIT, 0],
] as const) {
  test(`the default pool has ${capacity} usable blocks of ${idsPerPod} ids`, (t) => {
    if (capacity === 0) {
      t.throws(() => new UsernsAllocator({idsPerPod, maxPods: 1}), {code: 'SUBROOT_POOL_TOO_SMALL'});
      return;
    }
    const allocator = new UsernsAllocator({idsPerPod, maxPods: 1, random: seededRandom('all')});
    const ids: number[] = [];
    for (let id = allocator.tryAllocate(); id !== undefined; id = allocator.tryAllocate()) ids.push(id);
    t.is(allocator.capacity, capacity);
    t.is(new Set(ids).size, capacity);
    t.is(Math.min(...ids), idsPerPod, 'block 0 is never given out');
    t.true(Math.max(...ids) + idsPerPod - 1 <= 4_294_967_294, 'nor the one with id 4294967295');
    t.true(ids.every((id) => id % idsPerPod === 0));
    t.is(allocator.tryAllocate(), undefined);
  });
}

test('the scan begins at the random slot, goes on upwards and round the end', (t) => {
  const allocator = new UsernsAllocator({pool: {first: UNIT, length: 100 * UNIT}, maxPods: 1, random: always(98)});
  const next = () => (allocator.tryAllocate() ?? 0) / UNIT - 1;
  t.deepEqual([next(), next(), next(), next()], [98, 99, 0, 1]);
});

test("the scan is the kubelet's, step by step, whatever is taken", (t) => {
  fc.assert(
    fc.property(
      fc.integer({min: 1, max: 3000}),
      fc.array(fc.nat(), {minLength: 400, maxLength: 400}),
      fc.string(),
      (blocks, numbers, seed) => {
        const draws = numbers.values();
        const random = seededRandom(seed);
        let start = 0;
        const allocator = new UsernsAllocator({
          pool: {first: UNIT, length: blocks * UNIT},
          maxPods: 1,
          random: {below: (n) => (start = random.below(n))},
        });
        const taken = new Uint8Array(blocks);
        for (let step = 0; step < 200; step++) {
          const slot = (draws.next().value ?? 0) % blocks;
          if ((draws.next().value ?? 0) % 3 === 0) {
            t.is(allocator.free((slot + 1) * UNIT), taken[slot] === 1);
            taken[slot] = 0;
            continue;
          }
          const got = allocator.tryAllocate();
          let expected: number | undefined;
          for (let i = 0; i < blocks && expected === undefined; i++) {
            if (taken[(start + i) % blocks] === 0) expected = (start + i) % blocks;
          }
          if (got !== (expected === undefined ? undefined : (expected + 1) * UNIT)) return false;
          if (expected !== undefined) taken[expected] = 1;
        }
        return allocator.inUse === taken.reduce((sum, bit) => sum + bit, 0);
      },
    ),
    {numRuns: 60},
  );
  t.pass();
});

test('an id outside the pool answers taken', (t) => {
  const {allocator} = new UsernsManager({pool: pool2000});
  t.deepEqual(
    [0, 65_535, 2001 * UNIT, 4_294_967_295].map((id) => allocator.isTaken(id)),
    [true, true, true, true],
  );
  t.false(allocator.isTaken(UNIT));
});

test('record refuses a wrong length, offset, second block, range and a taken block, in that order', (t) => {
  const manager = new UsernsManager({pool: pool2000});
  const code = 'SUBROOT_POOL_RECORD';
  t.throws(() => manager.record('p', 131_073, 1), {code, message: /wrong user namespace length 1, expected 65536/});
  t.throws(() => manager.record('p', 131_073, UNIT), {code, message: /wrong user namespace offset specified: 131073/});
  manager.record('p', 131_072, UNIT);
  t.throws(() => manager.record('p', 2 ** 31, UNIT), {
    code,
    message: /different user namespace range already used by pod: 131072/,
  });
  t.throws(() => manager.record('q', 2001 * UNIT, UNIT), {code, message: /id 131137536 is out of range/});
  t.throws(() => manager.record('q', 131_072, UNIT), {code, message: /range picked for pod q already taken/});
});

test('a full pool names capacity, use and holders', (t) => {
  const manager = new UsernsManager({pool: {first: UNIT, length: 7 * UNIT}, maxPods: 7});
  for (let i = 0; i < 7; i++) manager.allocate(`pod-${i}`);
  t.throws(() => manager.allocate('late'), {
    code: 'SUBROOT_POOL_EXHAUSTED',
    message:
      /could not find an empty slot.*7 of 7 blocks are in use, held by pod-0, pod-1, pod-2, pod-3, pod-4 and 2 more/,
  });
});

test('a just freed block is rarely the next one', (t) => {
  const allocator = new UsernsAllocator({random: seededRandom('reuse')});
  let same = 0;
  for (let i = 0; i < 1000; i++) {
    const id = allocator.tryAllocate() ?? 0;
    allocator.free(id);
    const next = allocator.tryAllocate() ?? 0;
    if (next === id) same += 1;
    allocator.free(next);
  }
  t.true(same < 5, `${same} of 1000`);
});

test('one seed gives one sequence, two seeds give two', (t) => {
  const draw = (seed: string) =>
    Array.from(
      {length: 3000},
      (
        (random) => () =>
          random.below(2 ** 32)
      )(seededRandom(seed)),
    );
  t.deepEqual(draw('a'), draw('a'));
  t.notDeepEqual(draw('a'), draw('b'));
});

test('random numbers are below their bound and reach every value', (t) => {
  const random = seededRandom('bounds');
  for (const bound of [1, 2, 3, 7, 65_534, 2 ** 31 + 1, 2 ** 32]) {
    for (let i = 0; i < 200; i++) {
      const value = random.below(bound);
      if (!(Number.isInteger(value) && value >= 0 && value < bound)) t.fail(`${value} for ${bound}`);
    }
  }
  const counts = new Map<number, number>();
  for (let i = 0; i < 7000; i++) counts.set(random.below(7), (counts.get(random.below(7)) ?? 0) + 1);
  t.is(counts.size, 7);
});
