import {execFile, execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {UsageError} from '../../native-free/errors.ts';
import {EarlyText} from '../../src/pty/early-text.ts';
import {shellQuote} from '../../src/pty/shell-quote.ts';
import {openPrepared, openTerminal, type Terminal} from '../../src/pty/terminal.ts';
import {requireArgv, requireSize, requireText} from '../../src/pty/terminal-input.ts';
import {hostTest} from '../helpers/host-test.ts';
import {screenOf} from '../helpers/screen.ts';

/** What a POSIX shell reads from words, each with a zero byte behind it. */
function readByShell(words: readonly string[]): string[] {
  const command = `printf '%s\\0' ${words.map(shellQuote).join(' ')}`;
  return execFileSync('/bin/sh', ['-c', command], {encoding: 'utf8'}).split('\0').slice(0, -1);
}

for (const word of [
  '',
  "'",
  "''",
  "'\\''",
  '\\',
  '\n',
  '\r\n',
  '$(id)',
  '`id`',
  '!',
  '~',
  '-n',
  '%s',
  '*',
  '#x',
  '\u0001\u001b[31m\u007f',
  'żółć 漢字 🎉',
  '"$HOME"',
  'a b\tc',
]) {
  hostTest('linux')(`the shell reads ${JSON.stringify(word)} back as it was`, (t) => {
    t.deepEqual(readByShell([word, 'end']), [word, 'end']);
  });
}

const anyWord = fc
  .oneof(
    fc.string({unit: 'binary', maxLength: 40}),
    fc.string({
      unit: fc.constantFrom(
        "'",
        '"',
        '\\',
        '$',
        '`',
        '\n',
        '\r',
        ' ',
        '!',
        '*',
        'a',
        '\u0001',
        '\u007f',
        '\u0080',
        '🎉',
      ),
      maxLength: 20,
    }),
  )
  .map((word) => word.replaceAll('\0', ''));

hostTest('linux')('the shell reads every list of words back as it was', (t) => {
  t.timeout(120_000);
  fc.assert(
    fc.property(fc.array(anyWord, {minLength: 1, maxLength: 30}), (words) => {
      t.deepEqual(readByShell(words), words);
    }),
    {numRuns: 300},
  );
});

const refusedSizes: readonly (readonly [unknown, unknown, RegExp])[] = [
  [0, 80, /0 rows/],
  [24, 0, /0 columns/],
  [-1, 80, /-1 rows/],
  [65_536, 80, /65536 rows.*1 to 65535/s],
  [1.5, 80, /1\.5 rows/],
  [Number.NaN, 80, /NaN rows/],
  ['24', 80, /24 rows/],
  [24, undefined, /undefined columns/],
];
for (const [rows, columns, message] of refusedSizes) {
  test(`a terminal of ${JSON.stringify([rows, columns])} is refused before the kernel or node-pty sees it`, (t) => {
    t.throws(() => requireSize(rows, columns), {instanceOf: UsageError, code: 'SUBROOT_USAGE', message});
  });
}

test('the smallest and the largest terminal are fine', (t) => {
  t.notThrows(() => requireSize(1, 1));
  t.notThrows(() => requireSize(65_535, 65_535));
});

const refusedArgv: readonly (readonly [unknown, RegExp])[] = [
  [[], /no program/],
  ['sh', /no program/],
  [[''], /name of the program is empty/],
  [['sh', 7], /word 1 of the program is a number/],
  [['sh', 'a\0b'], /word 1 of the program has a zero byte/],
];
for (const [argv, message] of refusedArgv) {
  test(`the program ${JSON.stringify(argv)} is refused`, async (t) => {
    t.throws(() => requireArgv(argv), {instanceOf: UsageError, code: 'SUBROOT_USAGE', message});
    await t.throwsAsync(openTerminal(argv as string[], {rows: 24, columns: 80}), {code: 'SUBROOT_USAGE', message});
  });
}

test('only text can be typed', (t) => {
  t.throws(() => requireText(Buffer.from('x')), {instanceOf: UsageError, message: /object cannot be typed/});
});

test('text that comes before there is a listener is for the first one, and none is twice', (t) => {
  const text = new EarlyText();
  const seen: string[] = [];
  text.push('a');
  text.push('');
  text.push('b');
  text.listen((part) => seen.push(`1${part}`));
  text.push('c');
  text.listen((part) => seen.push(`2${part}`));
  text.push('d');
  t.deepEqual(seen, ['1a', '1b', '1c', '1d', '2d']);
});

/** Programs of this machine, without a pod and without root. */
function onBoth(
  title: string,
  body: (
    t: ExecutionContext,
    open: (argv: readonly string[], size?: {rows: number; columns: number}) => Promise<Terminal>,
  ) => Promise<void>,
): void {
  for (const backend of ['node-pty', 'script'] as const) {
    hostTest('linux', 'stty', backend).serial(`${backend}: ${title}`, async (t) => {
      await body(t, (argv, size = {rows: 24, columns: 80}) => openTerminal(argv, {...size, backend}));
    });
  }
}

onBoth('the pid is the program’s own, and its folder is /', async (t, open) => {
  const screen = await screenOf(t, () => open(['sh', '-c', 'echo $$ $PWD; read end']));
  const [, pid, folder] = await screen.shows(/^(\d+) (\S+)\r\n/);
  t.is(Number(pid), screen.terminal.pid);
  t.is(folder, '/');
  screen.enter('');
  t.is(await screen.ends(), 0);
});

onBoth('the words of the program arrive as they are', async (t, open) => {
  const words = ["it's", '$(id)', 'a\nb', '', '漢字', '-x', '*'];
  const screen = await screenOf(t, () => open(['printf', '[%s]', ...words]));
  t.is(await screen.ends(), 0);
  t.is(screen.text, words.map((word) => `[${word.replace('\n', '\r\n')}]`).join(''));
});

onBoth('the program sees nothing of our environment but PATH', async (t, open) => {
  process.env.SUBROOT_TEST_SECRET = 'secret';
  const screen = await screenOf(t, () => open(['env']));
  t.is(await screen.ends(), 0);
  const names = [...screen.text.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  t.deepEqual(
    names.filter(
      (name) =>
        !['PATH', 'LC_ALL', 'TERM', 'SHELL', 'PWD', 'OLDPWD', 'SHLVL', '_', 'LINES', 'COLUMNS'].includes(name ?? ''),
    ),
    [],
  );
});

onBoth('the largest size arrives', async (t, open) => {
  const screen = await screenOf(t, () => open(['stty', 'size'], {rows: 65_535, columns: 65_535}));
  t.is(await screen.ends(), 0);
  t.is(screen.text, '65535 65535\r\n');
});

onBoth('each of the program’s ends has its exit code', async (t, open) => {
  for (const [command, expected] of [
    ['exit 0', 0],
    ['exit 255', 255],
    ['kill -INT $$', 130],
    ['kill -SEGV $$', 139],
  ] as const) {
    const screen = await screenOf(t, () => open(['sh', '-c', command]));
    t.is(await screen.ends(), expected, command);
  }
});

onBoth('a program in the background does not keep the terminal from ending', async (t, open) => {
  const screen = await screenOf(t, () => open(['sh', '-c', "trap '' HUP; sleep 3 & echo started; exit 5"]));
  t.is(await screen.ends(), 5);
  t.true(screen.text.startsWith('started\r\n'), screen.text);
});

onBoth('two terminals do not see each other', async (t, open) => {
  const one = await screenOf(t, () => open(['cat']));
  const two = await screenOf(t, () => open(['cat']));
  one.enter('for one');
  two.enter('for two');
  await one.shows(/for one\r\nfor one\r\n/);
  await two.shows(/for two\r\nfor two\r\n/);
  t.notRegex(one.text, /two/);
  t.notRegex(two.text, /one/);
});

hostTest(
  'linux',
  'script',
  'stty',
)('script(1) leaves no word of its own in the output', async (t) => {
  const screen = await screenOf(t, () => openTerminal(['echo', 'alone'], {rows: 24, columns: 80, backend: 'script'}));
  t.is(await screen.ends(), 0);
  t.is(screen.text, 'alone\r\n');
});

hostTest(
  'linux',
  'script',
  'stty',
)('a program too long for script(1) is refused with the size that fits', async (t) => {
  const argv = ['echo', 'x'.repeat(131_072)];
  await t.throwsAsync(openTerminal(argv, {rows: 24, columns: 80, backend: 'script'}), {
    instanceOf: UsageError,
    message: /13\d{4} bytes.*131072/s,
  });
});

hostTest('linux')('without script(1) the message says so', async (t) => {
  // In a process of its own: PATH is everybody's here.
  const folder = mkdtempSync(join(tmpdir(), 'subroot-path-'));
  t.teardown(() => rmSync(folder, {recursive: true, force: true}));
  symlinkSync('/bin/sh', join(folder, 'sh'));
  const program = `
    const {openTerminal} = await import(${JSON.stringify(new URL('../../src/pty/terminal.ts', import.meta.url).href)});
    process.env.PATH = ${JSON.stringify(folder)};
    await openTerminal(['sh'], {rows: 24, columns: 80, backend: 'script'}).catch(error => console.log(error.code, error.shortMessage));`;
  const {stdout} = await promisify(execFile)(process.execPath, ['--import=tsx', '--input-type=module', '-e', program]);
  t.regex(stdout, /^SUBROOT_TERMINAL_MISSING .*script\(1\) is not installed/);
});

test('a prepared program whose terminal cannot be opened leaves no plan', async (t) => {
  let discarded = 0;
  const program = {argv: [], isPending: () => true, failure: async () => undefined, discard: () => void discarded++};
  await t.throwsAsync(openPrepared(program, {rows: 24, columns: 80}), {code: 'SUBROOT_USAGE'});
  t.is(discarded, 1);
});

for (const backend of ['node-pty', 'script'] as const) {
  hostTest(
    'linux',
    'stty',
    backend,
  )(`${backend}: a helper that dies before it starts the program is an error with its exit code`, async (t) => {
    let discarded = 0;
    const program = {
      argv: ['sh', '-c', 'exit 9'],
      isPending: () => discarded === 0,
      failure: async () => undefined,
      discard: () => void discarded++,
    };
    await t.throwsAsync(openPrepared(program, {rows: 24, columns: 80, backend}), {
      code: 'SUBROOT_AGENT_FAILED',
      message: /ended with 9/,
    });
    t.true(discarded > 0);
  });
}
