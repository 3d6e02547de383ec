import test from 'ava';
import fc from 'fast-check';
import {
  findSubordinateConflicts,
  mayDelegate,
  parseSubordinateIds,
  rangesOf,
  type ShadowVersion,
  type SubordinateRange,
  toIdRange,
} from '../../native-free/subordinate-ids.ts';
import {idsOf} from './arbitraries.ts';

const versions = ['4.13', '4.20'] as const;
const range = (owner: string, start: number, count: number, line = 1): SubordinateRange => ({
  owner,
  start,
  count,
  line,
  ...(/^[0-9]+$/.test(owner) ? {ownerId: Number(owner)} : {}),
});

test('names, numbers, several lines, comments and blank lines are read', (t) => {
  const text = '# grants\nanna:100000:65536\n\n1001:200000:10\nanna:300000:5\n   \n';
  for (const shadow of versions)
    t.deepEqual(parseSubordinateIds(text, {shadow}), {
      ranges: [range('anna', 100_000, 65_536, 2), range('1001', 200_000, 10, 4), range('anna', 300_000, 5, 5)],
      problems: [],
    });
  t.deepEqual(parseSubordinateIds('', {shadow: '4.20'}), {ranges: [], problems: []});
});

const numbers: readonly (readonly [text: string, value: number])[] = [
  ['100000', 100_000],
  ['0x186a0', 100_000],
  ['0X186A0', 100_000],
  ['0303240', 100_000],
  [' 100000', 100_000],
  ['\t100000', 100_000],
  ['+100000', 100_000],
  ['0', 0],
  ['00', 0],
  ['4294967294', 4_294_967_294],
];

for (const [text, value] of numbers) {
  test(`the number ${JSON.stringify(text)} is ${value}, as strtoul base 0 has it`, (t) => {
    for (const shadow of versions)
      t.deepEqual(parseSubordinateIds(`anna:${text}:1\n`, {shadow}), {ranges: [range('anna', value, 1)], problems: []});
  });
}

const ignored: readonly (readonly [title: string, line: string, field: string, why: RegExp])[] = [
  ['space before the owner', ' anna:1:2', 'owner', /white space in the owner/],
  ['space behind the owner', 'anna :1:2', 'owner', /white space in the owner/],
  ['space at the end', 'anna:1:2 ', 'count', /white space behind the number/],
  ['space behind the first id', 'anna:1 :2', 'start', /white space behind the number/],
  ['a comment at the end', 'anna:1:2 # pods', 'count', /comment/],
  ['a CR at the end', 'anna:1:2\r', 'count', /carriage return/],
  ['no owner', ':1:2', 'owner', /owner is missing/],
  ['no first id', 'anna::2', 'start', /first id is missing/],
  ['no count', 'anna:1:', 'count', /count is missing/],
  ['one field', 'anna', 'start', /first id is missing/],
  ['two fields', 'anna:1', 'count', /count is missing/],
  ['a negative first id', 'anna:-1:2', 'start', /negative/],
  ['a negative count', 'anna:100000:-2', 'count', /negative/],
  ['a word for a number', 'anna:one:2', 'start', /"one" is not a number/],
  ['an octal number with an 8', 'anna:08:2', 'start', /octal/],
  ['0x and no digit', 'anna:0x:2', 'start', /not a number/],
  ['a number past 2^64', 'anna:18446744073709551616:2', 'start', /past 2\^64/],
  ['a group', '%wheel:1:2', 'owner', /"%" has no meaning/],
  ['an at sign', '@all:1:2', 'owner', /"@" has no meaning/],
  ['a wildcard', '*:1:2', 'owner', /"\*" has no meaning/],
  ['a NIS marker', '+anna:1:2', 'owner', /NIS/],
  ['a count of 0', 'anna:1:0', 'count', /count of 0/],
  ['a first id past the last', 'anna:4294967295:1', 'start', /4294967295 is not an id/],
  ['more than 1023 bytes', `${'a'.repeat(1020)}:1:2`, 'line', /1023 bytes/],
];

