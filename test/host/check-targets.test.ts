import {spawn} from 'node:child_process';
import {chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {Target, TargetPod} from '../../src/check/target.ts';
import {openTarget} from '../../src/check/targets/open-target.ts';
import {namespaceOf, readIdMapText, startTimeOf} from '../../src/host/proc.ts';
import {hostTest, processes, until} from '../helpers/host-test.ts';
import {mapTextOf, statusField} from '../helpers/in-pod.ts';

/** Opens a target, and fails the test when anything of it is left at its end: a process, a folder, a control group, the owner of /dev/null. */
async function opened(t: ExecutionContext, word: string): Promise<Target> {
  const before = new Set(readdirSync(tmpdir()));
  const target = await openTarget(word);
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith('subroot-check-') && !before.has(name));
  t.teardown(async () => {
    await target.close();
    const left = () => [
      ...folders.filter((name) => statSync(join(tmpdir(), name), {throwIfNoEntry: false}) !== undefined),
      ...processes()
        .filter(({commandLine}) => folders.some((name) => commandLine.includes(name)))
        .map(({pid, commandLine}) => `process ${pid}: ${commandLine}`),
      ...controlGroups().filter((path) => path.includes(`subroot-check-${process.pid}-`)),
      ...controlGroups().filter((path) => path.includes(`subroot-check-podman-${process.pid}`)),
    ];
    await until(`nothing is left of ${word}`, () => left().length === 0, {seen: () => left().join('\n  ')});
    const {uid, gid} = statSync('/dev/null');
    if (uid !== 0 || gid !== 0) throw new Error(`/dev/null belongs to ${uid}:${gid}`);
  });
  return target;
}

function controlGroups(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .flatMap((line) => {
      const folder = line.split(' ')[4] ?? '';
      return readdirSync(folder).map((name) => join(folder, name));
    });
}

function hostUidOf(pod: TargetPod): string | undefined {
  return statusField(pod.init.pid, 'Uid');
}

const makers = [
  ['oci:runc', 65_536, 'runc'],
  ['oci:crun', 65_536, 'crun'],
  ['podman', 65_536, 'podman'],
  ['bwrap', 1, 'bwrap'],
  ['unshare', 1, 'unshare'],
] as const;

for (const [word, size, tool] of makers) {
  hostTest('root', 'userns', 'setpriv', tool).serial(
    `${word} makes two pods with ranges of their own and a control without a user namespace, and leaves nothing`,
    async (t) => {
      const target = await opened(t, word);
      t.is(target.description.target, word);
      t.regex(target.description.version, /\d/);
      const first = await target.start({name: 'first', userNamespace: true, capabilities: 'default'});
      const second = await target.start({name: 'second', userNamespace: true, capabilities: 'all'});
      const control = await target.start({name: 'control', userNamespace: false, capabilities: 'default'});

      const ranges = [first, second].map((pod) => {
        const [containerId, hostId = 0, length] = mapTextOf(pod.init.pid).split(' ').map(Number);
        t.is(containerId, 0);
        t.is(length, size);
        t.is(hostId % 65_536, 0);
        t.true(hostId >= 65_536);
        t.deepEqual(pod.declared.uids, [{containerId: 0, hostId, size}]);
        t.is(hostUidOf(pod), [hostId, hostId, hostId, hostId].join('\t'));
        return hostId;
      });
      t.not(ranges[0], ranges[1]);
      t.is(readIdMapText(control.init.pid, 'uid_map'), readIdMapText('self', 'uid_map'));
      t.is(namespaceOf(control.init.pid, 'user'), namespaceOf('self', 'user'));
      t.is(hostUidOf(control), '0\t0\t0\t0');
      t.regex(statusField(second.init.pid, 'CapEff') ?? '', /^000001ff/);

      if (target.has('exec')) {
        const said = await first.exec(['sh', '-c', 'id -u; cat; readlink /proc/self/ns/user; exit 7'], {
          input: 'hello\n',
        });
        t.is(said.exitCode, 7);
        t.is(said.stdout, `0\nhello\n${namespaceOf(first.init.pid, 'user')}\n`);
      }
      for (const pod of [first, second, control]) await pod.remove();
      await t.notThrowsAsync(first.remove());
    },
  );
}

for (const [word, tool] of [
  ['oci:runc', 'runc'],
  ['oci:crun', 'crun'],
  ['podman', 'podman'],
] as const) {
  hostTest('root', 'userns', 'setpriv', tool).serial(
    `${word} mounts a folder of the host, whose files get ids of the pod`,
    async (t) => {
      const target = await opened(t, word);
      const folder = mkdtempSync(join(tmpdir(), 'subroot-shared-'));
      t.teardown(() => rmSync(folder, {recursive: true}));
      chmodSync(folder, 0o777);
      const pod = await target.start({
        name: 'mounting',
        userNamespace: true,
        capabilities: 'default',
        mounts: [{hostPath: folder, containerPath: '/shared'}],
      });
      const made = await pod.exec(['touch', '/shared/made']);
      t.is(made.exitCode, 0, made.stderr);
      t.is(statSync(join(folder, 'made')).uid, pod.declared.uids?.[0]?.hostId ?? 0);
    },
  );
}

