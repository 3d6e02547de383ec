import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {podsSchema, runSchema} from '../../src/cli/pod-schemas.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {isSleeping, manifest, marker, shell, wake, withScene} from './pod-scene.ts';
import {findSchemaFaults} from './validate-schema.ts';

const it = hostTest('root', 'userns', 'perl');
const stays = manifest('stays', [shell('main', 'sleep infinity')]);
const job = (script: string) => manifest('job', [shell('main', script)], {restartPolicy: 'Never'});

it('run starts the pod of a file and shows its proof, plain and on standard output', async (t) => {
  const scene = await withScene(t);
  const file = join(dirname(scene.root), 'pod.json');
  writeFileSync(file, `\uFEFF${stays.replaceAll('"host"', '"debian"')}`);
  const {exitCode, stdout, stderr} = await scene.subroot(['run', file, '--image', 'debian=host']);
  t.is(exitCode, 0, stderr);
  t.is(stderr, '');
  t.notRegex(stdout, /\x1b/);
  t.regex(stdout, /^pod stays {2}[0-9a-f]{13} {2}containers: main\nmode host: /);
  t.is(stdout.match(/✔ differs/g)?.length, 3);
  t.regex(
    stdout,
    /root in the pod is uid \d+ outside: nobody\. ready in [0-9.]+ ms\.\nnext: subroot exec -it stays sh /,
  );

  const again = await scene.subroot(['run', file, '--image', 'debian=host']);
  t.is(again.exitCode, 1);
  t.is(again.stdout, '');
  t.regex(again.stderr, /there is a pod stays already .*`subroot rm stays`.* \[SUBROOT_POD_NAME_TAKEN\]\n$/s);
  const other = await scene.subroot(['run', file, '--image', 'debian=host', '--name', 'other', '-o', 'json']);
  t.is(other.exitCode, 0);
  const value = JSON.parse(other.stdout) as {pods: {name: string; evidence: {isolated: boolean}}[]};
  t.deepEqual(findSchemaFaults(runSchema, value), []);
  t.is(value.pods[0]?.name, 'other');
  t.true(value.pods[0]?.evidence.isolated);
});

it('run --dry-run does nothing at all', async (t) => {
  const scene = await withScene(t);
  const text = await scene.subroot(['run', '-', '--dry-run'], stays);
  t.is(text.exitCode, 0);
  t.regex(text.stdout, /^pod default\/stays {2}\(dry run: nothing was made\)\n/);
  t.false(existsSync(scene.root));
  const {stdout} = await scene.subroot(['run', '-', '--dry-run', '-o', 'json'], stays);
  t.deepEqual(findSchemaFaults(runSchema, JSON.parse(stdout)), []);
  t.false(existsSync(scene.root));
  t.deepEqual(scene.left(), []);
});

it.serial('run --wait passes output on as it comes and ends as the container does', async (t) => {
  const scene = await withScene(t);
  const mark = marker();
  const {child, ended, seen} = scene.start('run', '-', '--wait', '--rm');
  child.stdin.end(job(`echo first; echo wrong >&2; sleep ${mark}; echo last; exit 7`));
  await until('the first line is there while the container runs', () => seen().stdout === 'first\n');
  wake(mark);
  const {exitCode, stdout, stderr} = await ended;
  t.is(exitCode, 7);
  t.is(stdout, 'first\nlast\n');
  t.regex(stderr, /^pod job .*nobody\. ready in .*\nwrong\n/s);
  await scene.expectNothingLeft();
});

it('run --wait -o json keeps standard output for the value, which says how each container ended', async (t) => {
  const scene = await withScene(t);
  const text = manifest('job', [shell('a', 'echo of a'), shell('b', 'sleep 0.1; exit 4')], {restartPolicy: 'Never'});
  const {exitCode, stdout, stderr} = await scene.subroot(['run', '-', '--wait', '-o', 'json'], text);
  t.is(exitCode, 4);
  t.is(stderr, 'job/a: of a\n');
  const value = JSON.parse(stdout) as {pods: {containers: {name: string; exitCode: number}[]}[]};
  t.deepEqual(findSchemaFaults(runSchema, value), []);
  t.deepEqual(
    value.pods[0]?.containers.map(({name, exitCode}) => [name, exitCode]),
    [
      ['a', 0],
      ['b', 4],
    ],
  );
  t.is((await scene.subroot(['pods', '-q'])).stdout, 'job\n');
});

