import test from 'ava';
import fc from 'fast-check';
import {ConfigError, UsageError} from '../../native-free/errors.ts';
import {
  compose,
  composeChain,
  composeStrict,
  containerRanges,
  describeIdMap,
  findIdMapProblem,
  findOverlap,
  findWriteProblem,
  formatIdMap,
  formatProcIdMap,
  IDENTITY_MAP,
  type IdMap,
  idCount,
  isIdentity,
  parseIdMap,
  requireIdMap,
  toContainerId,
  toHostId,
  translateChain,
} from '../../native-free/id-map.ts';
import {anyMap, crookedText, idsOf, validMap, wideMap} from './arbitraries.ts';

const pod: IdMap = [
  {containerId: 0, hostId: 100_000, size: 1000},
  {containerId: 1000, hostId: 300_000, size: 10},
];

const refusals: readonly (readonly [title: string, text: string, line: number, field: string, rule: string])[] = [
  ['a blank line', '0 1 1\n\n2 3 1\n', 2, 'line', 'blank-line'],
  ['a text of one newline', '\n', 1, 'line', 'blank-line'],
  ['two fields', '0 100000\n', 1, 'line', 'field-count'],
  ['four fields', '0 1 1\n0 1 2 3', 2, 'line', 'field-count'],
  ['a hexadecimal number', '0 0x10 1', 1, 'hostId', 'not-decimal'],
  ['a sign', '+0 1 1', 1, 'containerId', 'not-decimal'],
  ['a CR at the end', '0 1 1\r\n', 1, 'size', 'not-decimal'],
  ['a no-break space', '0\xa01 1 1', 1, 'containerId', 'not-decimal'],
  ['a NUL', '0 1 1\0', 1, 'size', 'not-decimal'],
  ['colons', '0:1:1', 1, 'containerId', 'not-decimal'],
  ['a leading zero', '0 010 1', 1, 'hostId', 'leading-zero'],
  ['a number past 2^32, which the kernel would fold to 0', '0 4294967296 1', 1, 'hostId', 'not-an-id'],
  ['the inside id 4294967295', '4294967295 1 1', 1, 'containerId', 'not-an-id'],
  ['the outside id 4294967295', '0 4294967295 1', 1, 'hostId', 'not-an-id'],
  ['a count of 0', '0 1 0', 1, 'size', 'no-ids'],
  ['a range that ends one past the last id', '4294967294 0 2', 1, 'size', 'past-last-id'],
  ['an outside range that ends one past the last id', '0 1 4294967295', 1, 'size', 'past-last-id'],
  ['inside ids twice', '0 1 10\n9 100 1', 2, 'containerId', 'overlap'],
  ['outside ids twice', '0 100 10\n10 109 1', 2, 'hostId', 'overlap'],
];

for (const [title, text, line, field, rule] of refusals) {
  test(`a map with ${title} is refused by line and field`, (t) => {
    const parsed = parseIdMap(text);
    if (parsed.ok) return t.fail(`parsed: ${JSON.stringify(parsed.map)}`);
    t.deepEqual({line: parsed.line, field: parsed.field, rule: parsed.rule}, {line, field, rule} as never);
    t.regex(parsed.why, /\w/);
  });
}

test('the text of /proc is read and written back', (t) => {
  const text = '         0     100000       1000\n      1000     300000         10\n';
  t.deepEqual(parseIdMap(text), {ok: true, map: pod});
  t.is(formatProcIdMap(pod), text);
  t.is(formatIdMap(pod), '0 100000 1000\n1000 300000 10\n');
});

test('an unmapped namespace shows the empty text, which is the empty map', (t) => {
  t.deepEqual(parseIdMap(''), {ok: true, map: []});
  t.is(formatProcIdMap([]), '');
});

