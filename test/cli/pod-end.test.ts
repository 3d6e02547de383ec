import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {endedSchema, gcSchema} from '../../src/cli/pod-schemas.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {isSleeping, manifest, marker, shell, wake, withScene} from './pod-scene.ts';
import {findSchemaFaults} from './validate-schema.ts';

const it = hostTest('root', 'userns', 'perl');
const stays = (name: string, more = {}) => manifest(name, [shell('main', 'exec sleep infinity')], more);
const graceful = 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.05; done';

it('stop asks first and kills at the end of the grace; record and logs stay', async (t) => {
  const scene = await withScene(t);
  await scene.run(`${manifest('kind', [shell('main', graceful)])}---\n${stays('deaf')}`);
  await until('its trap is set', async () => (await scene.subroot(['logs', 'kind'])).stdout === 'ready\n');
  const {exitCode, stdout, stderr} = await scene.subroot(['stop', '-t', '1', 'kind', 'deaf']);
  t.is(exitCode, 0, stderr);
  t.is(stderr, '');
  t.deepEqual(stdout.trim().split('\n').sort(), ['pod deaf stopped', 'pod kind stopped']);
  t.is((await scene.subroot(['logs', 'kind'])).stdout, 'ready\nbye\n');
  const states = (await scene.subroot(['ps', '-a'])).stdout;
  t.regex(states, /Exited \(0\) +main +0 +\S+ +kind/);
  t.regex(states, /Exited \(137\) +main +0 +\S+ +deaf/);

  const again = await scene.subroot(['stopp', 'kind', '-o', 'json']);
  t.is(again.exitCode, 0);
  t.deepEqual(findSchemaFaults(endedSchema, JSON.parse(again.stdout)), []);
  t.like(JSON.parse(again.stdout), {stopped: [{kind: 'pod', name: 'kind', namespace: 'default'}]});
});

it('stop and rm take one container by its id, and its pod goes on', async (t) => {
  const scene = await withScene(t);
  await scene.run(manifest('pair', [shell('a', 'exec sleep infinity'), shell('b', 'exec sleep infinity')]));
  const id = (await scene.subroot(['ps', '-q', '--name', '^a$'])).stdout.trim();
  const stopped = await scene.subroot(['stop', '-t', '0', id.slice(0, 12), id]);
  t.is(stopped.stdout, `container ${id.slice(0, 13)} stopped\n`, stopped.stderr);
  t.regex((await scene.subroot(['ps', '-a'])).stdout, /Exited \(137\) +a .*\n/);
  const removed = await scene.subroot(['rm', id, '-o', 'json']);
  t.deepEqual(JSON.parse(removed.stdout), {removed: [{kind: 'container', id, name: 'a', namespace: 'default'}]});
  t.is((await scene.subroot(['exec', 'pair', 'true'])).exitCode, 0);
  const wrong = await scene.subroot(['rmp', (await scene.subroot(['ps', '-q'])).stdout.trim()]);
  t.is(wrong.exitCode, 2);
  t.regex(wrong.stderr, /is a container, and a pod is meant here/);
});

it('rm leaves nothing; what is not there is an error unless -f is given; others go all the same', async (t) => {
  const scene = await withScene(t);
  await scene.run(['one', 'two', 'three'].map((name) => stays(name)).join('---\n'));
  const some = await scene.subroot(['rm', 'one', 'tow', 'two', 'one']);
  t.is(some.exitCode, 1);
  t.deepEqual(some.stdout.trim().split('\n').sort(), ['pod one removed', 'pod two removed']);
  t.regex(
    some.stderr,
    /^subroot: there is no pod or container tow\n.*did you mean `two`\?.* \[SUBROOT_NOT_FOUND\]\n$/s,
  );
  const second = await scene.subroot(['rm', 'one']);
  t.is(second.exitCode, 1);
  t.deepEqual(await scene.subroot(['rm', '-f', 'one']), {exitCode: 0, signal: null, stdout: '', stderr: ''});
  t.deepEqual(await scene.subroot(['rmp', '-fa']), {
    exitCode: 0,
    signal: null,
    stdout: 'pod three removed\n',
    stderr: '',
  });
  t.is((await scene.subroot(['rm', '--all'])).stdout, 'no pods\n');
  t.is((await scene.subroot(['pods'])).stdout, 'no pods\n');
  t.is((await scene.subroot(['ps', '-a'])).stdout, 'no containers\n');
  await scene.expectNothingLeft();
});

for (const verb of ['stop', 'stopp', 'rm', 'rmp']) {
  it(`${verb} needs words that can be meant`, async (t) => {
    const scene = await withScene(t);
    const none = await scene.subroot([verb]);
    t.is(none.exitCode, 2);
    t.regex(none.stderr, new RegExp(`^subroot: no pod.* was named\n.*\`subroot ${verb} --all\``, 's'));
    const both = await scene.subroot([verb, '--all', 'web']);
    t.is(both.exitCode, 2);
    const time = await scene.subroot([verb, '-t', 'soon', 'web']);
    t.is(time.exitCode, 2);
    t.regex(time.stderr, /--timeout soon is no number of seconds/);
  });
}