for (const [title, line, field, why] of ignored) {
  test(`a line with ${title} is ignored, named by line and field, and spoils no other`, (t) => {
    for (const shadow of versions) {
      const {ranges, problems} = parseSubordinateIds(`zoe:5:5\n${line}\nanna:9:9\n`, {shadow});
      t.deepEqual(ranges, [range('zoe', 5, 5, 1), range('anna', 9, 9, 3)]);
      t.is(problems.length, 1);
      t.like(problems[0], {line: 2, field, effect: 'line ignored'} as never);
      t.regex(problems[0]?.why ?? '', why);
    }
  });
}

test('a fourth field is taken by 4.13 and refused by 4.20', (t) => {
  t.deepEqual(parseSubordinateIds('anna:1:2:extra\n', {shadow: '4.13'}).ranges, [range('anna', 1, 2)]);
  t.like(parseSubordinateIds('anna:1:2:extra\n', {shadow: '4.20'}), {
    ranges: [],
    problems: [{line: 1, field: 'line', effect: 'line ignored'}],
  });
});

test('the owner 01500 is uid 1500 for 4.20 and nobody for 4.13', (t) => {
  const user = {name: 'anna', uid: 1500};
  const old = parseSubordinateIds('01500:1:2\n', {shadow: '4.13'});
  t.like(old.problems[0], {line: 1, field: 'owner', value: '01500', effect: 'matches nobody'});
  t.deepEqual(rangesOf(old.ranges, user), []);
  const recent = parseSubordinateIds('01500:1:2\n', {shadow: '4.20'});
  t.deepEqual(recent.problems, []);
  t.is(rangesOf(recent.ranges, user).length, 1);
});

test('a range past 2^32 is cut by 4.13 and ignored by 4.20', (t) => {
  const old = parseSubordinateIds('anna:4294967200:1000\n', {shadow: '4.13'});
  t.deepEqual(old.ranges, [range('anna', 4_294_967_200, 96)]);
  t.like(old.problems[0], {line: 1, field: 'count', value: '1000', effect: 'ids unusable'});
  const recent = parseSubordinateIds('anna:4294967200:1000\n', {shadow: '4.20'});
  t.deepEqual(recent.ranges, []);
  t.like(recent.problems[0], {effect: 'line ignored'});
});

test('a range up to 2^32 is taken by both, with a word on (uid_t)-1', (t) => {
  for (const shadow of versions) {
    const {ranges, problems} = parseSubordinateIds('anna:4294901760:65536\n', {shadow});
    t.deepEqual(ranges, [range('anna', 4_294_901_760, 65_536)]);
    t.like(problems[0], {field: 'count', effect: 'ids unusable'});
  }
  t.deepEqual(parseSubordinateIds('anna:4294901760:65535\n', {shadow: '4.20'}).problems, []);
});

test('on 4.13 a count of 0 from 0, or a negative one past the first id, grants everything, as newuidmap was seen to do', (t) => {
  const old = parseSubordinateIds('anna:3:-5\n', {shadow: '4.13'});
  t.deepEqual(old.ranges, [{...range('anna', 3, 4_294_967_293), wrapped: true}]);
  t.like(old.problems[0], {line: 1, field: 'count', value: '-5', effect: 'grants more than it says'});
  t.deepEqual(parseSubordinateIds('anna:6:-5\n', {shadow: '4.13'}).ranges, []);
  t.deepEqual(parseSubordinateIds('anna:0:0\n', {shadow: '4.13'}).ranges, [
    {...range('anna', 0, 4_294_967_296), wrapped: true},
  ]);
  t.deepEqual(parseSubordinateIds('anna:0:0\n', {shadow: '4.20'}).ranges, []);
  const recent = parseSubordinateIds('anna:3:-5\n', {shadow: '4.20'});
  t.deepEqual(recent.ranges, []);
  t.like(recent.problems[0], {why: 'the number is negative', effect: 'line ignored'});
});

test('a file without a final newline is read by 4.13 and refused whole by 4.20', (t) => {
  const text = 'anna:1:2\nzoe:5:5';
  t.is(parseSubordinateIds(text, {shadow: '4.13'}).ranges.length, 2);
  t.like(parseSubordinateIds(text, {shadow: '4.20'}), {
    ranges: [],
    problems: [{line: 2, field: 'file', effect: 'file refused'}],
  });
});

