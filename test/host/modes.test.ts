import {execFileSync} from 'node:child_process';
import {chownSync, readFileSync} from 'node:fs';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import type {Evidence, GcReport} from '../../src/index.ts';
import {ChildNode, type ChildPod, runCli} from '../helpers/child-node.ts';
import {fakeUser, inUserNamespace} from '../helpers/fake-user.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {mapTextOf, namespacesOf, sharedFolder, sharing, statusField} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

/** A start of ids for this process's users, where nobody else's pods are looked for. */
let next = 2_200_000_000 + (process.pid % 500) * 1_000_000;
function grant(size: number): {first: number; line: string} {
  next += 1_000_000;
  return {first: next, line: `NAME:${next}:${size}\n`};
}

/** The uid that made a user namespace, as this machine sees it: NS_GET_OWNER_UID, ioctl_ns(2). */
function ownerOf(pid: number): number {
  const script =
    'open my $ns, "<", $ARGV[0] or die; my $uid = pack "L", 0; ioctl $ns, 0xb704, $uid or die; print unpack "L", $uid';
  return Number(execFileSync('perl', ['-e', script, `/proc/${pid}/ns/user`], {encoding: 'utf8'}));
}

function firstOf(pod: ChildPod): number {
  return Number(mapTextOf(pod.pid).split(' ')[1]);
}

// ── with subordinate ids

userTest.serial(
  'four granted blocks are four pods with disjoint ids; the fifth is refused with who has them',
  async (t) => {
    const {first, line} = grant(4 * 65_536);
    const user = await fakeUser(t, {subuid: line});
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
    t.is(child.mode, 'subid');
    t.regex(
      child.reason,
      new RegExp(`^${user.name} owns 4 blocks of subordinate ids: newuidmap maps an outer namespace`),
    );
    const pods = await Promise.all(Array.from({length: 4}, (_, index) => child.run({name: `p${index}`})));
    const firsts = pods.map(firstOf).sort((a, b) => a - b);
    t.deepEqual(
      firsts,
      [0, 1, 2, 3].map((index) => first + index * 65_536),
    );
    for (const pod of pods) {
      const base = firstOf(pod);
      t.is(mapTextOf(pod.pid, 'uid_map'), `0 ${base} 65536`);
      t.is(mapTextOf(pod.pid, 'gid_map'), `0 ${base} 65536`);
      t.is(statusField(pod.pid, 'Uid')?.split('\t')[1], String(base));
      t.deepEqual(pod.block, {first: base, size: 65_536});
      t.is(ownerOf(pod.pid), base, 'made as the pod’s own base id');
    }
    const answers = await Promise.all(pods.map(({name}) => child.sh(name, 'hostname; id -u; id -G')));
    t.deepEqual(
      answers,
      pods.map(({name}) => `${name}\n0\n0`),
    );
    await t.throwsAsync(child.run({name: 'fifth'}), {
      code: 'SUBROOT_POOL_EXHAUSTED',
      message: /4 of 4 blocks are in use, held by /,
    });
    const [freed] = pods;
    await child.call('remove', freed?.name);
    const late = await child.run({name: 'fifth'});
    t.is(firstOf(late), freed?.block?.first ?? -1);
    await child.kill();
    await lab.untilNothingIsLeft('the process was killed');
  },
);

userTest.serial('what the evidence of an unprivileged pod says is what root of the machine sees', async (t) => {
  const {line} = grant(65_536);
  const user = await fakeUser(t, {subuid: line});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  const pod = await child.run();
  const base = firstOf(pod);
  const evidence = await child.call<Evidence>('evidence', pod.name);
  t.is(evidence.mode, 'subid');
  t.is(evidence.hostMeans, 'host');
  t.true(evidence.isolated);
  t.deepEqual(evidence.userNamespace, {
    pod: namespacesOf(pod.pid).user,
    host: namespacesOf('self').user,
    differs: true,
  });
  t.is(evidence.process.hostUid, base);
  t.is(evidence.file.hostUid, base);
  t.is(evidence.file.podUid, 0);
  t.regex(evidence.uidMap.pod, new RegExp(`^0 (65536|${base}) 65536$`));
  await child.call('close');
  lab.spared.add(child.pid);
  await lab.untilNothingIsLeft('close');
  await child.kill();
});