it.serial('gc tells and removes what a killed run left, and nothing else', async (t) => {
  const scene = await withScene(t);
  const mark = marker();
  await scene.run(stays('runs'));
  const {child, ended} = scene.start('run', '-');
  child.stdin.end(manifest('half', [shell('main', 'true')], {initContainers: [shell('init', `sleep ${mark}`)]}));
  await until('the init container runs', () => isSleeping(mark));
  scene.remember();
  child.kill('SIGKILL');
  await ended;
  const dry = await scene.subroot(['gc', '--dry-run', '-o', 'json']);
  t.is(dry.exitCode, 0, dry.stderr);
  t.deepEqual(findSchemaFaults(gcSchema, JSON.parse(dry.stdout)), []);
  const {exitCode, stdout} = await scene.subroot(['gc']);
  t.is(exitCode, 0);
  t.true(stdout.length > 0);
  t.is((await scene.subroot(['exec', 'runs', 'true'])).exitCode, 0);
  t.is((await scene.subroot(['pods', '-q', '--name', 'runs'])).stdout, 'runs\n');
});

it('attach without a terminal: both streams apart, standard input to its end, the exit code', async (t) => {
  const scene = await withScene(t);
  const script = 'while read -r line; do echo "got $line"; echo "err $line" >&2; done; exit 6';
  await scene.run(manifest('talk', [shell('main', script, {stdin: true})]));
  const {exitCode, stdout, stderr} = await scene.subroot(['attach', '-i', 'talk'], 'one\ntwo\n');
  t.is(exitCode, 6);
  t.is(stdout, 'got one\ngot two\n');
  t.is(stderr, 'err one\nerr two\n');
  const late = await scene.subroot(['attach', 'talk']);
  t.is(late.exitCode, 125);
  t.regex(late.stderr, /is EXITED; Attach needs it RUNNING/);
});

it.serial('attach tells when the container has no standard input or terminal, and shows it all the same', async (t) => {
  const scene = await withScene(t);
  await scene.run(manifest('plain', [shell('main', 'while :; do echo tick; sleep 0.1; done')]));
  const {child, ended, seen} = scene.start('attach', '-i', '-t', 'plain');
  await until('it shows output', () => /tick\n/.test(seen().stdout));
  t.regex(seen().stderr, /the container has no terminal \(`tty: true`/);
  t.regex(seen().stderr, /the container has no standard input \(`stdin: true`/);
  child.kill('SIGINT');
  t.is((await ended).signal, 'SIGINT');
  t.regex((await scene.subroot(['ps'])).stdout, /Running +main/);
});

it.serial('logs -f goes on until the container ends, or its pod is removed', async (t) => {
  const scene = await withScene(t);
  const mark = marker();
  await scene.run(
    manifest('two', [
      shell('ends', `echo 1; echo 2; sleep ${mark}; echo 3; printf rest`),
      shell('stays', 'echo here; exec sleep infinity'),
    ]),
  );
  const following = scene.start('logs', '-f', '--tail', '1', 'two', '-c', 'ends');
  await until('it shows the last line', () => following.seen().stdout === '2\n');
  wake(mark);
  const ends = await following.ended;
  t.is(ends.exitCode, 0);
  t.is(ends.stdout.replace(/\n$/, ''), '2\n3\nrest');
  const {ended, seen} = scene.start('logs', '-f', 'two', '-c', 'stays');
  await until('it shows what was there', () => seen().stdout === 'here\n');
  await scene.subroot(['rm', 'two']);
  t.is((await ended).exitCode, 0);
});

it('a state folder is what SUBROOT_ROOT or --root says, and one of nobody has no pods', async (t) => {
  const scene = await withScene(t);
  await scene.run(stays('here'));
  const elsewhere = `${scene.root}-else`;
  t.is((await scene.subroot(['pods', '--root', elsewhere])).stdout, 'no pods\n');
  t.is((await scene.subroot(['pods', '-q', '--root', scene.root])).stdout, 'here\n');
  t.true(readdirSync(join(scene.root, 'sandboxes')).length === 1);
});

it('a program that was exec’ed ends with whoever exec’ed it, even when that is killed', async (t) => {
  const scene = await withScene(t);
  await scene.run(stays('web'));
  const mark = marker();
  const {child, ended} = scene.start('exec', 'web', 'sleep', mark);
  await until('the program runs', () => isSleeping(mark));
  child.kill('SIGKILL');
  t.is((await ended).signal, 'SIGKILL');
  await until('it has ended', () => !isSleeping(mark), {deadlineMs: 10_000});
  t.is((await scene.subroot(['exec', 'web', 'true'])).exitCode, 0);
});
