import {spawn, spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import test from 'ava';
import {commands} from '../../src/cli/commands.ts';
import {exitCodeOf} from '../../src/cli/exit-codes.ts';
import {findCommandIndex} from '../../src/cli/globals.ts';
import {findNearest, typingDistance} from '../../src/cli/nearest.ts';
import {errorSchema, versionSchema} from '../../src/cli/schemas.ts';
import {stateRoot} from '../../src/state-root.ts';
import {hostTest} from '../helpers/host-test.ts';
import {cliWords, projectFolder, runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {version: string};

test('--version prints the version of package.json and nothing else', async (t) => {
  for (const flag of ['--version', '-V'])
    t.deepEqual(await runCli([flag]), {exitCode: 0, signal: null, stdout: `${manifest.version}\n`, stderr: ''});
});

test('what every start loads is node:fs alone', (t) => {
  const source = readFileSync(new URL('../../src/cli/main.ts', import.meta.url), 'utf8');
  const imports = [...source.matchAll(/^import .* from '(.*)';$/gm)].map((match) => match[1]);
  t.deepEqual(imports, ['node:fs']);
});

test('help names every command and every exit code, on standard output and within 80 columns', async (t) => {
  const {exitCode, stdout, stderr} = await runCli(['--help']);
  t.is(exitCode, 0);
  t.is(stderr, '');
  for (const {name, summary} of commands) {
    t.regex(stdout, new RegExp(`^  ${name} `, 'm'));
    t.true(stdout.includes(summary.split(' ').slice(0, 3).join(' ')));
  }
  t.regex(stdout, /0 fine, 1 a check found something, 2 usage, 3 this host cannot, 70/);
  for (const line of stdout.split('\n')) t.true(line.length <= 80, line);
});

test('no command prints the help on standard error and is a usage error', async (t) => {
  const {exitCode, stdout, stderr} = await runCli([]);
  t.is(exitCode, 2);
  t.is(stdout, '');
  t.regex(stderr, /^subroot: pods whose root is nobody\n/);
});

test('the help of every command has its usage line, its examples and the flags of every command', async (t) => {
  await Promise.all(
    commands.map(async ({name, usage, examples, passThrough}) => {
      const {exitCode, stdout, stderr} = await runCli(passThrough === true ? ['help', name] : [name, '--help']);
      t.is(exitCode, 0, stderr);
      const words = usage === '' ? '' : ` ${usage}`;
      const line = passThrough ? ` [flags]${words} [--] <program> [arguments..]` : `${words} [flags]`;
      t.true(stdout.startsWith(`Usage: subroot ${name}${line}\n`), stdout);
      t.true(examples.length > 0);
      for (const [example] of examples) t.true(stdout.includes(`\n  ${example}\n`), example);
      t.regex(stdout, /--output table\|json\|yaml/);
    }),
  );
});

interface UsageCase {
  readonly args: readonly string[];
  readonly message: string;
  readonly mend: string;
}

const usageCases: readonly UsageCase[] = [
  {args: ['mpa'], message: 'there is no command "mpa"', mend: 'did you mean `subroot map`?'},
  {args: ['x1b'], message: 'there is no command "x1b"', mend: 'see `subroot --help` for the commands'},
  {args: ['map', '--frm', 'inside'], message: '`subroot map` has no flag --frm', mend: 'did you mean --from?'},
  {args: ['map', '-z'], message: '`subroot map` has no flag -z', mend: 'see `subroot map --help`'},
  {args: ['--outptu', 'json'], message: '`subroot` has no flag --outptu', mend: 'did you mean --output?'},
  {args: ['map', '--map'], message: '--map has no value', mend: 'see `subroot map --help`'},
  {args: ['map', '-o', 'xml'], message: '--output cannot be "xml"', mend: 'choose one of table, json, yaml'},
  {args: ['map', '--pid', '1', '--pid', '2'], message: '--pid is given twice', mend: 'give it once'},
  {
    args: ['doctor', 'extra'],
    message: '`subroot doctor` does not take "extra"',
    mend: 'write `subroot doctor` with flags only',
  },
  {args: ['completion'], message: '`subroot completion` needs <shell>', mend: 'write `subroot completion <shell>`'},
  {args: ['completion', 'bsh'], message: 'there is no completion for "bsh"', mend: 'did you mean bash?'},
  {
    args: ['completion', 'bash', '--schema'],
    message: '`subroot completion` prints no JSON',
    mend: 'leave --schema out',
  },
];

for (const {args, message, mend} of usageCases) {
  test(`a usage error says what and how to mend it, and exits 2: subroot ${args.join(' ')}`, async (t) => {
    const {exitCode, stdout, stderr} = await runCli(args);
    t.is(exitCode, 2);
    t.is(stdout, '');
    t.true(stderr.startsWith(`subroot: ${message}`), stderr);
    t.regex(stderr, /\nTo mend: .* \[SUBROOT_USAGE\]\n$/);
    t.true(stderr.includes(mend), stderr);
    t.notRegex(stderr, /\n\s+at /);
  });
}

test('with -o json an error is one JSON object on standard error that fits its schema', async (t) => {
  for (const args of [
    ['mpa', '-o', 'json'],
    ['-o=json', 'mpa'],
    ['map', '--nope', '--output=json'],
  ]) {
    const {exitCode, stdout, stderr} = await runCli(args);
    t.is(exitCode, 2);
    t.is(stdout, '');
    const value: unknown = JSON.parse(stderr);
    t.deepEqual(findSchemaFaults(errorSchema, value), []);
    t.like(value, {error: {code: 'SUBROOT_USAGE', layer: 'command line'}});
  }
});

test('with -o yaml results and errors are YAML', async (t) => {
  const {parse} = await import('yaml');
  const failed = await runCli(['mpa', '-o', 'yaml']);
  t.like(parse(failed.stderr), {error: {code: 'SUBROOT_USAGE'}});
  const fine = await runCli(['version', '-o', 'yaml']);
  t.like(parse(fine.stdout), {version: manifest.version, runtimeApi: 'v1'});
});

test('stack traces come with --debug only', async (t) => {
  const {stderr, exitCode} = await runCli(['mpa', '--debug']);
  t.is(exitCode, 2);
  t.regex(stderr, /\[SUBROOT_USAGE\]\n[\s\S]*\n\s+at /);
});

test('what is no error of ours is a bug of ours: exit code 70, no stack, no control bytes', (t) => {
  const script = `const {printFailure} = await import('./src/cli/failure.ts');
process.exitCode = await printFailure(new TypeError('boom\\x1b[2J'), {format: 'table', debug: false});`;
  const argv = ['--import=tsx', '--input-type=module', '-e', script];
  const {status, stdout, stderr} = spawnSync(process.execPath, argv, {cwd: projectFolder, encoding: 'utf8'});
  t.is(status, 70);
  t.is(stdout, '');
  t.is(
    stderr,
    'subroot: subroot has a bug: boom\\x1b[2J\nTo mend: report it with the output of `subroot doctor --output json` [SUBROOT_INTERNAL]\n',
  );
});

test('control bytes of the command line are not printed', async (t) => {
  const {stderr} = await runCli(['\x1b[31mred\x07']);
  t.notRegex(stderr, /[\x1b\x07]/);
  t.true(stderr.includes('\\x1b[31mred\\x07'));
});

test('version tells what it stands on, and its JSON fits the schema that --schema prints', async (t) => {
  const [json, schema, text] = await Promise.all([
    runCli(['version', '-o', 'json']),
    runCli(['version', '--schema']),
    runCli(['version']),
  ]);
  const value: unknown = JSON.parse(json.stdout);
  t.deepEqual(JSON.parse(schema.stdout), versionSchema);
  t.deepEqual(findSchemaFaults(versionSchema, value), []);
  t.like(value, {version: manifest.version, node: process.version, runtimeApi: 'v1'});
  t.regex(text.stdout, new RegExp(`^subroot +${manifest.version.replaceAll('.', '\\.')}\\nnode +v`));
});

test('output is plain when piped, whatever the terminal variables say', async (t) => {
  const {stdout} = await runCli(['--help'], {TERM: 'xterm-256color', COLORTERM: 'truecolor', FORCE_COLOR: '3'});
  t.notRegex(stdout, /\x1b/);
});

test('a reader that closes the pipe is met with silence', async (t) => {
  const words = [...cliWords, 'map', '--map', '0 100000 65536', ...Array.from({length: 4000}, (_, id) => String(id))];
  const child = spawn('/bin/sh', ['-c', '"$@" | head -n 1', 'sh', ...words], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let stdout = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
  });
  const exitCode = await new Promise((resolve) => child.on('close', resolve));
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.is(stdout, 'Level 1: inside\n');
});

hostTest('script')('colour comes on a terminal, and not with NO_COLOR, --no-color or TERM=dumb', async (t) => {
  const onTerminal = (args: string, env: Readonly<Record<string, string>>) => {
    const command = `${cliWords.map((word) => `'${word}'`).join(' ')} ${args}`;
    const base = {PATH: process.env.PATH ?? '', TERM: 'xterm'};
    return spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: projectFolder,
      env: {...base, ...env},
      encoding: 'utf8',
    }).stdout;
  };
  t.regex(onTerminal('--help', {}), /\x1b\[1m/);
  t.notRegex(onTerminal('--help', {NO_COLOR: '1'}), /\x1b/);
  t.notRegex(onTerminal('--help --no-color', {}), /\x1b/);
  t.notRegex(onTerminal('--help', {TERM: 'dumb'}), /\x1b/);
});