userTest.serial('a detached pod of a user is found, entered and removed by another process of theirs', async (t) => {
  const {line} = grant(2 * 65_536);
  const user = await fakeUser(t, {subuid: line});
  const lab = await makeLab(t, {uid: user.uid});
  const how = {...lab.child, prefix: user.prefix};
  const options = {root: lab.root, lifetime: 'detached'} as const;
  const input = {name: 'web', volumes: [{name: 'v', emptyDir: {}}], volumeMounts: [{name: 'v', mountPath: '/v'}]};
  const starter = await ChildNode.open(t, options, how);
  const pod = await starter.run({...input, command: ['sh', '-c', 'echo up; sleep infinity']});
  await starter.sh('web', 'echo kept > /v/file; chown 1000:1000 /v/file');
  const holder = {pid: pod.pid, startTime: startTimeOf(pod.pid) ?? ''};
  process.kill(starter.agentPid, 'SIGKILL');
  await starter.kill();
  t.true(isProcessAlive(holder));
  const other = await ChildNode.open(t, options, how);
  t.is((await other.call<ChildPod>('find', 'web')).id, pod.id);
  t.is(await other.sh('web', 'cat /v/file; stat -c %u /v/file'), 'kept\n1000');
  t.deepEqual(
    (await other.call<{text: string}[]>('logs', 'web')).map(({text}) => text),
    ['up'],
  );
  const beside = await other.run({name: 'beside'});
  t.not(firstOf(beside), firstOf(pod));
  t.deepEqual(await other.call('gc'), {removed: [], quarantined: []});
  const cli = await runCli(['--root', lab.root, 'exec', 'web', 'id', '-u'], how);
  t.is(cli.stdout, '0\n', cli.stderr);
  await other.call('remove', 'web');
  t.false(isProcessAlive(holder));
  await other.call('remove', 'beside');
  t.deepEqual(await other.call('pods'), []);
  await other.call('close');
  await other.kill();
  await lab.untilNothingIsLeft('both pods were removed');
});

userTest.serial('a grant of 1000 ids gives one pod of 1000, and says that it is reduced', async (t) => {
  const {first, line} = grant(1000);
  const user = await fakeUser(t, {subuid: line});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  t.is(child.mode, 'subid');
  t.regex(child.reason, /owns 1 block of subordinate ids \(reduced: 1000 ids, a pod should have 65536\)/);
  const pod = await child.run();
  t.is(mapTextOf(pod.pid), `0 ${first} 1000`);
  t.deepEqual(pod.block, {first, size: 1000});
  t.is(
    await child.sh(
      pod.name,
      ': > /tmp/x; chown 999:999 /tmp/x; stat -c "%u %g" /tmp/x; chown 1000 /tmp/x 2>/dev/null || echo no',
    ),
    '999 999\nno',
  );
  await child.call('remove', pod.name);
  await t.throwsAsync(child.run({securityContext: {runAsUser: 1000}}), {
    code: 'SUBROOT_CONFIG_INVALID',
    message: /run_as_user: id 1000 is not in the pod's map, which has ids 0 to 999/,
  });
  await child.call('close');
  await child.kill();
});

userTest.serial('a grant that covers uids and gids unevenly gives what both have', async (t) => {
  const {first} = grant(0);
  const user = await fakeUser(t, {subuid: `NAME:${first}:196608\n`, subgid: `NAME:${first + 300_000}:131072\n`});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  t.regex(child.reason, /owns 2 blocks/);
  const pod = await child.run();
  const uidFirst = Number(mapTextOf(pod.pid, 'uid_map').split(' ')[1]);
  const gidFirst = Number(mapTextOf(pod.pid, 'gid_map').split(' ')[1]);
  t.true(uidFirst >= first && uidFirst + 65_536 <= first + 196_608);
  t.true(gidFirst >= first + 300_000 && gidFirst + 65_536 <= first + 431_072);
  await child.call('close');
  await child.kill();
});

// ── with one id