it.serial('run --wait starts again what fails, with all that each attempt wrote, and says what happens', async (t) => {
  const scene = await withScene(t);
  const script = 'echo x >> /dev/shm/tries; n=$(wc -l < /dev/shm/tries); echo try $n; test $n -ge 3';
  const text = manifest('again', [shell('main', script)], {restartPolicy: 'OnFailure'});
  const {exitCode, stdout, stderr} = await scene.subroot(
    ['run', '-', '--wait', '--backoff', '10ms,20ms', '-o', 'json'],
    text,
  );
  t.is(exitCode, 0, stderr);
  const isNote = (line: string) => /^subroot: again\/main: Back-off restarting failed container main /.test(line);
  t.deepEqual(
    stderr.split('\n').filter((line) => !isNote(line)),
    ['try 1', 'try 2', 'try 3', ''],
  );
  const value = JSON.parse(stdout) as {pods: {containers: object[]}[]};
  t.deepEqual(findSchemaFaults(runSchema, value), []);
  t.like(value.pods[0]?.containers[0], {name: 'main', exitCode: 0, restarts: 2});
  t.is((await scene.subroot(['logs', 'again'])).stdout, 'try 3\n');
  t.is((await scene.subroot(['logs', '-p', 'again'])).stdout, 'try 2\n');
  const pods = await scene.subroot(['pods']);
  t.regex(pods.stdout, /Ready +0\/1 +Completed +2 +again /);
  const {items} = JSON.parse((await scene.subroot(['pods', '-o', 'json'])).stdout) as {items: object[]};
  t.deepEqual(findSchemaFaults(podsSchema, {items}), []);
  t.like(items[0], {life: {supervised: false, phase: 'Succeeded', restarts: 2}});
});

it.serial('run --wait looks after a pod until Ctrl-C, and says what others may see of it', async (t) => {
  const scene = await withScene(t);
  const probe = {exec: {command: ['test', '-e', '/dev/shm/ready']}, periodSeconds: 1};
  const text = manifest('web', [shell('main', 'sleep infinity', {readinessProbe: probe})]);
  const {child, ended, seen} = scene.start('run', '-', '--wait');
  child.stdin.end(text);
  await until('the probe’s failure is told', () =>
    seen().stderr.includes('subroot: web/main: Readiness probe failed:'),
  );
  scene.remember();
  t.regex((await scene.subroot(['pods'])).stdout, /Ready +0\/1 +Running +0 +web /);
  t.is((await scene.subroot(['exec', 'web', 'touch', '/dev/shm/ready'])).exitCode, 0);
  await until('it is ready', async () => (await scene.subroot(['pods'])).stdout.includes('1/1'));
  const {info} = JSON.parse((await scene.subroot(['inspectp', 'web'])).stdout) as {
    info: {life: {conditions: object[]}};
  };
  t.like(info.life, {supervised: true, phase: 'Running', ready: {count: 1, total: 1}});
  t.like(info.life.conditions.at(-1), {type: 'Ready', status: 'True'});
  child.kill('SIGINT');
  const {exitCode, stderr} = await ended;
  t.is(exitCode, 130);
  t.regex(stderr, /still there, and nobody looks after it: `subroot rm web` removes it\n$/);
  t.regex((await scene.subroot(['pods'])).stdout, /Ready +\? +Running +0 +web /);
});

it.serial('a pod that another command stops or removes ends its run --wait', async (t) => {
  for (const verb of ['stop', 'rm']) {
    const scene = await withScene(t);
    const {child, ended} = scene.start('run', '-', '--wait');
    child.stdin.end(manifest('web', [shell('main', 'trap "exit 0" TERM; while :; do sleep 0.05; done')]));
    await until('it runs', async () => (await scene.subroot(['pods', '-q'])).stdout === 'web\n');
    scene.remember();
    const {exitCode, stderr} = await scene.subroot([verb, 'web']);
    t.is(exitCode, 0, stderr);
    t.is((await ended).exitCode, verb === 'stop' ? 0 : 137);
  }
});