hostTest('root', 'userns', 'crun').serial('oci:crun shifts the ids of a mount when it is asked to', async (t) => {
  const target = await opened(t, 'oci:crun');
  const folder = mkdtempSync(join(tmpdir(), 'subroot-shared-'));
  t.teardown(() => rmSync(folder, {recursive: true}));
  const pod = await target.start({
    name: 'shifted',
    userNamespace: true,
    capabilities: 'default',
    mounts: [{hostPath: folder, containerPath: '/shared', idmapped: true}],
  });
  const made = await pod.exec(['touch', '/shared/made']);
  t.is(made.exitCode, 0, made.stderr);
  t.is(statSync(join(folder, 'made')).uid, 0);
});

hostTest('root', 'userns', 'runc').serial(
  'two pods of oci:runc have the same ids when that is asked for',
  async (t) => {
    const target = await opened(t, 'oci:runc');
    const range = {hostId: 1_900_019_712, size: 65_536};
    const pods = await Promise.all(
      ['one', 'two'].map((name) => target.start({name, userNamespace: true, capabilities: 'default', range})),
    );
    t.deepEqual(
      pods.map((pod) => mapTextOf(pod.init.pid)),
      ['0 1900019712 65536', '0 1900019712 65536'],
    );
  },
);

hostTest('root', 'runc').serial(
  'what a runtime says when it refuses is in the error, and nothing is left',
  async (t) => {
    const target = await opened(t, 'oci:runc');
    const error = await t.throwsAsync(
      target.start({
        name: 'refused',
        userNamespace: true,
        capabilities: 'default',
        range: {hostId: 4_294_901_760, size: 65_536},
      }),
    );
    t.like(error, {code: 'SUBROOT_TARGET_REFUSED', layer: 'target'});
    t.regex(error?.message ?? '', /^oci:runc refused to create pod refused: .*(nvalid argument|exited)/s);
  },
);

/** A process of its own that makes a pod of a target, says its pid, and stays. */
async function startElsewhere(
  t: ExecutionContext,
  word: string,
): Promise<{kill(): Promise<void>; readonly init: number}> {
  const module = new URL('../../src/check/targets/open-target.ts', import.meta.url).href;
  const script = `import(${JSON.stringify(module)}).then(async ({openTarget}) => {
    const target = await openTarget(process.argv[1]);
    const pod = await target.start({name: 'left', userNamespace: true, capabilities: 'default'});
    console.log(pod.init.pid);
    setInterval(() => {}, 1e6);
  })`;
  const child = spawn(process.execPath, ['--import=tsx', '-e', script, word], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const init = await until('a pod runs elsewhere', () => Number(/^(\d+)\n/.exec(said)?.[1] ?? 0) || undefined, {
    deadlineMs: 60_000,
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return {kill, init};
}

for (const [word, tool, isKept] of [
  ['oci:runc', 'runc', true],
  ['oci:crun', 'crun', true],
  ['podman', 'podman', true],
  ['bwrap', 'bwrap', false],
  ['unshare', 'unshare', false],
] as const) {
  hostTest('root', 'userns', 'setpriv', tool).serial(
    `what a killed run of ${word} left is ${isKept ? 'removed by the next' : 'gone with it'}`,
    async (t) => {
      const {kill, init} = await startElsewhere(t, word);
      const startTime = startTimeOf(init) ?? '';
      const isThere = () => startTimeOf(init) === startTime;
      t.true(isThere());
      await kill();
      if (!isKept) await until('the pod has died', () => !isThere());
      const target = await opened(t, word);
      t.false(isThere());
      t.deepEqual(
        readdirSync(tmpdir()).filter(
          (name) =>
            name.startsWith('subroot-check-') && statSync(join(tmpdir(), name)).isDirectory() && !isOfLiving(name),
        ),
        [],
      );
      t.truthy(target);
    },
  );
}

/** Folders of others' runs, and those whose names tell nothing. */
function isOfLiving(name: string): boolean {
  const [, pid, startTime] = /^subroot-check-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid === undefined || startTimeOf(Number(pid)) === startTime;
}

hostTest('linux')('a process that runs is judged as it is, and is neither changed nor removed', async (t) => {
  const target = await openTarget(`pid:${process.pid}`);
  const [pod] = target.existing;
  t.is(pod?.init.pid, process.pid);
  t.false(target.has('start'));
  await pod?.remove();
  await t.throwsAsync(target.start({name: 'x', userNamespace: true, capabilities: 'default'}), {
    message: /cannot make pods/,
  });
  await t.throwsAsync(pod?.exec(['true']) ?? Promise.resolve(), {message: /from outside only/});
  await target.close();
});

hostTest('linux')('our own container is a target without any right, and runs programs', async (t) => {
  const target = await openTarget('self');
  t.is(target.existing[0]?.init.pid, process.pid);
  t.deepEqual(await target.existing[0]?.exec(['cat'], {input: 'inside'}), {
    exitCode: 0,
    stdout: 'inside',
    stderr: '',
  });
});

for (const [word, why] of [
  ['oci:', /what comes after oci: is missing/],
  ['podman:x', /nothing may follow podman/],
  ['constructor', /there is no constructor/],
  ['', /there is no such one/],
  ['pid:0', /0 is not a pid/],
  ['pid:12x', /12x is not a pid/],
  ['oci:no-such-runtime', /no-such-runtime is not in PATH/],
  ['oci:/nowhere/runc', /it is not there, or no program/],
] as const) {
  hostTest('root')(`"${word}" is refused before anything is made`, async (t) => {
    await t.throwsAsync(openTarget(word), {message: why});
  });
}