userTest.serial('without subordinate ids a pod has one id, and the mode says so', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  t.is(child.mode, 'single');
  t.regex(child.reason, new RegExp(`^one id only: user ${user.name} has no subordinate ids in /etc/subuid`));
  const [one, two] = [await child.run(), await child.run()];
  for (const pod of [one, two]) {
    t.is(mapTextOf(pod.pid, 'uid_map'), `0 ${user.uid} 1`);
    t.is(mapTextOf(pod.pid, 'gid_map'), `0 ${user.uid} 1`);
    t.is(readFileSync(`/proc/${pod.pid}/setgroups`, 'latin1').trim(), 'deny');
    t.is(statusField(pod.pid, 'Uid')?.split('\t')[1], String(user.uid));
  }
  t.not(namespacesOf(one.pid).user, namespacesOf(two.pid).user);
  t.is(
    await child.sh(one.name, 'id -u; : > /tmp/x; stat -c %u /tmp/x; chown 1 /tmp/x 2>/dev/null || echo no'),
    '0\n0\nno',
  );
  const evidence = await child.call<Evidence>('evidence', one.name);
  t.is(evidence.mode, 'single');
  t.is(evidence.process.hostUid, user.uid);
  t.deepEqual(
    evidence.uidMap.pod,
    `0 ${user.uid} 1`.replace(String(user.uid), evidence.uidMap.pod.split(' ')[1] ?? ''),
  );
  await t.throwsAsync(child.run({securityContext: {runAsUser: 1}}), {
    code: 'SUBROOT_CONFIG_INVALID',
    message: /run_as_user: id 1/,
  });
  await child.kill();
  await lab.untilNothingIsLeft('the process was killed');
});

userTest.serial('a folder of this machine needs mode host, and the refusal says so', async (t) => {
  const folder = await sharedFolder(t);
  const {line} = grant(65_536);
  for (const grants of [{}, {subuid: line}]) {
    const user = await fakeUser(t, grants);
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
    await t.throwsAsync(child.run(sharing(folder)), {
      code: 'SUBROOT_VOLUME_NO_IDMAP',
      message: new RegExp(`the mounts of ${folder} cannot have shifted ids: only root .* this is mode ${child.mode}`),
    });
    t.deepEqual(await child.call('pods'), []);
    await child.call('close');
    await child.kill();
  }
});

userTest.serial('mode single can be asked for, and subid is not replaced by it', async (t) => {
  const {line} = grant(65_536);
  const user = await fakeUser(t, {subuid: line});
  const lab = await makeLab(t, {uid: user.uid});
  const how = {...lab.child, prefix: user.prefix};
  const child = await ChildNode.open(t, {root: lab.root, mode: 'single'}, how);
  t.is(child.mode, 'single');
  t.is(child.reason, 'one id only: asked for');
  t.is(mapTextOf((await child.run()).pid), `0 ${user.uid} 1`);
  await child.call('close');
  await child.kill();
  const nobody = await fakeUser(t);
  const otherLab = await makeLab(t, {uid: nobody.uid});
  const other = await ChildNode.start(t, {...otherLab.child, prefix: nobody.prefix});
  await t.throwsAsync(other.call('open', {root: otherLab.root, mode: 'subid'}), {code: 'SUBROOT_SUBID_NONE'});
  await other.kill();
});

for (const [mode, size] of [
  ['subid', 65_536 * 2],
  ['single', 0],
] as const) {
  userTest.serial(
    `mode ${mode}: killed with its agent, a bound node leaves nothing that the next gc does not remove`,
    async (t) => {
      const {first, line} = grant(size);
      const user = await fakeUser(t, size === 0 ? {} : {subuid: line});
      const lab = await makeLab(t, {uid: user.uid});
      lab.ranges.push({first, length: size});
      const how = {...lab.child, prefix: user.prefix};
      const options = {root: lab.root, mode, prepare: {ranges: 1}};
      const child = await ChildNode.open(t, options, how);
      await child.run({volumes: [{name: 'v', emptyDir: {}}], volumeMounts: [{name: 'v', mountPath: '/v'}]});
      process.kill(child.agentPid, 'SIGKILL');
      await child.kill();
      await until('no process is left', () => lab.processes().length === 0, {
        deadlineMs: 15_000,
        seen: () => lab.processes().join('\n'),
      });
      const next = await ChildNode.open(t, {root: lab.root, mode}, how);
      const {quarantined, removed} = await next.call<GcReport>('gc');
      t.deepEqual(quarantined, []);
      t.is(removed.filter(({kind}) => kind === 'pod').length, 1, JSON.stringify(removed));
      await next.call('close');
      await next.kill();
      await lab.untilNothingIsLeft('gc');
    },
  );
}

