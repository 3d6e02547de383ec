import test from 'ava';
import fc from 'fast-check';
import {makeCredentials} from '../../native-free/credentials.ts';
import {findWriteProblem, formatIdMap, type IdMap, idCount, parseIdMap, toHostId} from '../../native-free/id-map.ts';
import {countIds, subtract} from '../../native-free/id-range.ts';
import {
  commonBlocks,
  newidmapArgs,
  type PlannedIdMap,
  planIdMap,
  planPseudoHost,
} from '../../native-free/plan-id-map.ts';
import {mayDelegate, toIdRange} from '../../native-free/subordinate-ids.ts';
import {UserNamespace} from '../../native-free/user-namespace.ts';
import {checkMapWrite} from '../../native-free/write-id-map.ts';

interface Range {
  readonly start: number;
  readonly count: number;
}

const grant: readonly Range[] = [{start: 100_000, count: 65_536}];

function count(wanted: number, ranges = grant, ownId = 1000, ownIdAsRoot = false) {
  return planIdMap({wanted: {kind: 'count', count: wanted, ownIdAsRoot}, owned: {ownId, ranges}});
}

test('65536 ids of a grant of as many are one line', (t) => {
  t.deepEqual(count(65_536), {
    ok: true,
    map: [{containerId: 0, hostId: 100_000, size: 65_536}],
    args: ['0', '100000', '65536'],
    text: '0 100000 65536\n',
  });
});

test('with the own id as root, the grant begins at 1', (t) => {
  const planned = count(65_536, grant, 1000, true);
  t.like(planned, {ok: true, args: ['0', '1000', '1', '1', '100000', '65535']});
  t.like(count(1, [], 1000, true), {ok: true, args: ['0', '1000', '1']});
});

test('one id too many is refused with what is wanted and owned', (t) => {
  t.like(count(65_537), {ok: false, rule: 'plan-not-enough-ids', wanted: 65_537, owned: 65_536});
  t.like(count(65_538, grant, 1000, true), {ok: false, wanted: 65_538, owned: 65_537});
  const none = count(1, []);
  t.like(none, {ok: false, rule: 'plan-not-enough-ids', wanted: 1, owned: 0});
  if (!none.ok) t.is(none.why, '1 ids are wanted and 0 are owned (no subordinate ids)');
});

test('adjacent and overlapping entries are one line', (t) => {
  const ranges = [
    {start: 110, count: 10},
    {start: 100, count: 10},
    {start: 105, count: 20},
  ];
  t.like(count(25, ranges), {ok: true, map: [{containerId: 0, hostId: 100, size: 25}]});
});

test('a range that holds all is preferred, else the largest ones in ascending order', (t) => {
  const ranges = [
    {start: 10, count: 5},
    {start: 100, count: 20},
    {start: 200, count: 30},
  ];
  t.like(count(20, ranges), {map: [{containerId: 0, hostId: 100, size: 20}]});
  t.like(count(40, ranges), {
    map: [
      {containerId: 0, hostId: 100, size: 10},
      {containerId: 10, hostId: 200, size: 30},
    ],
  });
});

test('the own id inside a grant is not mapped twice', (t) => {
  const planned = count(11, [{start: 995, count: 11}], 1000, true);
  t.like(planned, {
    ok: true,
    map: [
      {containerId: 0, hostId: 1000, size: 1},
      {containerId: 1, hostId: 995, size: 5},
      {containerId: 6, hostId: 1001, size: 5},
    ],
  });
});

test('host root is never mapped unless allowed', (t) => {
  const ranges = [{start: 0, count: 10}];
  t.like(count(9, ranges), {ok: true, map: [{containerId: 0, hostId: 1, size: 9}]});
  t.like(count(10, ranges), {ok: false, rule: 'plan-not-enough-ids', owned: 9});
  t.like(count(1, [], 0, true), {ok: false, rule: 'plan-host-root'});
  const mappings = [{containerId: 0, hostId: 0, size: 1}];
  t.like(planIdMap({wanted: {kind: 'mappings', mappings}, owned: {ownId: 0, ranges}}), {rule: 'plan-host-root'});
  t.like(planIdMap({wanted: {kind: 'mappings', mappings}, owned: {ownId: 0, ranges, allowRoot: true}}), {ok: true});
  t.like(planPseudoHost({ownId: 0, ranges: grant}), {ok: false, rule: 'plan-host-root'});
  t.like(planPseudoHost({ownId: 0, ranges: grant, allowRoot: true}), {ok: true});
});