it('without --wait nobody looks after a pod, and run says what that means', async (t) => {
  const scene = await withScene(t);
  const probe = {tcpSocket: {port: 80}};
  const {exitCode, stderr} = await scene.subroot(
    ['run', '-'],
    manifest('web', [shell('main', 'sleep infinity', {livenessProbe: probe})], {restartPolicy: 'OnFailure'}),
  );
  t.is(exitCode, 0);
  t.is(
    stderr,
    'subroot: warning: web: nobody looks after a pod without --wait: nothing is probed or started again (containers[0].livenessProbe, restartPolicy)\n',
  );
});

it('a container that ends at once is an error with its last lines, and the pods go again', async (t) => {
  const scene = await withScene(t);
  const ends = manifest('ends', [shell('main', 'echo one; echo two; exit 3')]);
  const {exitCode, stderr} = await scene.subroot(['run', '-'], `${stays}---\n${ends}`);
  t.is(exitCode, 1);
  t.regex(stderr, /container main of pod ends ended at once with exit code 3: sh -c .*; it said: one \/ two\n/);
  t.regex(stderr, /\[SUBROOT_CONTAINER_EXITED\]\n$/);
  await scene.expectNothingLeft();
});

it('a pod that may end well is no error', async (t) => {
  const scene = await withScene(t);
  const {exitCode, stderr} = await scene.subroot(['run', '-'], job('true'));
  t.is(exitCode, 0);
  t.regex(stderr, /^(subroot: container main of pod job has ended already, with exit code 0\n)?$/);
});

it('when one pod cannot be started, those before it go again', async (t) => {
  const scene = await withScene(t);
  const bad = manifest('bad', [{name: 'main', image: 'host', command: ['no-such-program']}]);
  const plain = await scene.subroot(['run', '-'], `${stays}---\n${bad}`);
  t.is(plain.exitCode, 127);
  t.regex(plain.stderr, /\[SUBROOT_COMMAND_NOT_FOUND\]\n$/);
  t.is((await scene.subroot(['run', '-', '--wait'], bad.replace('no-such-program', '/etc/passwd'))).exitCode, 126);
  await scene.expectNothingLeft();
});

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  it.serial(`${signal} during the start leaves nothing`, async (t) => {
    const scene = await withScene(t);
    const mark = marker();
    const slow = manifest('slow', [shell('main', 'sleep infinity')], {
      initContainers: [shell('init', `sleep ${mark}`)],
    });
    const {child, ended} = scene.start('run', '-');
    child.stdin.end(`${stays}---\n${slow}`);
    await until('the init container runs', () => isSleeping(mark));
    scene.remember();
    child.kill(signal);
    t.is((await ended).exitCode, exitCode);
    await scene.expectNothingLeft();
  });
}

it.serial('Ctrl-C while waiting: with --rm nothing stays, without it the pod does, and that is said', async (t) => {
  const scene = await withScene(t);
  for (const flags of [['--rm'], []]) {
    const mark = marker();
    const {child, ended} = scene.start('run', '-', '--wait', ...flags);
    child.stdin.end(job(`sleep ${mark}`));
    await until('it runs', () => isSleeping(mark));
    scene.remember();
    // It has read the manifest, shown the proof, and waits.
    child.kill('SIGINT');
    const {exitCode, stderr} = await ended;
    t.is(exitCode, 130);
    const stays = !flags.includes('--rm') && stderr.includes('no longer waiting');
    t.is((await scene.subroot(['pods', '-q'])).stdout, stays ? 'job\n' : '');
    if (stays) t.regex(stderr, /`subroot rm job` removes it\n$/);
    else await scene.expectNothingLeft();
  }
});

it('what a manifest has that is not honoured is told with its place', async (t) => {
  const scene = await withScene(t);
  const text =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: job}\nspec:\n  hostUsers: false\n  colour: red\n  containers: [{name: main, image: host, command: [sleep, infinity]}]\n';
  const {exitCode, stderr} = await scene.subroot(['run', '-', '--dry-run'], text);
  t.is(exitCode, 0);
  t.regex(stderr, /^subroot: warning: standard input:6:\d+: spec\.colour: unknown field\n$/);
});

interface Mistake {
  readonly title: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly exitCode?: number;
  readonly says: RegExp;
}