test('a user has the lines of its name first, then those of its uid and aliases', (t) => {
  const text = '1000:10:1\nalias:20:1\nanna:30:1\nzoe:40:1\n1000:50:1\nanna:60:1\n';
  const {ranges} = parseSubordinateIds(text, {shadow: '4.20'});
  const starts = (user: {name: string; uid: number; aliases?: string[]}) =>
    rangesOf(ranges, user).map(({start}) => start);
  t.deepEqual(starts({name: 'anna', uid: 1000, aliases: ['alias']}), [30, 60, 10, 20, 50]);
  t.deepEqual(starts({name: 'anna', uid: 1000}), [30, 60, 10, 50]);
  t.deepEqual(starts({name: 'max', uid: 7}), []);
  t.deepEqual(starts({name: '1000', uid: 7}), [10, 50]);
});

test('a range may span adjacent and overlapping entries in any order, but no hole', (t) => {
  const ranges = [
    {start: 110, count: 10},
    {start: 100, count: 10},
    {start: 115, count: 10},
    {start: 126, count: 10},
  ];
  const may = (start: number, count: number) => mayDelegate({ranges, ownId: 1000, start, count});
  t.deepEqual(may(100, 25), {ok: true, by: 'subordinate'});
  t.deepEqual(may(100, 27), {ok: false, rule: 'range-not-granted', missing: [{start: 125, size: 1}]});
  t.deepEqual(may(99, 1), {ok: false, rule: 'range-not-granted', missing: [{start: 99, size: 1}]});
});

test('the own id may be mapped alone and not with others', (t) => {
  const may = (start: number, count: number) => mayDelegate({ranges: [], ownId: 1000, start, count});
  t.deepEqual(may(1000, 1), {ok: true, by: 'own-id'});
  t.like(may(1000, 2), {ok: false, rule: 'range-not-granted'});
  t.like(may(1001, 1), {ok: false, rule: 'range-not-granted'});
  t.deepEqual(mayDelegate({ranges: [{start: 1000, count: 1}], ownId: 1000, start: 1000, count: 1}), {
    ok: true,
    by: 'subordinate',
  });
});

test('nothing, and what runs past the last id, may not be mapped', (t) => {
  const ranges = [{start: 0, count: 4_294_967_296}];
  const may = (start: number, count: number) => mayDelegate({ranges, ownId: 1000, start, count});
  t.like(may(5, 0), {ok: false, rule: 'range-empty'});
  t.like(may(4_294_967_294, 1), {ok: true});
  t.like(may(4_294_967_294, 2), {ok: false, rule: 'range-overflow'});
  t.like(may(4_294_967_295, 1), {ok: false, rule: 'range-overflow'});
  t.like(may(-1, 1), {ok: false, rule: 'range-overflow'});
  t.like(may(0, Number.NaN), {ok: false, rule: 'range-overflow'});
});

test('ids granted to two owners are found, with both lines', (t) => {
  const {ranges} = parseSubordinateIds('anna:100:50\nzoe:149:10\nanna:120:5\n1000:500:5\nmax:504:1\n', {
    shadow: '4.20',
  });
  const conflicts = findSubordinateConflicts(ranges);
  t.deepEqual(
    conflicts.map(({why}) => why),
    ['line 1 (anna) and line 2 (zoe) both grant 149', 'line 4 (1000) and line 5 (max) both grant 504'],
  );
  t.is(findSubordinateConflicts(ranges, (a, b) => a.owner === 'max' || b.owner === 'max').length, 2);
  t.deepEqual(
    findSubordinateConflicts(ranges, () => true),
    [],
  );
});