test('no plan uses a line that grants everything by a count that wraps around', (t) => {
  const ranges = [{start: 0, count: 4_294_967_296, wrapped: true as const}, ...grant];
  const owned = {ownId: 1000, ranges};
  t.like(planIdMap({wanted: {kind: 'count', count: 65_536}, owned}), {args: ['0', '100000', '65536']});
  t.like(planIdMap({wanted: {kind: 'count', count: 65_537}, owned}), {ok: false, owned: 65_536});
  const mappings = [{containerId: 0, hostId: 5, size: 1}];
  t.like(planIdMap({wanted: {kind: 'mappings', mappings}, owned}), {rule: 'plan-not-granted'});
  t.like(planPseudoHost({ownId: 1000, ranges}), {blocks: {length: 1}});
});

test('counts that are no counts are refused', (t) => {
  for (const wanted of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    t.like(count(wanted), {ok: false, rule: 'plan-unwritable'});
});

test('explicit mappings are refused with the ids that nobody granted', (t) => {
  const plan = (mappings: IdMap) =>
    planIdMap({wanted: {kind: 'mappings', mappings}, owned: {ownId: 1000, ranges: grant}});
  const mappings = [
    {containerId: 0, hostId: 1000, size: 1},
    {containerId: 1, hostId: 100_000, size: 65_536},
  ];
  t.like(plan(mappings), {ok: true, map: mappings});
  t.like(plan([{containerId: 0, hostId: 99_990, size: 20}]), {
    ok: false,
    rule: 'plan-not-granted',
    missing: [{start: 99_990, size: 10}],
    why: 'the outside ids 99990-99999 are not granted; owned are 100000-165535 and, on a line of its own, 1000',
  });
  t.like(plan([{containerId: 0, hostId: 1000, size: 2}]), {missing: [{start: 1000, size: 2}]});
  t.like(plan([]), {ok: false, rule: 'plan-unwritable', problem: {rule: 'empty'}});
  t.like(plan([...mappings, {containerId: 5, hostId: 5, size: 1}]), {
    rule: 'plan-unwritable',
    problem: {rule: 'overlap', line: 3},
  });
});

function scattered(ranges: number, size: number, from = 100_000): readonly Range[] {
  return Array.from({length: ranges}, (_, index) => ({start: from + index * size * 2, count: size}));
}

test('more lines or text than one write holds is refused and never cut off', (t) => {
  t.like(count(341, scattered(341, 1)), {ok: false, rule: 'plan-unwritable', problem: {rule: 'too-many-lines'}});
  t.like(count(340, scattered(340, 1)), {ok: false, rule: 'plan-unwritable', problem: {rule: 'too-long'}});
  t.like(count(340, scattered(340, 1, 10_000)), {ok: true});
});

test('a pseudo-host has its own id as 0 and whole blocks from 65536 on', (t) => {
  const planned = planPseudoHost({ownId: 1000, ranges: [{start: 100_000, count: 200_000}]});
  t.like(planned, {
    ok: true,
    args: ['0', '1000', '1', '65536', '100000', '196608'],
    blocks: [
      {start: 65_536, size: 65_536, reduced: false},
      {start: 131_072, size: 65_536, reduced: false},
      {start: 196_608, size: 65_536, reduced: false},
    ],
    reduced: false,
    unused: [{start: 296_608, size: 3392}],
  });
});

test('ranges apart are laid out one behind the other, each with whole blocks', (t) => {
  const ranges = [
    {start: 500_000, count: 70_000},
    {start: 100_000, count: 65_535},
    {start: 200_000, count: 140_000},
  ];
  t.like(planPseudoHost({ownId: 1000, ranges}), {
    map: [
      {containerId: 0, hostId: 1000, size: 1},
      {containerId: 65_536, hostId: 200_000, size: 131_072},
      {containerId: 196_608, hostId: 500_000, size: 65_536},
    ],
    blocks: [{start: 65_536}, {start: 131_072}, {start: 196_608}],
    unused: [
      {start: 100_000, size: 65_535},
      {start: 331_072, size: 8928},
      {start: 565_536, size: 4464},
    ],
  });
});

test('a grant of one id less than a block is one reduced block', (t) => {
  t.like(planPseudoHost({ownId: 1000, ranges: [{start: 100_000, count: 65_535}]}), {
    ok: true,
    reduced: true,
    map: [
      {containerId: 0, hostId: 1000, size: 1},
      {containerId: 65_536, hostId: 100_000, size: 65_535},
    ],
    blocks: [{start: 65_536, size: 65_535, reduced: true}],
    unused: [],
  });
  t.like(planPseudoHost({ownId: 1000, ranges: grant}), {reduced: false, blocks: [{size: 65_536}]});
});

test('without a grant there is no pseudo-host', (t) => {
  for (const ranges of [[], [{start: 1000, count: 1}]])
    t.like(planPseudoHost({ownId: 1000, ranges}), {ok: false, rule: 'plan-not-enough-ids', wanted: 65_537, owned: 1});
});

test('block sizes other than 65536 begin at a multiple of their own', (t) => {
  const ranges = [{start: 1_000_000, count: 1_000_000}];
  t.like(planPseudoHost({ownId: 1000, ranges, blockSize: 131_072}), {
    blocks: {0: {start: 131_072}, 6: {size: 131_072}},
  });
  t.like(planPseudoHost({ownId: 1000, ranges, blockSize: 1000}), {blocks: {0: {start: 65_536}, 1: {start: 66_536}}});
  for (const blockSize of [0, -1, 0.5, Number.NaN, 2 ** 30 + 1, Number.POSITIVE_INFINITY])
    t.like(planPseudoHost({ownId: 1000, ranges, blockSize}), {ok: false, rule: 'plan-block-size', blockSize});
});

test('a grant of everything makes no more blocks than a machine has, none past the last id', (t) => {
  const ranges = [{start: 0, count: 4_294_967_296}];
  const planned = planPseudoHost({ownId: 1000, ranges});
  if (!planned.ok || !('blocks' in planned)) return t.fail();
  t.is(planned.blocks.length, 65_534, 'all but block 0 and the last one');
  const small = planPseudoHost({ownId: 1000, ranges, blockSize: 1});
  if (!small.ok || !('blocks' in small)) return t.fail();
  t.is(small.blocks.length, 65_536);
});

test('a grant in more pieces than one write holds keeps as many as fit and tells the rest', (t) => {
  const planned = planPseudoHost({ownId: 1000, ranges: scattered(400, 1000, 4_000_000_000), blockSize: 1000});
  if (!planned.ok) return t.fail(planned.why);
  t.is(findWriteProblem(planned.map), undefined);
  t.true(planned.map.length > 150);
  t.is(countIds(planned.unused) + idCount(planned.map) - 1, 400_000);
});

test('uids and gids share the blocks that both have', (t) => {
  const plan = (ranges: readonly Range[]) => {
    const planned = planPseudoHost({ownId: 1000, ranges});
    if (!planned.ok) throw new Error(planned.why);
    return planned.blocks;
  };
  const three = plan([{start: 100_000, count: 200_000}]);
  t.deepEqual(commonBlocks(three, plan(grant)), [{start: 65_536, size: 65_536, reduced: false}]);
  t.deepEqual(commonBlocks(three, plan([{start: 7, count: 5}])), [{start: 65_536, size: 5, reduced: true}]);
});

/** Refused by nobody: the writable map, the kernel (with CAP_SETUID, as newuidmap has) and newuidmap's policy. */
function mustPass(planned: PlannedIdMap, ownId: number, ranges: readonly Range[]): void {
  const root = makeCredentials({userns: new UserNamespace(), uid: 0, gid: 0});
  const target = new UserNamespace({parent: root.userns, owner: ownId, group: ownId, creatorHadSetfcap: false});
  const answer = checkMapWrite({file: 'uid_map', target, opener: root, text: planned.text});
  if (!answer.ok) throw new Error(answer.rule);
  for (const {hostId, size} of planned.map) {
    const delegated = mayDelegate({ranges, ownId, start: hostId, count: size});
    if (!delegated.ok) throw new Error(`${delegated.rule} ${hostId} ${size}`);
    if (hostId === 0) throw new Error('host root');
  }
  const words = planned.args.map(Number);
  if (newidmapArgs(planned.map).join() !== words.join()) throw new Error('words');
  const parsed = parseIdMap(planned.text);
  if (!parsed.ok || formatIdMap(parsed.map) !== planned.text) throw new Error('text');
}

const someRanges = fc.array(
  fc.record({
    start: fc.oneof(fc.nat(60), fc.constantFrom(4_294_967_200, 4_294_967_290)),
    count: fc.integer({min: 1, max: 30}),
  }),
  {maxLength: 6},
);

test('a planned count passes the kernel and newuidmap, and is refused only when too few are owned', (t) => {
  fc.assert(
    fc.property(someRanges, fc.nat(60), fc.integer({min: 1, max: 120}), fc.boolean(), (ranges, ownId, wanted, own) => {
      const planned = count(wanted, ranges, ownId, own);
      const possible = subtract(ranges.map(toIdRange), [
        {start: 0, size: 1},
        {start: 4_294_967_295, size: 100},
        ...(own ? [{start: ownId, size: 1}] : []),
      ]);
      if (own && ownId === 0) return t.like(planned, {rule: 'plan-host-root'});
      t.is(planned.ok, wanted <= countIds(possible) + (own ? 1 : 0));
      if (!planned.ok) return;
      mustPass(planned, ownId, ranges);
      for (let id = 0; id < wanted; id += 1) if (toHostId(planned.map, id) === undefined) t.fail(`id ${id}`);
      t.is(idCount(planned.map), wanted);
      t.is(toHostId(planned.map, wanted), undefined);
      if (own) t.is(toHostId(planned.map, 0), ownId);
    }),
    {numRuns: 1000},
  );
  t.pass();
});

test('planned mappings pass the kernel and newuidmap, and are kept as they are', (t) => {
  const mappings = fc.array(
    fc.record({containerId: fc.nat(30), hostId: fc.nat(60), size: fc.integer({min: 1, max: 5})}),
    {maxLength: 3},
  );
  fc.assert(
    fc.property(someRanges, fc.nat(60), mappings, (ranges, ownId, map) => {
      const planned = planIdMap({wanted: {kind: 'mappings', mappings: map}, owned: {ownId, ranges}});
      if (planned.ok) {
        mustPass(planned, ownId, ranges);
        t.deepEqual(planned.map, map);
      } else if (planned.rule === 'plan-not-granted') t.true(planned.missing.length > 0);
      else t.true(planned.rule === 'plan-host-root' || findWriteProblem(map) !== undefined);
    }),
    {numRuns: 1000},
  );
  t.pass();
});

test('a pod of any block of a pseudo-host can be mapped by one line', (t) => {
  fc.assert(
    fc.property(
      someRanges,
      fc.integer({min: 1, max: 60}),
      fc.integer({min: 1, max: 12}),
      (ranges, ownId, blockSize) => {
        const planned = planPseudoHost({ownId, ranges, blockSize});
        const free = subtract(ranges.map(toIdRange), [
          {start: 0, size: 1},
          {start: ownId, size: 1},
          {start: 4_294_967_295, size: 100},
        ]);
        if (!planned.ok) return t.is(free.length, 0);
        mustPass(planned, ownId, ranges);
        t.true(planned.blocks.length > 0);
        const node = new UserNamespace({
          parent: new UserNamespace(),
          owner: ownId,
          group: ownId,
          creatorHadSetfcap: false,
        });
        node.installIdMap('uid', planned.map);
        const nodeRoot = makeCredentials({userns: node, uid: ownId, gid: ownId});
        let end = 65_536;
        for (const {start, size, reduced} of planned.blocks) {
          t.true(start >= end && (reduced ? size < blockSize : size === blockSize));
          end = start + size;
          const pod = new UserNamespace({parent: node, owner: ownId, group: ownId, creatorHadSetfcap: true});
          t.true(checkMapWrite({file: 'uid_map', target: pod, opener: nodeRoot, text: `0 ${start} ${size}`}).ok);
        }
        t.is(
          planned.reduced,
          free.every((range) => range.size < blockSize),
        );
        if (!planned.reduced)
          t.is(
            planned.blocks.length,
            free.reduce((sum, range) => sum + Math.floor(range.size / blockSize), 0),
          );
        t.is(countIds(planned.unused) + idCount(planned.map) - 1, countIds(free));
      },
    ),
    {numRuns: 1000},
  );
  t.pass();
});