const mistakes: readonly Mistake[] = [
  {title: 'no file', args: [], says: /`subroot run` needs <file>/},
  {
    title: 'a file that is not there',
    args: ['no-such.yaml'],
    says: /no-such\.yaml \(ENOENT\).*\[SUBROOT_MANIFEST_UNREADABLE\]/s,
  },
  {title: 'a folder', args: ['examples'], says: /examples is a folder.*such as examples\/[a-z-]+\.yaml/s},
  {title: 'a file without end', args: ['/dev/zero'], says: /a manifest may have \d+.*\[SUBROOT_MANIFEST_TOO_BIG\]/s},
  {title: 'an empty manifest', args: ['-'], says: /standard input has no pod in it.*\[SUBROOT_MANIFEST_EMPTY\]/s},
  {title: 'no YAML', args: ['-'], input: 'a: [', says: /\[SUBROOT_MANIFEST_SYNTAX\]/},
  {title: 'two pods of one name', args: ['-'], input: `${stays}---\n${stays}`, says: /has two pods stays/},
  {
    title: 'one name for two pods',
    args: ['-', '--name', 'x'],
    input: `${stays}---\n${job('true')}`,
    says: /--name names one pod/,
  },
  {title: 'an unknown flag', args: ['-', '--imge', 'a=host'], says: /did you mean --image\?/},
  {
    title: '--image without a source',
    args: ['-', '--image', 'debian'],
    input: stays,
    says: /write --image NAME=SOURCE/,
  },
  {
    title: '--image with an empty source',
    args: ['-', '--image', 'debian='],
    input: stays,
    says: /write --image debian=host/,
  },
  {
    title: 'a name that is none of an image',
    args: ['-'],
    input: stays.replace('"host"', '"Alpine:3"'),
    says: /Alpine:3 is no name of an image.*\[SUBROOT_IMAGE_NAME_INVALID\]/s,
  },
  {
    title: 'an unknown Kubernetes version',
    args: ['-', '--kubernetes', '1.99'],
    input: stays,
    says: /\[SUBROOT_KUBERNETES_VERSION\]/,
  },
  {
    title: '--ids-per-pod that is no number',
    args: ['-', '--ids-per-pod', '64k'],
    input: stays,
    says: /--ids-per-pod 65536/,
  },
  {title: '--backoff without --wait', args: ['-', '--backoff', '1s'], input: stays, says: /add --wait/},
  {
    title: 'a --backoff that is no duration',
    args: ['-', '--wait', '--backoff', 'soon'],
    input: stays,
    says: /write --backoff 10s,5m/,
  },
  {
    title: 'a --backoff that shrinks',
    args: ['-', '--wait', '--backoff', '5s,1s'],
    input: stays,
    says: /shorter than the first/,
  },
  {title: '--rm without --wait', args: ['-', '--rm'], input: stays, says: /add --wait/},
  {
    title: 'an unknown mode',
    args: ['-', '--mode', 'root'],
    input: stays,
    says: /choose one of auto, host, subid, single/,
  },
];

for (const {title, args, input, exitCode = 2, says} of mistakes) {
  it(`a mistake is answered with what and how to mend it, and nothing is made: ${title}`, async (t) => {
    const scene = await withScene(t);
    const result = await scene.subroot(['run', ...args], input);
    t.is(result.exitCode, exitCode, result.stderr);
    t.is(result.stdout, '');
    t.regex(result.stderr, says);
    t.regex(result.stderr, /\nTo mend: .* \[SUBROOT_[A-Z_]+\]\n$/);
    t.false(existsSync(scene.root));
  });
}

it('an image is a folder with a root file system', async (t) => {
  const scene = await withScene(t);
  const folder = join(dirname(scene.root), 'not-a-rootfs');
  mkdirSync(folder);
  const text = stays.replace('"host"', '"mine:1"');
  const empty = await scene.subroot(['run', '-', '--image', `mine=${folder}`], text);
  t.not(empty.exitCode, 0);
  t.regex(empty.stderr, /\nTo mend: /);
  const missing = await scene.subroot(['run', '-', '--image', `mine=${folder}/nope`], text);
  t.not(missing.exitCode, 0);
  t.regex(missing.stderr, /nope/);
  await scene.expectNothingLeft();
});