const crookedLine = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('anna', 'zoe', '1000', '01000', ' anna', '#x', '', '+a', '%g', 'ü'),
      fc.constantFrom(':', ':', ':', '::', ' '),
      fc.constantFrom(
        '0',
        '5',
        '100',
        '0x10',
        '010',
        ' 7',
        '7 ',
        '-1',
        '4294967294',
        '4294967295',
        '99999999999999999999',
        'x',
      ),
      fc.constantFrom(':', ':', ':', '', ' :'),
      fc.constantFrom('0', '1', '9', '65536', '4294967296', '18446744073709551615', '', '1\r', '2:extra', '3 # c'),
    )
    .map((parts) => parts.join('')),
  fc.string().map((text) => text.replaceAll('\n', '')),
);

test('no text makes the parser throw, and its ranges are within 2^32', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({unit: 'binary'}),
        fc.array(crookedLine).map((lines) => lines.join('\n')),
      ),
      fc.constantFrom<ShadowVersion>(...versions),
      (text, shadow) => {
        const {ranges, problems} = parseSubordinateIds(text, {shadow});
        for (const {start, count, owner, line} of ranges) {
          t.true(start >= 0 && start < 4_294_967_295 && count >= 1 && start + count <= 4_294_967_296);
          t.true(owner !== '' && line >= 1);
        }
        const lines = problems.map(({line}) => line);
        t.deepEqual(
          lines,
          [...new Set(lines)].sort((a, b) => a - b),
        );
      },
    ),
    {numRuns: 2000},
  );
  t.pass();
});

test('every line is read on its own', (t) => {
  fc.assert(
    fc.property(fc.array(crookedLine), fc.constantFrom<ShadowVersion>(...versions), (lines, shadow) => {
      const whole = parseSubordinateIds(lines.map((line) => `${line}\n`).join(''), {shadow});
      const single = lines.map((line) => parseSubordinateIds(`${line}\n`, {shadow}));
      t.deepEqual(
        whole.ranges,
        single.flatMap(({ranges}, index) => ranges.map((each) => ({...each, line: index + 1}))),
      );
      t.deepEqual(
        whole.problems,
        single.flatMap(({problems}, index) => problems.map((each) => ({...each, line: index + 1}))),
      );
    }),
  );
  t.pass();
});

const someRanges = fc
  .array(fc.record({owner: fc.constantFrom('a', 'b', 'c'), start: fc.nat(40), count: fc.integer({min: 1, max: 10})}), {
    maxLength: 8,
  })
  .map((list) => list.map((each, index) => ({...each, line: index + 1})));

test('written ranges are read back the same', (t) => {
  fc.assert(
    fc.property(someRanges, (ranges) => {
      const text = ranges.map(({owner, start, count}) => `${owner}:${start}:${count}\n`).join('');
      t.deepEqual(parseSubordinateIds(text, {shadow: '4.20'}), {ranges, problems: []});
    }),
  );
  t.pass();
});

test('mayDelegate agrees with sets of ids', (t) => {
  fc.assert(
    fc.property(someRanges, fc.nat(45), fc.nat(15), fc.nat(45), (ranges, start, count, ownId) => {
      const owned = idsOf(ranges.map(toIdRange));
      const wanted = [...idsOf([{start, size: count}])];
      const isOwn = count === 1 && start === ownId;
      const answer = mayDelegate({ranges, ownId, start, count});
      t.is(answer.ok, count > 0 && (isOwn || wanted.every((id) => owned.has(id))));
      if (!answer.ok) t.deepEqual(idsOf(answer.missing), new Set(wanted.filter((id) => !owned.has(id))));
    }),
  );
  t.pass();
});

test('conflicts agree with a comparison of all pairs', (t) => {
  fc.assert(
    fc.property(someRanges, (ranges) => {
      const pairs = ranges.flatMap((first) =>
        ranges
          .filter((second) => second.line > first.line && second.owner !== first.owner)
          .map((second) => {
            const others = idsOf([toIdRange(second)]);
            return {first, second, shared: [...idsOf([toIdRange(first)])].filter((id) => others.has(id))};
          })
          .filter(({shared}) => shared.length > 0),
      );
      const found = findSubordinateConflicts(ranges);
      t.deepEqual(
        found.map(({first, second, start, count}) => ({
          first,
          second,
          shared: [...idsOf([{start, size: count}])],
        })),
        pairs,
      );
    }),
  );
  t.pass();
});
