import test from 'ava';
import fc from 'fast-check';
import {countIds, formatRanges, intersect, normalizeRanges, subtract} from '../../native-free/id-range.ts';
import {idsOf, smallRanges} from './arbitraries.ts';

function isNormal(ranges: readonly {start: number; size: number}[]): boolean {
  return ranges.every(({start, size}, index) => {
    const before = ranges[index - 1];
    return size > 0 && (before === undefined || before.start + before.size < start);
  });
}

test('ranges that touch or overlap become one, empty ones vanish', (t) => {
  const ranges = [
    {start: 10, size: 5},
    {start: 15, size: 5},
    {start: 0, size: 0},
    {start: 12, size: 1},
    {start: 30, size: 1},
  ];
  t.deepEqual(normalizeRanges(ranges), [
    {start: 10, size: 10},
    {start: 30, size: 1},
  ]);
  t.deepEqual(normalizeRanges([]), []);
});

test('ranges near 2^32 are not folded to 32 bits', (t) => {
  const high = [{start: 4_294_901_760, size: 65_536}];
  t.deepEqual(normalizeRanges(high), high);
  t.deepEqual(intersect(high, [{start: 0, size: 4_294_967_295}]), [{start: 4_294_901_760, size: 65_535}]);
  t.is(countIds([{start: 0, size: 4_294_967_295}]), 4_294_967_295);
});

test('ranges are shown by first and last id', (t) => {
  t.is(
    formatRanges([
      {start: 5, size: 1},
      {start: 100_000, size: 65_536},
    ]),
    '5, 100000-165535',
  );
  t.is(formatRanges([]), '');
});

test('normalizing keeps the ids', (t) => {
  fc.assert(
    fc.property(smallRanges, (ranges) => {
      const normal = normalizeRanges(ranges);
      t.deepEqual([...idsOf(normal)].sort(), [...idsOf(ranges)].sort());
      t.true(isNormal(normal));
      t.is(countIds(ranges), idsOf(ranges).size);
    }),
  );
  t.pass();
});

test('intersect and subtract agree with sets of ids', (t) => {
  fc.assert(
    fc.property(smallRanges, smallRanges, (a, b) => {
      const both = idsOf(b);
      const common = intersect(a, b);
      const rest = subtract(a, b);
      t.deepEqual(idsOf(common), new Set([...idsOf(a)].filter((id) => both.has(id)).sort((x, y) => x - y)));
      t.deepEqual(idsOf(rest), new Set([...idsOf(a)].filter((id) => !both.has(id)).sort((x, y) => x - y)));
      t.true(isNormal(common) && isNormal(rest));
    }),
  );
  t.pass();
});