test('tabs, no final newline and the highest id are fine', (t) => {
  t.deepEqual(parseIdMap('4294967294\t4294967294 1'), {
    ok: true,
    map: [{containerId: 4_294_967_294, hostId: 4_294_967_294, size: 1}],
  });
  t.deepEqual(parseIdMap('0 0 4294967295\n'), {ok: true, map: IDENTITY_MAP});
});

function lines(count: number): IdMap {
  return Array.from({length: count}, (_, index) => ({containerId: index * 2, hostId: 10_000 + index, size: 1}));
}

test('340 lines are a map and 341 are not', (t) => {
  t.deepEqual(parseIdMap(formatProcIdMap(lines(340))), {ok: true, map: lines(340)});
  const parsed = parseIdMap(formatProcIdMap(lines(341)));
  t.like(parsed, {ok: false, line: 341, rule: 'too-many-lines', value: '341'});
  t.like(findIdMapProblem(lines(341)), {line: 341, rule: 'too-many-lines'});
});

test('an overlap names both lines and the shared ids', (t) => {
  t.like(parseIdMap('0 100000 10\n20 1 1\n5 200000 10'), {
    ok: false,
    line: 3,
    why: 'lines 1 and 3 share the inside ids 5-9',
  });
});

test('a map read from a namespace that has no name for an id is kept on request', (t) => {
  const text = '         0 4294967295       1000\n      1000 4294967295         10\n';
  t.like(parseIdMap(text), {ok: false, line: 1, field: 'hostId'});
  const parsed = parseIdMap(text, {untranslated: 'keep'});
  if (!parsed.ok) return t.fail(parsed.why);
  t.is(toHostId(parsed.map, 0), undefined);
  t.is(toHostId(parsed.map, 5), undefined);
  t.is(toContainerId(parsed.map, 4_294_967_295), undefined);
  t.is(formatProcIdMap(parsed.map), text);
});

test('requireIdMap throws a ConfigError with source, line and field', (t) => {
  t.deepEqual(requireIdMap('0 1 1', 'pod.yaml'), [{containerId: 0, hostId: 1, size: 1}]);
  t.throws(() => requireIdMap('0 1 1\n0 x 1', 'pod.yaml'), {
    instanceOf: ConfigError,
    code: 'SUBROOT_IDMAP_TEXT',
    message: /pod\.yaml, line 2 \(hostId\): "x" is not a decimal number/,
  });
});

test('what cannot be written is refused and never cut off', (t) => {
  t.throws(() => formatIdMap([]), {instanceOf: UsageError, code: 'SUBROOT_IDMAP_UNWRITABLE', message: /no line/});
  const long = lines(340).map((extent) => ({...extent, hostId: extent.hostId + 200_000}));
  t.is(findWriteProblem(lines(340)), undefined);
  t.throws(() => formatIdMap(long), {code: 'SUBROOT_IDMAP_UNWRITABLE', message: /4365 bytes.*at most 4095/});
  t.throws(() => formatIdMap([{containerId: 0, hostId: 4_294_967_296, size: 1}]), {message: /4294967296 is not an id/});
  t.throws(() => formatIdMap([{containerId: 0, hostId: Number.NaN, size: 1}]), {message: /NaN is not an id/});
});

test('ids translate at the edges of their extents and nowhere else', (t) => {
  t.is(toHostId(pod, 0), 100_000);
  t.is(toHostId(pod, 999), 100_999);
  t.is(toHostId(pod, 1000), 300_000);
  t.is(toHostId(pod, 1005), 300_005);
  t.is(toHostId(pod, 1010), undefined);
  t.is(toContainerId(pod, 300_005), 1005);
  t.is(toContainerId(pod, 101_000), undefined);
  t.is(toContainerId(pod, 99_999), undefined);
  t.is(toHostId([], 0), undefined);
  t.is(toHostId(IDENTITY_MAP, 4_294_967_294), 4_294_967_294);
  t.is(toHostId(IDENTITY_MAP, 4_294_967_295), undefined);
  t.is(toHostId([{containerId: 0, hostId: 2_147_483_640, size: 100}], 50), 2_147_483_690);
});