// ── what is not handed on

hostTest('root', 'userns', 'perl', 'setpriv').serial(
  'the groups of whoever starts a node reach no pod, with a user namespace or without',
  async (t) => {
    const lab = await makeLab(t);
    const prefix = ['setpriv', '--groups=1234,5678', '--'];
    for (const lifetime of ['bound', 'detached'] as const) {
      const child = await ChildNode.open(t, {...lab.options, lifetime}, {...lab.child, prefix});
      t.is(statusField(child.pid, 'Groups'), '1234 5678', 'the control');
      for (const hostUsers of [false, true]) {
        const {name, pid} = await child.run({hostUsers});
        const [{pid: init} = {pid: -1}] = await child.call<{pid: number}[]>('containers', name);
        t.is(statusField(pid, 'Groups'), '', `${lifetime} ${hostUsers}: the holder`);
        t.is(statusField(init, 'Groups'), '', `${lifetime} ${hostUsers}: the container`);
        t.is(await child.sh(name, 'id -G'), '0', `${lifetime} ${hostUsers}: a program that joins`);
        await child.call('remove', name);
      }
      await child.call('close');
      await child.kill();
    }
  },
);

// ── inside a user namespace

rootTest.serial(
  'in a user namespace with blocks to give, pods have blocks of it, and host means the caller',
  async (t) => {
    const lab = await makeLab(t);
    const {first} = lab.pool;
    chownSync(lab.root, first, first);
    const prefix = inUserNamespace(first, 3 * 65_536);
    const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix});
    t.is(child.mode, 'host');
    t.regex(child.reason, /user namespace|caller/);
    const pods = [await child.run(), await child.run()];
    // Pids are the same here: the child has no pid namespace of its own. Block 0 is the namespace's own.
    t.deepEqual(pods.map(firstOf).sort(), [first + 65_536, first + 2 * 65_536]);
    await t.throwsAsync(child.run(), {code: 'SUBROOT_POOL_EXHAUSTED', message: /2 of 2 blocks are in use/});
    for (const pod of pods) {
      const evidence = await child.call<Evidence>('evidence', pod.name);
      t.is(evidence.hostMeans, 'caller');
      t.true(evidence.isolated);
      t.is(evidence.uidMap.host, `0 ${first} 196608`);
      t.is(evidence.process.hostUid + first, firstOf(pod));
    }
    t.is(await child.sh(pods[0]?.name ?? '', 'id -u; wc -l < /proc/self/uid_map'), '0\n1');
    await child.call('close');
    chownSync(lab.root, 0, 0);
    execFileSync('chown', ['-R', '0:0', lab.root]);
  },
);

rootTest.serial('in a user namespace with one id, pods have that id, and both are said', async (t) => {
  const lab = await makeLab(t);
  const {first} = lab.pool;
  chownSync(lab.root, first, first);
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: inUserNamespace(first, 1)});
  t.is(child.mode, 'single');
  t.regex(
    child.reason,
    /^one id only: we are in a user namespace that has no ids from 65536 on \(its map is 0 \d+ 1\)/,
  );
  const pod = await child.run();
  t.is(mapTextOf(pod.pid), `0 ${first} 1`);
  const evidence = await child.call<Evidence>('evidence', pod.name);
  t.deepEqual([evidence.mode, evidence.hostMeans], ['single', 'caller']);
  await t.throwsAsync(child.call('open', {root: lab.root, mode: 'host'}), {
    code: 'SUBROOT_MODE_HOST_NO_IDS',
    message: /two blocks of 65536 at least/,
  });
  await child.call('close').catch(() => {});
  execFileSync('chown', ['-R', '0:0', lab.root]);
});

userTest.serial('`unshare -Ur` of a user is a root with one id too', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: [...user.prefix, 'unshare', '-Ur']});
  t.is(child.mode, 'single');
  const pod = await child.run();
  t.is(mapTextOf(pod.pid), `0 ${user.uid} 1`);
  const evidence = await child.call<Evidence>('evidence', pod.name);
  t.is(evidence.hostMeans, 'caller');
  await child.call('close');
  await child.kill();
});
