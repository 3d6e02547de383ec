import test from 'ava';
import {parse} from 'yaml';
import {inspectPodSchema, inspectSchema, logsSchema, podsSchema, psSchema} from '../../src/cli/pod-schemas.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {isSleeping, manifest, marker, PodScene, shell, wake} from './pod-scene.ts';
import type {CliResult} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

// Commands that only look, or run a program beside the others: all on the same three pods.

const it = hostTest('root', 'userns', 'perl');
const talk = 'for n in 1 2 3; do echo out $n; done; echo err >&2; printf "\\033[31mraw\\377\\n"; exec sleep infinity';
const mark = marker();
const pods = [
  manifest('web', [shell('main', talk)], {labels: {app: 'web', tier: 'front'}}),
  manifest('pair', [shell('one', 'sleep infinity'), shell('two', `sleep ${mark}; echo bye; exit 3`)], {
    namespace: 'team',
    labels: {app: 'pair'},
  }),
  manifest('gone', [shell('main', 'sleep infinity')]),
].join('---\n');

let opened: Promise<PodScene> | undefined;
/** The scene, made by whoever needs it first. */
function shared(): Promise<PodScene> {
  opened ??= (async () => {
    const scene = await PodScene.open();
    await scene.run(pods);
    wake(mark);
    await scene.subroot(['stop', '-t', '0', 'gone']);
    await until(
      'container two has ended',
      async () => (await scene.subroot(['ps', '-q', '-s', 'exited', '--name', 'two'])).stdout !== '',
    );
    return scene;
  })();
  return opened;
}

test.after.always('nothing is left of them', async (t) => {
  await (await opened)?.close();
  t.pass();
});

const run = async (...args: string[]): Promise<CliResult> => (await shared()).subroot(args);
const json = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args)).stdout);
const lines = (result: CliResult): string[] => result.stdout.split('\n').filter((line) => line !== '');

it('pods: a table, plain when piped, newest first', async (t) => {
  const {exitCode, stdout, stderr} = await run('pods');
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.notRegex(stdout, /\x1b/);
  const [heading, ...rows] = stdout.trimEnd().split('\n');
  t.regex(heading ?? '', /^POD ID +CREATED +STATE +READY +STATUS +RESTARTS +NAME +NAMESPACE +MODE +ROOT IS +IDS$/);
  t.is(rows.length, 3);
  t.regex(rows[0] ?? '', /^[0-9a-f]{13} +\d+s +NotReady +\? +\w+ +0 +gone +default +host +uid \d+ +65536$/);
  t.regex(rows[1] ?? '', /Ready +\? +Running +0 +pair +team/);
});

it('pods -q names them for other commands, with --no-trunc by whole ids', async (t) => {
  t.deepEqual(lines(await run('pods', '-q')), ['gone', 'team/pair', 'web']);
  const ids = lines(await run('pods', '-q', '--no-trunc'));
  t.is(ids.length, 3);
  for (const id of ids) t.regex(id, /^[0-9a-f]{64}$/);
  t.is((await run('pods', '-q', '--name', 'nobody')).stdout, '');
});

it('pods picks by state, name, namespace, label, and the newest', async (t) => {
  const cases: [string[], string[]][] = [
    [['-s', 'notready'], ['gone']],
    [
      ['--state', 'ready'],
      ['team/pair', 'web'],
    ],
    [['--name', '^.e'], ['web']],
    [['--namespace', 'team'], ['team/pair']],
    [['--label', 'app=web', '--label', 'tier=front'], ['web']],
    [['--label', 'app=web', '--label', 'tier=back'], []],
    [
      ['-n', '2'],
      ['gone', 'team/pair'],
    ],
    [['--latest'], ['gone']],
  ];
  for (const [flags, names] of cases) t.deepEqual(lines(await run('pods', '-q', ...flags)), names, flags.join(' '));
});

it('pods -o json and yaml are the same value, and it fits its schema', async (t) => {
  const value = (await json('pods', '-o', 'json')) as {items: {labels: Record<string, string>}[]};
  t.deepEqual(findSchemaFaults(podsSchema, value), []);
  t.is(value.items[2]?.labels.app, 'web');
  t.deepEqual(parse((await run('pods', '-o', 'yaml')).stdout), value);
  t.deepEqual(JSON.parse((await run('pods', '--schema')).stdout), podsSchema);
});