test('one file has four views', (t) => {
  const outer: IdMap = [{containerId: 0, hostId: 100_000, size: 65_536}];
  const nested: IdMap = [{containerId: 0, hostId: 1000, size: 10}];
  t.is(toContainerId(outer, 101_005), 1005);
  t.is(toContainerId(compose(outer, nested), 101_005), 5);
  t.deepEqual(translateChain([outer, nested], 101_005, 'to-container'), {
    steps: [
      {level: 0, id: 101_005},
      {level: 1, id: 1005},
      {level: 2, id: 5},
    ],
    id: 5,
  });
  t.deepEqual(translateChain([outer, nested], 5, 'to-host').id, 101_005);
});

test('a chain says which level has no id', (t) => {
  const outer: IdMap = [{containerId: 0, hostId: 100_000, size: 100}];
  const nested: IdMap = [{containerId: 0, hostId: 95, size: 10}];
  t.deepEqual(translateChain([outer, nested], 7, 'to-host'), {
    steps: [
      {level: 2, id: 7},
      {level: 1, id: 102},
      {level: 0, id: undefined},
    ],
    id: undefined,
    stoppedAt: 0,
  });
  t.deepEqual(translateChain([], 7, 'to-host'), {steps: [{level: 0, id: 7}], id: 7});
});

test('a composed map is split where the outer lines end, and says what it lost', (t) => {
  const inner: IdMap = [{containerId: 5, hostId: 998, size: 20}];
  const map = [
    {containerId: 5, hostId: 100_998, size: 2},
    {containerId: 7, hostId: 300_000, size: 10},
  ];
  t.deepEqual(composeStrict(pod, inner), {ok: false, map, unmapped: [{start: 17, size: 8}]});
  t.deepEqual(compose(pod, inner), map);
  t.deepEqual(composeStrict(pod, [{containerId: 0, hostId: 0, size: 1010}]), {ok: true, map: pod});
  t.deepEqual(compose([], inner), []);
  t.deepEqual(composeChain([]), IDENTITY_MAP);
});

test('the facts of a map', (t) => {
  t.true(isIdentity(IDENTITY_MAP));
  t.false(isIdentity([{containerId: 0, hostId: 0, size: 4_294_967_294}]));
  t.false(isIdentity([]));
  t.is(idCount(pod), 1010);
  t.deepEqual(describeIdMap(pod), {
    extentCount: 2,
    idCount: 1010,
    isEmpty: false,
    isIdentity: false,
    hostIdOfRoot: 100_000,
    containerIdOfHostRoot: undefined,
    textBytes: 29,
  });
});

test('formatted maps are read back the same', (t) => {
  fc.assert(
    fc.property(wideMap, (map) => {
      t.deepEqual(parseIdMap(formatProcIdMap(map)), {ok: true, map});
      if (findWriteProblem(map) === undefined) t.deepEqual(parseIdMap(formatIdMap(map)), {ok: true, map});
    }),
  );
  t.pass();
});

test('going out and in again leads to the same id, in short and long maps', (t) => {
  fc.assert(
    fc.property(fc.oneof(validMap(), wideMap), fc.nat(1_000_000), fc.nat(400), (map, offset, pick) => {
      const extent = map[pick % Math.max(map.length, 1)];
      if (extent === undefined) return;
      const inside = extent.containerId + (offset % extent.size);
      const outside = extent.hostId + (offset % extent.size);
      t.is(toHostId(map, inside), outside);
      t.is(toContainerId(map, outside), inside);
    }),
  );
  t.pass();
});

