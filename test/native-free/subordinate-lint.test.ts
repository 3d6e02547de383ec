import test from 'ava';
import fc from 'fast-check';
import {
  lintSubordinateIds,
  lintSubordinatePair,
  parseAccounts,
  type SubordinateLintOptions,
} from '../../native-free/subordinate-lint.ts';

const said = (text: string, options: SubordinateLintOptions = {}) =>
  lintSubordinateIds(text, options)
    .filter(({rule}) => rule !== 'subid-kubelet-pool')
    .map(({rule, line, column, endColumn}) => `${line}:${column}-${endColumn ?? ''} ${rule}`);

const rows: readonly (readonly [
  title: string,
  text: string,
  findings: readonly string[],
  options?: SubordinateLintOptions,
])[] = [
  ['a line as useradd writes it', 'anna:100000:65536\n', []],
  ['comments and empty lines', '# who\n\nanna:100000:65536\n', []],
  ['an empty file', '', []],
  ['a word for a number', 'anna:many:65536\n', ['1:6-10 subid-syntax']],
  ['a missing count', 'anna:100000\n', ['1:1-12 subid-syntax']],
  ['a space in the owner', ' anna:100000:65536\n', ['1:1-6 subid-syntax']],
  ['CRLF', 'anna:100000:65536\r\n', ['1:13-18 subid-syntax']],
  ['a comment behind a line', 'anna:100000:65536 # hers\n', ['1:13-25 subid-syntax']],
  ['a count of 0 that delegates nothing', 'anna:100000:0\n', ['1:13-14 subid-syntax']],
  ['0:0, which 4.13 wraps to everything', 'anna:0:0\n', ['1:8-9 subid-wraps']],
  ['0:0 for 4.20 alone', 'anna:0:0\n', ['1:8-9 subid-syntax'], {shadow: '4.20'}],
  ['a negative count', 'anna:5:-5\n', ['1:8-10 subid-wraps']],
  ['past 2^32', 'anna:4294901760:131072\n', ['1:17-23 subid-past-32-bit']],
  ['the last id', 'anna:4294901760:65536\n', ['1:17-22 subid-reaches-last-id']],
  ['one id before the last', 'anna:4294901759:65536\n', []],
  ['a fourth field', 'anna:100000:65536:x\n', ['1:1-20 subid-version-difference']],
  ['a fourth field for 4.13 alone', 'anna:100000:65536:x\n', [], {shadow: '4.13'}],
  ['a fourth field for 4.20 alone', 'anna:100000:65536:x\n', ['1:1-20 subid-syntax'], {shadow: '4.20'}],
  ['an owner with a leading zero', '01500:100000:65536\n', ['1:1-6 subid-version-difference']],
  [
    'octal and hexadecimal',
    'anna:0303240:0x10000\n',
    ['1:6-13 subid-number-notation', '1:14-21 subid-number-notation'],
  ],
  ['no newline at the end', 'anna:100000:65536', ['1:18- subid-final-newline']],
  ['no newline at the end, for 4.13', 'anna:100000:65536', [], {shadow: '4.13'}],
  ['two owners, one range', 'anna:100000:65536\nberta:100000:65536\n', ['2:7-19 subid-overlap']],
  ['one id in common', 'anna:100000:65536\nberta:165535:65536\n', ['2:7-19 subid-overlap']],
  ['side by side', 'anna:100000:65536\nberta:165536:65536\n', []],
  [
    'the later line tells it, whatever the order of ids',
    'berta:165535:65536\nanna:100000:65536\n',
    ['2:6-18 subid-overlap'],
  ],
  [
    'a third that lies in the first',
    'anna:100000:1000000\nberta:2000000:65536\ncarl:300000:65536\n',
    ['3:6-18 subid-overlap'],
  ],
  ['one owner twice', 'anna:100000:65536\nanna:100000:65536\n', ['2:6-18 subid-duplicate']],
  [
    'name and number of one account',
    'anna:100000:65536\n1000:100000:65536\n',
    ['2:1-5 subid-owner-numeric', '2:6-18 subid-duplicate'],
    {users: [{name: 'anna', id: 1000}]},
  ],
  ['ids of the host', 'anna:1000:65536\n', ['1:6-16 subid-host-ids']],
  ['an account inside', 'anna:100000:65536\n', ['1:6-18 subid-covers-account'], {taken: [{name: 'ldap', id: 165535}]}],
  ['an account just outside', 'anna:100000:65536\n', [], {taken: [{name: 'ldap', id: 165536}]}],
  ['few ids', 'anna:100000:65535\n', ['1:13-18 subid-small']],
  ['few ids on each line and enough together', 'anna:100000:32768\nanna:132768:32768\n', []],
  ['nobody of that name', 'otto:100000:65536\n', ['1:1-5 subid-owner-unknown'], {users: [{name: 'anna', id: 1000}]}],
  [
    'an account without a name',
    '1001:100000:65536\n',
    ['1:1-5 subid-owner-unknown'],
    {users: [{name: 'anna', id: 1000}]},
  ],
  ['the line of podman for userns=auto', 'containers:1000000:65536\n', [], {users: [{name: 'anna', id: 1000}]}],
];