test('the command is the first word that is neither a flag nor the value of a flag of every command', (t) => {
  t.is(findCommandIndex(['-o', 'json', '--root', 'map', 'ids']), 4);
  t.is(findCommandIndex(['--root=map', 'ids']), 1);
  t.is(findCommandIndex(['--debug']), -1);
  t.is(findCommandIndex(['--', 'ids']), -1);
  t.is(findCommandIndex([]), -1);
});

test('the nearest word is one with few typing errors, or a longer one that begins with it', (t) => {
  t.is(typingDistance('doctor', 'doctor'), 0);
  t.is(typingDistance('dcotor', 'doctor'), 1);
  t.is(typingDistance('', 'ab'), 2);
  t.is(findNearest('doctr', ['map', 'doctor']), 'doctor');
  t.is(findNearest('comp', ['map', 'completion']), 'completion');
  t.is(findNearest('xyz', ['map', 'doctor']), undefined);
  t.is(findNearest('z', ['map']), undefined);
});

test('the exit code follows from who must act', (t) => {
  const kinds = ['usage', 'config', 'state', 'host', 'tool', 'internal'] as const;
  t.deepEqual(kinds.map(exitCodeOf), [2, 2, 1, 3, 3, 70]);
});

test('the state folder is --root, then SUBROOT_ROOT, then a place that a reboot clears', (t) => {
  t.is(stateRoot('/a', {SUBROOT_ROOT: '/b'}), '/a');
  t.is(stateRoot(undefined, {SUBROOT_ROOT: '/b/../c'}), '/c');
  t.is(stateRoot(undefined, {SUBROOT_ROOT: ''}), stateRoot(undefined, {}));
  if (process.getuid?.() === 0) t.is(stateRoot(undefined, {XDG_RUNTIME_DIR: '/x'}), '/run/subroot');
  else t.is(stateRoot(undefined, {XDG_RUNTIME_DIR: '/x'}), '/x/subroot');
});