test('lookups agree with a walk over every id', (t) => {
  fc.assert(
    fc.property(validMap({maxLength: 14}), (map) => {
      const pairs = map.flatMap((extent) =>
        Array.from({length: extent.size}, (_, index) => [extent.containerId + index, extent.hostId + index] as const),
      );
      const out = new Map(pairs);
      const back = new Map(pairs.map(([inside, outside]) => [outside, inside]));
      for (let id = 0; id < 230; id += 1) {
        if (toHostId(map, id) !== out.get(id)) t.fail(`toHostId ${id}`);
        if (toContainerId(map, id) !== back.get(id)) t.fail(`toContainerId ${id}`);
      }
    }),
  );
  t.pass();
});

test('compose agrees with going through both maps, and touches no unmapped id', (t) => {
  fc.assert(
    fc.property(validMap(), validMap(), (outer, inner) => {
      const result = composeStrict(outer, inner);
      const lost = result.ok ? new Set<number>() : idsOf(result.unmapped);
      for (let id = 0; id < 200; id += 1) {
        const parentId = toHostId(inner, id);
        const expected = parentId === undefined ? undefined : toHostId(outer, parentId);
        if (toHostId(result.map, id) !== expected) t.fail(`id ${id}`);
        if (lost.has(id) !== (parentId !== undefined && expected === undefined)) t.fail(`loss of ${id}`);
      }
      t.is(findOverlap(result.map), undefined);
      t.is(idCount(result.map) + lost.size, idCount(inner));
    }),
  );
  t.pass();
});

test('a chain of maps agrees with its composition', (t) => {
  fc.assert(
    fc.property(fc.array(validMap({maxGap: 2}), {maxLength: 4}), fc.nat(60), (maps, id) => {
      const composed = composeChain(maps);
      t.is(translateChain(maps, id, 'to-host').id, toHostId(composed, id));
      t.is(translateChain(maps, id, 'to-container').id, toContainerId(composed, id));
    }),
  );
  t.pass();
});

test('findOverlap agrees with sets of ids', (t) => {
  const extent = fc.record({containerId: fc.nat(25), hostId: fc.nat(25), size: fc.integer({min: 1, max: 6})});
  fc.assert(
    fc.property(fc.array(extent, {maxLength: 6}), (map) => {
      const overlap = findOverlap(map);
      const inside = idsOf(containerRanges(map)).size;
      const outside = idsOf(map.map(({hostId, size}) => ({start: hostId, size}))).size;
      t.is(overlap === undefined, inside === idCount(map) && outside === idCount(map));
      if (overlap === undefined) return;
      const field = overlap.domain === 'inside' ? 'containerId' : 'hostId';
      const [a, b] = [map[overlap.first], map[overlap.second]];
      if (a === undefined || b === undefined) return t.fail();
      const second = idsOf([{start: b[field], size: b.size}]);
      const shared = [...idsOf([{start: a[field], size: a.size}])].filter((id) => second.has(id));
      t.deepEqual(idsOf([overlap]), new Set(shared));
      t.is(findOverlap(map.slice(0, overlap.second)), undefined);
    }),
  );
  t.pass();
});

test('no text makes the parser throw, and what it accepts has no problem', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({unit: 'binary'}), crookedText), fc.boolean(), (text, keep) => {
      const parsed = parseIdMap(text, {untranslated: keep ? 'keep' : 'refuse'});
      if (parsed.ok) t.is(findIdMapProblem(parsed.map, {untranslated: keep ? 'keep' : 'refuse'}), undefined);
      else t.true(parsed.line >= 1 && parsed.line <= text.split('\n').length);
    }),
    {numRuns: 2000},
  );
  t.pass();
});

test('no map makes the checks throw, and formatIdMap throws exactly when there is a problem', (t) => {
  fc.assert(
    fc.property(anyMap, (map) => {
      describeIdMap(map);
      if (findWriteProblem(map) === undefined) t.deepEqual(parseIdMap(formatIdMap(map)), {ok: true, map});
      else t.throws(() => formatIdMap(map), {code: 'SUBROOT_IDMAP_UNWRITABLE'});
    }),
    {numRuns: 1000},
  );
  t.pass();
});
