import {spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {dir} from 'tmp-promise';
import {idsSchema} from '../../src/cli/schemas.ts';
import {hostTest} from '../helpers/host-test.ts';
import {cliWords, projectFolder, runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

interface IdsJson {
  readonly uid: {
    readonly accounts: readonly {readonly name: string; readonly id: number}[];
    readonly subordinate: readonly unknown[];
  };
  readonly blocks: readonly unknown[];
  readonly conflicts: readonly {readonly rule: string; readonly kind: string}[];
}

test('the JSON of ids fits its schema and has the accounts of this machine and the blocks of the ledger', async (t) => {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  const folder = join(path, 'ledger', 'blocks', '3221225472');
  mkdirSync(folder, {recursive: true});
  writeFileSync(join(folder, 'pod,web-1,5,77,boot,0badcafe-1'), '');
  const {exitCode, stdout, stderr} = await runCli(['ids', '-o', 'json', '--root', path]);
  t.is(exitCode, 0, stderr);
  const value = JSON.parse(stdout) as IdsJson;
  t.deepEqual(findSchemaFaults(idsSchema, value), []);
  t.true(value.uid.accounts.some(({name, id}) => name === 'root' && id === 0));
  t.deepEqual(value.blocks, [{first: 3221225472, last: 3221291007, kind: 'pod', pod: 'web-1'}]);
  const fromEnvironment = await runCli(['ids', '-o', 'json'], {SUBROOT_ROOT: path});
  t.deepEqual((JSON.parse(fromEnvironment.stdout) as IdsJson).blocks, value.blocks);
});

test('ids draws the line, the legend and the pools, plain and within 80 columns', async (t) => {
  const {exitCode, stdout, stderr} = await runCli(['ids']);
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.regex(stdout, /^User ids of this machine\n {9}0 \|/);
  t.regex(stdout, /^One cell is 4,194,304 ids \(64 blocks of 64K\), a row 268,435,456\.$/m);
  t.regex(stdout, /^a {2}accounts +\d+ {2}0/m);
  t.regex(stdout, /^useradd +here +\d+-\d+$/m);
  t.notRegex(stdout, /\x1b/);
});

test('ids --zoom draws that part; --gid draws groups', async (t) => {
  const [zoomed, groups] = await Promise.all([runCli(['ids', '--zoom', '0-1023']), runCli(['ids', '--gid'])]);
  t.regex(zoomed.stdout, /^User ids 0-1023\n {9}0 \|[a+!]/);
  t.regex(zoomed.stdout, /^One cell is 1 id, a row 64\.$/m);
  t.regex(groups.stdout, /^Group ids of this machine\n/);
  t.regex(groups.stdout, /^a {2}groups /m);
});

test('a zoom that is none is a usage error', async (t) => {
  for (const [zoom, message] of [
    ['x', /--zoom cannot be "x"/],
    ['5-1', /ends before it begins/],
  ] as const) {
    const {exitCode, stderr} = await runCli(['ids', '--zoom', zoom]);
    t.is(exitCode, 2);
    t.regex(stderr, message);
  }
});

const rootTest = hostTest('mountns');

rootTest('ids --conflicts names what collides and exits 1, and exits 0 when nothing does', async (t) => {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  const run = (text: string, args: readonly string[]) => {
    writeFileSync(join(path, 'subid'), text);
    // A private mount namespace shows other files in /etc; the machine's own are not touched.
    const script = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"';
    const argv = [
      '-m',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      join(path, 'subid'),
      ...cliWords,
      'ids',
      '--root',
      path,
      ...args,
    ];
    return spawnSync('unshare', argv, {encoding: 'utf8', cwd: projectFolder});
  };
  const clean = run('root:1000000000:65536\n', ['--conflicts']);
  t.is(clean.status, 0, clean.stdout + clean.stderr);
  t.is(clean.stdout, '✔ no claims collide\n');
  const colliding = run('root:1000000000:65536\ndaemon:1000000000:1\n', ['--conflicts']);
  t.is(colliding.status, 1, colliding.stderr);
  t.regex(colliding.stdout, /^✘ subid-overlap \(uids\): \/etc\/subuid lines 1 \(root\) and 2 \(daemon\)/);
  t.regex(colliding.stdout, /\n2 conflicts found\.\n$/);
  const json = run('root:1000000000:65536\ndaemon:1000000000:1\n', ['--conflicts', '-o', 'json']);
  t.is(json.status, 1);
  const value = JSON.parse(json.stdout) as IdsJson;
  t.deepEqual(findSchemaFaults(idsSchema, value), []);
  t.deepEqual(
    value.conflicts.map(({rule, kind}) => [rule, kind]),
    [
      ['subid-overlap', 'uid'],
      ['subid-overlap', 'gid'],
    ],
  );
  const drawn = run('root:1000000000:65536\ndaemon:1000000000:1\n', ['--zoom', '1000000000-1000065535']);
  t.is(drawn.status, 0);
  t.regex(drawn.stdout, /\|!/);
  t.notRegex(readFileSync('/etc/subuid', 'utf8'), /daemon:1000000000/);
});