it('ps shows what runs, and with -a how the others ended', async (t) => {
  const running = await run('ps');
  t.is(running.exitCode, 0);
  t.regex(running.stdout, /^CONTAINER +IMAGE +CREATED +STATE +NAME +ATTEMPT +POD ID +POD\n/);
  t.notRegex(running.stdout, /Exited/);
  const all = await run('ps', '-a');
  t.regex(all.stdout, /Exited \(3\) +two +0 +[0-9a-f]{13} +team\/pair\n/);
  t.regex(all.stdout, /Exited \(137\) +main +0 +[0-9a-f]{13} +gone\n/);
});

it('ps picks by pod, state, name, image, label, and the newest; -q prints whole ids', async (t) => {
  const cases: [string[], number][] = [
    [['-p', 'team/pair'], 1],
    [['-a', '-p', 'pair'], 2],
    [['-s', 'exited'], 2],
    [['--name', '^tw'], 0],
    [['-a', '--name', '^tw'], 1],
    [['--image', 'host'], 2],
    [['--image', 'debian'], 0],
    [['-a', '--label', 'io.kubernetes.pod.name=pair'], 2],
    [['--last', '3'], 3],
    [['-l'], 1],
  ];
  for (const [flags, count] of cases) {
    const ids = lines(await run('ps', '-q', ...flags));
    t.is(ids.length, count, flags.join(' '));
    for (const id of ids) t.regex(id, /^[0-9a-f]{64}$/);
  }
  const value = await json('ps', '-a', '-o', 'json');
  t.deepEqual(findSchemaFaults(psSchema, value), []);
  t.is((value as {containers: unknown[]}).containers.length, 4);
});

it('inspect and inspectp print JSON by themselves, as crictl does, and what -o asks for else', async (t) => {
  const container = await json('inspect', 'team/pair', '-c', 'two');
  t.deepEqual(findSchemaFaults(inspectSchema, container), []);
  t.like(container, {status: {metadata: {name: 'two'}, state: 'CONTAINER_EXITED', exitCode: 3, reason: 'Error'}});
  const {id} = (container as {status: {id: string}}).status;
  t.deepEqual(await json('inspect', id.slice(0, 10)), container);
  t.deepEqual(parse((await run('inspect', id, '-o', 'yaml')).stdout), container);
  t.regex((await run('inspect', id, '-o', 'table')).stdout, /^status\.metadata\.name +two$/m);

  const pod = await json('inspectp', 'web');
  t.deepEqual(findSchemaFaults(inspectPodSchema, pod), []);
  t.like(pod, {status: {metadata: {name: 'web'}, state: 'SANDBOX_READY'}, info: {mode: 'host', bound: false}});
  t.regex((await run('inspectp', 'web', '-o', 'table')).stdout, /^info\.map\.uid\.0\.size +65536$/m);
});

it('logs keeps the streams apart and the bytes as they were written', async (t) => {
  const {exitCode, stdout, stderr} = await run('logs', 'web');
  t.is(exitCode, 0);
  t.is(stdout, 'out 1\nout 2\nout 3\n\x1b[31mraw\ufffd\n');
  t.is(stderr, 'err\n');
});

it('logs picks by tail, time and bytes, and shows times', async (t) => {
  const tail = await run('logs', 'web', '--tail', '2');
  t.is(tail.stdout.length + tail.stderr.length > 0, true);
  t.is(lines(tail).length + tail.stderr.split('\n').length - 1, 2);
  t.is((await run('logs', 'web', '--tail', '0')).stdout, '');
  t.is(lines(await run('logs', 'web', '--tail', '99')).length, 4);
  t.is(lines(await run('logs', 'web', '--since', '1h30m')).length, 4);
  t.is((await run('logs', 'web', '--since', '2999-01-01T00:00:00Z')).stdout, '');
  const limited = await run('logs', 'web', '--limit-bytes', '8');
  t.is(limited.stdout.length + limited.stderr.length, 8);
  t.regex((await run('logs', 'web', '-t')).stdout, /^\d{4}-\d\d-\d\dT[0-9:.]+Z out 1\n/);
  const value = await json('logs', 'web', '-o', 'json');
  t.deepEqual(findSchemaFaults(logsSchema, value), []);
});

