import test from 'ava';
import {plainPaint, terminalPaint} from '../../src/cli/paint.ts';
import {drawLegend, drawRuler, findUsedPart, ownerLetter, planRuler} from '../../src/cli/range-ruler.ts';
import {columns, formatCount, pad, plural, table, textWidth, wrap, wrapAfter} from '../../src/cli/render.ts';

const plain = {paint: plainPaint, width: 80};

test('the width of a text leaves colours and combining marks out and counts wide letters twice', (t) => {
  t.is(textWidth(''), 0);
  t.is(textWidth('abc'), 3);
  t.is(textWidth('\x1b[31mabc\x1b[39m'), 3);
  t.is(textWidth('日本'), 4);
  t.is(textWidth('e\u0301'), 1);
  t.is(pad('日', 4), '日  ');
  t.is(pad('long', 2), 'long');
});

test('words are wrapped at the width, a longer word is never cut, and a command in backticks is one word', (t) => {
  t.deepEqual(wrap('aa bb cc', 5), ['aa bb', 'cc']);
  t.deepEqual(wrap('aaaaaaaa b', 3), ['aaaaaaaa', 'b']);
  t.deepEqual(wrap('', 10), ['']);
  t.deepEqual(wrap('run `usermod --add-subuids 1-2 x`, then go', 12), [
    'run',
    '`usermod --add-subuids 1-2 x`,',
    'then go',
  ]);
  t.deepEqual(wrapAfter('  to mend  ', 'one two three four five', 31), [
    '  to mend  one two three four',
    '           five',
  ]);
});

test('a table has a heading in capitals, flush columns and no spaces at the ends of lines', (t) => {
  const text = table(
    ['name', 'count'],
    [
      ['a', 5],
      ['bbb', 1234],
    ],
    {...plain, right: [1]},
  );
  t.is(text, 'NAME  COUNT\na         5\nbbb    1234');
  t.is(table(['a', 'b'], [['', '']], plain), 'A  B\n');
});

test('a table makes foreign text printable', (t) => {
  t.is(table(['x'], [['\x1b[2Jhi\n']], plain), 'X\n\\x1b[2Jhi\\x0a');
});

test('the last column is wrapped under itself', (t) => {
  t.deepEqual(columns([['ab', 'one two three four five']], 26), ['ab  one two three four', '    five']);
});

test('counts have commas and their plurals', (t) => {
  t.is(formatCount(0), '0');
  t.is(formatCount(65536), '65,536');
  t.is(formatCount(4294967296), '4,294,967,296');
  t.is(plural(1, 'line'), '1 line');
  t.is(plural(1000, 'line'), '1,000 lines');
});

test('the whole id line is 16 rows of 64 cells of 4194304 ids', (t) => {
  const grid = planRuler([], {start: 0, size: 2 ** 32}, 64);
  t.is(grid.rows.length, 16);
  t.is(grid.idsPerCell, 4194304);
  t.true(grid.rows.every((row) => row.length === 64 && row.every(({kind}) => kind === 'free')));
});

test('a zoom starts at a multiple of its cell, ends with its last cell, and 16 rows hold it', (t) => {
  const grid = planRuler([], {start: 100001, size: 65536}, 64);
  t.is(grid.start % grid.idsPerCell, 0);
  t.true(grid.start <= 100001);
  t.true(grid.rows.length <= 16);
  const cells = grid.rows.flat().length;
  t.true(grid.start + cells * grid.idsPerCell >= 165537);
  t.deepEqual(planRuler([], {start: 7, size: 1}, 64).rows, [[{kind: 'free'}]]);
});

test('a cell tells free, one owner in part or in full, several owners, and a collision', (t) => {
  const owners = [
    {label: 'x', ranges: [{start: 0, size: 4}]},
    {
      label: 'y',
      ranges: [
        {start: 6, size: 1},
        {start: 9, size: 1},
      ],
    },
    {label: 'z', ranges: [{start: 8, size: 1}]},
  ];
  const grid = planRuler(owners, {start: 0, size: 1024 * 2 * 2}, 64, [{start: 9, size: 1}]);
  t.is(grid.idsPerCell, 4);
  t.deepEqual(grid.rows[0]?.slice(0, 4), [
    {kind: 'one', owner: 0, full: true},
    {kind: 'one', owner: 1, full: false},
    {kind: 'collision'},
    {kind: 'free'},
  ]);
  t.deepEqual(planRuler(owners, {start: 0, size: 4096}, 64).rows[0]?.[2], {kind: 'several'});
});

test('the ruler folds equal rows, labels each with its first id, and fits 80 columns', (t) => {
  const owners = [{label: 'pods', ranges: [{start: 2 ** 31, size: 2 ** 22}]}];
  const text = drawRuler(owners, plain);
  t.is(
    text,
    `         0 |${'.'.repeat(64)}|
           : 7 more rows like it
2147483648 |a${'.'.repeat(63)}|
2415919104 |${'.'.repeat(64)}|
           : 6 more rows like it
One cell is 4,194,304 ids (64 blocks of 64K), a row 268,435,456.`,
  );
  for (const width of [80, 50, 40])
    for (const line of drawRuler(owners, {...plain, width})
      .split('\n')
      .slice(0, -1))
      t.true(line.length <= width, line);
});

test('the ruler has the same letters with colour and without', (t) => {
  const owners = [
    {label: 'x', ranges: [{start: 0, size: 2 ** 23}]},
    {label: 'y', ranges: [{start: 2 ** 23, size: 5}]},
  ];
  const colored = drawRuler(owners, {paint: terminalPaint, width: 80});
  t.regex(colored, /\x1b\[/);
  t.is(colored.replaceAll(/\x1b\[\d+m/g, ''), drawRuler(owners, plain));
});

test('the legend is the text twin: letter, owner, count and exact ids, merged', (t) => {
  const owners = [
    {
      label: 'anna',
      ranges: [
        {start: 10, size: 5},
        {start: 15, size: 5},
      ],
    },
  ];
  t.is(
    drawLegend(owners, plain),
    '   OWNER  COUNT  IDS\na  anna      10  10-19\n. free   + several owners in one cell   ! a collision',
  );
});

test('owners after the 52nd share a sign', (t) => {
  t.is(ownerLetter(0), 'a');
  t.is(ownerLetter(51), 'Z');
  t.is(ownerLetter(52), '?');
});

test('the used part is a power of two around all owners, and nothing when they spread over the line', (t) => {
  const at = (start: number, size: number) => [{label: 'x', ranges: [{start, size}]}];
  t.deepEqual(findUsedPart(at(0, 1)), {start: 0, size: 131072});
  t.deepEqual(findUsedPart(at(131072, 1)), {start: 0, size: 262144});
  t.is(findUsedPart(at(2 ** 30, 1)), undefined);
  t.is(findUsedPart([]), undefined);
});