for (const [title, text, findings, options] of rows) {
  test(`${title}: ${findings.length === 0 ? 'silent' : findings.join(', ')}`, (t) => {
    t.deepEqual(said(text, options), findings);
  });
}

test('a grant of host id 0 is severe, one of other host ids is not', (t) => {
  const severe = (text: string) =>
    lintSubordinateIds(text).find(({rule}) => rule === 'subid-host-ids')?.severe ?? false;
  t.true(severe('anna:0:65536\n'));
  t.false(severe('anna:1:65536\n'));
});

test('differences between the two files are told by owner', (t) => {
  const names = {here: 'subgid', there: 'subuid'};
  t.deepEqual(lintSubordinatePair('anna:100000:65536\n', 'anna:100000:65536\n', names), []);
  const [changed, missing] = lintSubordinatePair(
    'anna:100000:65536\n',
    'anna:200000:65536\nkubelet:65536:65536\n',
    names,
  );
  t.like(changed, {rule: 'subid-files-differ', line: 1, column: 6});
  t.like(missing, {rule: 'subid-files-differ', line: 1, severe: true});
});

test('accounts are read from passwd and group, and other lines are left out', (t) => {
  t.deepEqual(parseAccounts('root:x:0:0::/root:/bin/sh\n+nis\nbad\n#a:x:1:1\nx:y:z\nanna:x:1000:\n'), [
    {name: 'root', id: 0},
    {name: 'anna', id: 1000},
  ]);
});

const field = fc.oneof(
  fc.constantFrom(
    'anna',
    'kubelet',
    '1000',
    '01',
    '',
    ' ',
    '%x',
    '-5',
    '0',
    '65536',
    '100000',
    '4294967295',
    '4294967296',
    '0x10',
    '9e9',
    '\r',
    '#',
  ),
  fc.string({maxLength: 6}),
);
const anyLine = fc.oneof(
  fc.array(field, {maxLength: 5}).map((parts) => parts.join(':')),
  fc.string({maxLength: 20}),
);

test('whatever the text, every finding stands inside it', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyLine, {maxLength: 12}),
      fc.boolean(),
      fc.constantFrom('4.13', '4.20', undefined),
      (lines, ends, shadow) => {
        const text = lines.join('\n') + (ends ? '\n' : '');
        const users = [{name: 'anna', id: 1000}];
        const found = lintSubordinateIds(text, {users, taken: users, ...(shadow === undefined ? {} : {shadow})});
        const all = text.split('\n');
        for (const {line, column, endColumn, message, mend} of [
          ...found,
          ...lintSubordinatePair(text, 'anna:1:1\n', {here: 'a', there: 'b'}),
        ]) {
          const width = all[line - 1]?.length;
          t.true(width !== undefined && column >= 1 && column <= width + 1, `${line}:${column}`);
          if (endColumn !== undefined) t.true(endColumn > column && endColumn <= (width ?? 0) + 1);
          t.true(message !== '' && mend !== '');
        }
      },
    ),
    {numRuns: 400},
  );
});

test('every pair of ranges that overlap is told, at least once per range that is not free', (t) => {
  const range = fc.record({
    owner: fc.constantFrom('a', 'b', 'c'),
    start: fc.integer({min: 0, max: 30}),
    count: fc.integer({min: 1, max: 12}),
  });
  fc.assert(
    fc.property(fc.array(range, {maxLength: 8}), (ranges) => {
      const text = ranges.map(({owner, start, count}) => `${owner}:${100_000 + start}:${count}\n`).join('');
      const rules = lintSubordinateIds(text).filter(({rule}) => rule === 'subid-overlap' || rule === 'subid-duplicate');
      const isTold = rules.length > 0;
      const collides = ranges.some((a, i) =>
        ranges.some((b, j) => i < j && a.start < b.start + b.count && b.start < a.start + a.count),
      );
      t.is(isTold, collides, text);
      const foreign = ranges.some((a, i) =>
        ranges.some(
          (b, j) => i < j && a.owner !== b.owner && a.start < b.start + b.count && b.start < a.start + a.count,
        ),
      );
      t.is(
        rules.some(({rule}) => rule === 'subid-overlap'),
        foreign,
        text,
      );
    }),
    {numRuns: 500},
  );
});