it('JSON of foreign text has no byte that steers a terminal', async (t) => {
  const {stdout} = await run('logs', 'web', '-o', 'json');
  t.notRegex(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  t.true(stdout.includes('\\u001b[31mraw'));
});

it('logs -f of what has ended ends too', async (t) => {
  const {exitCode, stdout} = await run('logs', '-f', 'pair', '-c', 'two');
  t.is(exitCode, 0);
  t.is(stdout, 'bye\n');
});

it('exec keeps the streams apart and ends as the program does', async (t) => {
  const plain = await run('exec', 'web', 'sh', '-c', 'echo out; echo err >&2; exit 5');
  t.deepEqual(plain, {exitCode: 5, signal: null, stdout: 'out\n', stderr: 'err\n'});
  t.is((await run('exec', '-s', 'web', '--', 'sh', '-c', 'kill -9 $$')).exitCode, 137);
  const set = await run('exec', '-e', 'A=b c', '--env', 'D=', '--cwd', '/tmp', 'web', 'sh', '-c', 'echo "$A$D"; pwd');
  t.is(set.stdout, 'b c\n/tmp\n');
});

it('exec -i passes standard input on to its end; without it there is none', async (t) => {
  const scene = await shared();
  const bytes = 'line\n'.repeat(50_000);
  const counted = await scene.subroot(['exec', '-i', 'web', 'wc', '-c'], bytes);
  t.is(counted.stdout.trim(), String(bytes.length));
  t.is((await scene.subroot(['exec', 'web', 'wc', '-c'], 'x')).stdout.trim(), '0');
});

it('exec of what cannot be started: 127 and 126', async (t) => {
  const missing = await run('exec', 'web', 'no-such-program');
  t.is(missing.exitCode, 127);
  t.regex(missing.stderr, /^subroot: cannot start no-such-program: .*\[SUBROOT_COMMAND_NOT_FOUND\]\n$/s);
  const refused = await run('exec', 'web', '/etc/passwd');
  t.is(refused.exitCode, 126);
  t.regex(refused.stderr, /\[SUBROOT_COMMAND_NOT_EXECUTABLE\]\n$/);
});

it('exec --timeout kills the program and what it has started, and ends with 124', async (t) => {
  const mark = marker();
  const {exitCode, stderr} = await run('exec', '--timeout', '0.5', 'web', 'sh', '-c', `sleep ${mark}; true`);
  t.is(exitCode, 124);
  t.regex(stderr, /^subroot: sh did not end within 0\.5 s and was killed\n.*\[SUBROOT_EXEC_TIMEOUT\]\n$/s);
  await until('nothing of it is left', () => !isSleeping(mark), {deadlineMs: 15_000});
});

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  it.serial(`a ${signal} to exec ends the program in the pod and what it has started`, async (t) => {
    const scene = await shared();
    const mark = marker();
    const {child, ended} = scene.start('exec', 'web', 'sh', '-c', `sleep ${mark}; true`);
    await until('it runs', () => isSleeping(mark));
    child.kill(signal);
    t.is((await ended).exitCode, signal === 'SIGTERM' ? 143 : 129);
    await until('nothing of it is left', () => !isSleeping(mark), {deadlineMs: 15_000});
  });
}

it('a pod answers to its name, NAMESPACE/NAME, uid, and the beginning of its id', async (t) => {
  const value = (await json('inspectp', 'team/pair')) as {status: {id: string; metadata: {uid: string}}};
  const {id, metadata} = value.status;
  for (const ref of ['pair', metadata.uid, id, id.slice(0, 12)]) t.deepEqual(await json('inspectp', ref), value, ref);
});

interface Mistake {
  readonly args: readonly string[];
  readonly exitCode: number;
  readonly code: string;
  readonly says: RegExp;
}

const mistakes: readonly Mistake[] = [
  {
    args: ['exec', 'wbe', 'true'],
    exitCode: 125,
    code: 'SUBROOT_NOT_FOUND',
    says: /no pod or container wbe.*did you mean `web`\?/s,
  },
  {args: ['logs', 'par'], exitCode: 1, code: 'SUBROOT_NOT_FOUND', says: /did you mean `pair`\?/},
  {args: ['inspectp', 'x'], exitCode: 1, code: 'SUBROOT_NOT_FOUND', says: /see what there is with `subroot ps -a`/},
  {args: ['ps', '-p', 'wbe'], exitCode: 1, code: 'SUBROOT_NOT_FOUND', says: /no pod wbe.*did you mean `web`/s},
  {args: ['logs', ''], exitCode: 1, code: 'SUBROOT_NOT_FOUND', says: /no pod or container ""/},
  {args: ['exec', 'web'], exitCode: 2, code: 'SUBROOT_USAGE', says: /no program was named.*`subroot exec web sh`/s},
  {args: ['exec', 'web', '-it', 'sh'], exitCode: 2, code: 'SUBROOT_USAGE', says: /`subroot exec -it web sh`/},
  {args: ['exec', '-s', '-i', 'web', 'true'], exitCode: 2, code: 'SUBROOT_USAGE', says: /--sync/},
  {args: ['exec', '-e', 'novalue', 'web', 'true'], exitCode: 2, code: 'SUBROOT_USAGE', says: /write --env NAME=VALUE/},
  {args: ['exec', '--timeout', 'soon', 'web', 'true'], exitCode: 2, code: 'SUBROOT_USAGE', says: /--timeout 30/},
  {args: ['exec', 'gone', 'true'], exitCode: 125, code: 'SUBROOT_WRONG_STATE', says: /is EXITED/},
  {
    args: ['exec', '-c', 'three', 'pair', 'true'],
    exitCode: 2,
    code: 'SUBROOT_POD_HAS_NO_CONTAINER',
    says: /it has one, two/,
  },
  {args: ['attach', 'gone'], exitCode: 125, code: 'SUBROOT_WRONG_STATE', says: /is EXITED/},
  {args: ['attach', '-c', 'two', 'pair'], exitCode: 125, code: 'SUBROOT_WRONG_STATE', says: /is EXITED/},
  {args: ['logs', '-p', 'web'], exitCode: 1, code: 'SUBROOT_NOT_FOUND', says: /no earlier attempt of container main/},
  {args: ['logs', '--tail', 'many', 'web'], exitCode: 2, code: 'SUBROOT_USAGE', says: /--tail 20/},
  {args: ['logs', '--since', 'noon', 'web'], exitCode: 2, code: 'SUBROOT_USAGE', says: /--since 90s/},
  {args: ['pods', '--name', '('], exitCode: 2, code: 'SUBROOT_USAGE', says: /no regular expression/},
  {args: ['pods', '--label', 'app'], exitCode: 2, code: 'SUBROOT_USAGE', says: /KEY=VALUE/},
  {args: ['pods', '-s', 'running'], exitCode: 2, code: 'SUBROOT_USAGE', says: /choose one of ready, notready/},
  {args: ['ps', '-n', 'x'], exitCode: 2, code: 'SUBROOT_USAGE', says: /--last 3/},
  {args: ['ps', '--al'], exitCode: 2, code: 'SUBROOT_USAGE', says: /did you mean --all\?/},
];

for (const {args, exitCode, code, says} of mistakes) {
  it(`a mistake is answered with what and how to mend it: ${args.join(' ')}`, async (t) => {
    const result = await run(...args);
    t.is(result.exitCode, exitCode, result.stderr);
    t.is(result.stdout, '');
    t.regex(result.stderr, says);
    t.true(result.stderr.endsWith(` [${code}]\n`), result.stderr);
  });
}

it('logs -f has no end that a JSON value could have', async (t) => {
  const {exitCode, stderr} = await run('logs', '-f', '-o', 'json', 'web');
  t.is(exitCode, 2);
  t.regex(stderr, /--follow has no end/);
});

it('words that fit a pod and a container are told apart by more digits', async (t) => {
  const {exitCode, stderr} = await run('inspect', '-c', 'one', (lines(await run('ps', '-q'))[0] ?? '').slice(0, 13));
  t.is(exitCode, 2);
  t.regex(stderr, /names a container already, and -c another/);
});
