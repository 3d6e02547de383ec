import {chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {cgroupHost} from '../../src/host/cgroups.ts';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import {createNode, type PodInput, type PodNode, SubrootError} from '../../src/index.ts';
import type {RunningPod} from '../../src/node/running-pod.ts';
import {ChildNode} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest, until, withNode} from '../helpers/host-test.ts';
import {exitOf, initOf, sh} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl', 'cgroup-limits');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

const MiB = 1024 * 1024;

/** The folder of a container's group in the hierarchy that has a controller. */
function folderOf(node: PodNode, containerId: string, controller: string): string {
  const {cgroups = []} = node.runtime.inventory.requireContainer(containerId);
  const index = cgroupHost().bases.findIndex(({controllers}) => controllers.includes(controller));
  return cgroups[index] ?? '';
}

function read(folder: string, v1: string, v2: string): string {
  return readFileSync(join(folder, cgroupHost().version === 1 ? v1 : v2), 'latin1').trim();
}

/** Folders of groups of a pod, in any hierarchy. */
function groupsOf(podId: string): string[] {
  return cgroupHost()
    .bases.map(({folder}) => join(folder, 'subroot', podId))
    .filter(existsSync);
}

async function removed(t: {deepEqual(a: unknown, b: unknown, m?: string): void}, pod: RunningPod): Promise<void> {
  await pod.remove();
  t.deepEqual(groupsOf(pod.id), [], 'its groups are gone');
}

rootTest.serial(
  'limits and requests are those of a group that the container’s programs are in, and exec’ed ones too',
  async (t) => {
    const node = await withNode(t);
    const resources = {requests: {cpu: '250m', memory: '32Mi'}, limits: {cpu: '500m', memory: '64Mi'}};
    const pod = await node.runPod({resources});
    const id = await pod.containerId();
    const [cpu, memory] = [folderOf(node, id, 'cpu'), folderOf(node, id, 'memory')];
    t.is(read(memory, 'memory.limit_in_bytes', 'memory.max'), String(64 * MiB));
    if (cgroupHost().version === 1) {
      t.is(readFileSync(join(cpu, 'cpu.shares'), 'latin1').trim(), '256');
      t.is(readFileSync(join(cpu, 'cpu.cfs_quota_us'), 'latin1').trim(), '50000');
      t.is(readFileSync(join(cpu, 'cpu.cfs_period_us'), 'latin1').trim(), '100000');
    } else t.is(readFileSync(join(cpu, 'cpu.max'), 'latin1').trim(), '50000 100000');
    const init = await initOf(pod);
    const members = () => readFileSync(join(memory, 'cgroup.procs'), 'latin1').trim().split('\n').map(Number);
    t.true(members().includes(init));
    await pod.exec(['sh', '-c', 'sleep 777 > /dev/null 2>&1 &']);
    t.is(members().length, 2);
    // It sees its own group as the root of all.
    t.regex(await sh(pod, 'cat /proc/self/cgroup'), /memory:\/$/m);
    const {status} = await node.runtime.containerStatus({containerId: id});
    t.like(status.resources?.linux, {
      cpuShares: 256,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      memoryLimitInBytes: 64 * MiB,
    });
    await removed(t, pod);
  },
);

rootTest.serial('a program that takes more memory than its limit is killed, which is told as OOMKilled', async (t) => {
  const node = await withNode(t);
  const hungry = ['perl', '-e', 'my $x = "x" x (300 * 1024 * 1024); sleep 1000'];
  const pod = await node.runPod({
    containers: [
      {name: 'hungry', command: hungry, resources: {limits: {memory: '40Mi'}}},
      {name: 'modest', command: ['sleep', '1000'], resources: {limits: {memory: '40Mi'}}},
    ],
  });
  t.is(await exitOf(pod, 'hungry'), 137);
  const status = async (name: string) =>
    (await node.runtime.containerStatus({containerId: await pod.containerId(name)})).status;
  t.like(await status('hungry'), {exitCode: 137, reason: 'OOMKilled'});
  t.like(await status('modest'), {state: 'CONTAINER_RUNNING', reason: ''});
  await pod.stop({gracePeriod: 0});
  t.like(await status('modest'), {exitCode: 137, reason: 'Error'}, 'killed by us, and not for memory');
  t.is((await status('hungry')).reason, 'OOMKilled', 'after a stop too');
  await removed(t, pod);
});

rootTest.serial(
  'the OOM score is the kubelet’s by the class of the pod, for the init and for what is exec’ed',
  async (t) => {
    const node = await withNode(t);
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
    const mayLower =
      (BigInt(`0x${/^CapEff:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]}`) >> 24n) % 2n === 1n;
    const scoreOf = async (resources?: PodInput['resources']) => {
      const pod = await node.runPod(resources ? {resources} : {});
      const score = readFileSync(`/proc/${await initOf(pod)}/oom_score_adj`, 'latin1').trim();
      t.is(await sh(pod, 'cat /proc/self/oom_score_adj'), score);
      const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
      t.is(status.resources?.linux.oomScoreAdj, Number(score));
      await removed(t, pod);
      return Number(score);
    };
    t.is(await scoreOf(), 1000);
    t.is(await scoreOf({limits: {cpu: '100m', memory: '32Mi'}}), mayLower ? -997 : Math.max(-997, own));
    const burstable = await scoreOf({requests: {memory: '32Mi'}});
    t.true(burstable >= 3 && burstable <= 999, String(burstable));
  },
);

rootTest.serial('a pod without resources has no group, and nothing of groups is loaded for it', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  t.deepEqual(groupsOf(pod.id), []);
  t.is(node.runtime.inventory.requireContainer(await pod.containerId()).cgroups, undefined);
  const own = readFileSync('/proc/self/cgroup', 'latin1');
  t.is(readFileSync(`/proc/${await initOf(pod)}/cgroup`, 'latin1'), own);
});

rootTest.serial(
  'an update changes all or nothing, while it runs or before, and is what the status shows',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({resources: {limits: {memory: '64Mi', cpu: '1'}}});
    const containerId = await pod.containerId();
    const memory = folderOf(node, containerId, 'memory');
    const limit = () => read(memory, 'memory.limit_in_bytes', 'memory.max');
    const shown = async () => (await node.runtime.containerStatus({containerId})).status.resources?.linux;
    await node.runtime.updateContainerResources({
      containerId,
      linux: {memoryLimitInBytes: 128 * MiB, memorySwapLimitInBytes: 128 * MiB},
    });
    t.is(limit(), String(128 * MiB));
    t.like(await shown(), {memoryLimitInBytes: 128 * MiB, cpuQuota: 100_000}, 'the rest is left');
    await node.runtime.updateContainerResources({containerId, linux: {cpuQuota: 20_000}});
    t.like(await shown(), {memoryLimitInBytes: 128 * MiB, cpuQuota: 20_000, cpuPeriod: 100_000});
    const error = await t.throwsAsync(
      node.runtime.updateContainerResources({
        containerId,
        linux: {memoryLimitInBytes: 100 * MiB, memorySwapLimitInBytes: 100 * MiB, cpusetCpus: '4000'},
      }),
      {
        instanceOf: SubrootError,
        code: 'SUBROOT_CGROUP_FAILED',
        message: /cpuset\.cpus: E(INVAL|RANGE|NUM|ACCES)|ERANGE/,
      },
    );
    t.truthy(error);
    t.is(limit(), String(128 * MiB), 'what was written before the refusal is set back');
    t.like(await shown(), {memoryLimitInBytes: 128 * MiB});
    for (const [linux, message] of [
      [{cpuShares: -5}, /cpu_shares: -5 is none/],
      [{memoryLimitInBytes: 200 * MiB, memorySwapLimitInBytes: 100 * MiB}, /is less than the limit of memory/],
      [{oomScoreAdj: 1001}, /oom_score_adj: 1001 is above 1000/],
      [{cpusetCpus: '0; rm'}, /no list like 0-3,7/],
      [{unified: {'../x.y': '1'}}, /no file name like memory\.high/],
      [{unified: {'cgroup.procs': '1'}}, /files of the group itself/],
    ] as const)
      await t.throwsAsync(node.runtime.updateContainerResources({containerId, linux}), {
        code: 'SUBROOT_CONFIG_INVALID',
        message,
      });
    const plain = await node.runPod({});
    await t.throwsAsync(
      node.runtime.updateContainerResources({containerId: await plain.containerId(), linux: {cpuShares: 100}}),
      {
        code: 'SUBROOT_CONFIG_INVALID',
        message: /it was started without limits|was started without limits/,
      },
    );
    await t.throwsAsync(node.runtime.updateContainerResources({containerId: 'f'.repeat(64), linux: {}}), {
      code: 'SUBROOT_NOT_FOUND',
    });
  },
);

rootTest.serial(
  'the CRI takes a parent of groups, cpusets, pids and scores, and an update before the start',
  async (t) => {
    const parent = `/subroot-test-${process.pid}/burstable`;
    t.teardown(() => {
      for (const {folder: base} of cgroupHost().bases)
        for (const path of [parent, join(parent, '..')]) if (existsSync(join(base, path))) rmdirSync(join(base, path));
    });
    const node = await withNode(t);
    const metadata = {name: 'grouped', namespace: 'cri', uid: 'uid-grouped', attempt: 0};
    const config = {metadata, linux: {cgroupParent: parent}};
    const {podSandboxId} = await node.runtime.runPodSandbox({config});
    const {containerId} = await node.runtime.createContainer({
      podSandboxId,
      sandboxConfig: config,
      config: {
        metadata: {name: 'c', attempt: 0},
        image: {image: 'host'},
        command: ['sleep', '1000'],
        linux: {
          resources: {cpusetCpus: '0', unified: {'pids.max': '11'}, oomScoreAdj: 500, memoryLimitInBytes: 32 * MiB},
        },
      },
    });
    await node.runtime.updateContainerResources({containerId, linux: {memoryLimitInBytes: 48 * MiB}});
    await node.runtime.startContainer({containerId});
    const folder = (controller: string) => folderOf(node, containerId, controller);
    t.true(folder('memory').includes(`${parent}/`));
    t.is(read(folder('memory'), 'memory.limit_in_bytes', 'memory.max'), String(48 * MiB));
    t.is(readFileSync(join(folder('cpuset'), 'cpuset.cpus'), 'latin1').trim(), '0');
    t.is(readFileSync(join(folder('pids'), 'pids.max'), 'latin1').trim(), '11');
    const run = async (script: string) => node.runtime.execSync({containerId, cmd: ['sh', '-c', script], timeout: 20});
    t.is(String((await run('cat /proc/1/oom_score_adj')).stdout).trim(), '500');
    const forks =
      'my @p; while (@p < 50) { my $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } push @p, $p } my $e = $! + 0; kill "KILL", @p; waitpid $_, 0 for @p; print @p + 0, " $e"';
    const {stdout} = await node.runtime.execSync({containerId, cmd: ['perl', '-e', forks], timeout: 20});
    t.is(String(stdout), '9 11', 'with the init and itself eleven, and then EAGAIN');
    await node.runtime.updateContainerResources({containerId, linux: {oomScoreAdj: 600}});
    t.is(String((await run('cat /proc/1/oom_score_adj')).stdout).trim(), '600');
    const memory = folder('memory');
    await node.runtime.removePodSandbox({podSandboxId});
    t.false(existsSync(memory));
    t.true(existsSync(join(memory, '..')), 'the parent is its maker’s');
    await t.throwsAsync(node.runtime.runPodSandbox({config: {metadata, linux: {cgroupParent: '/a/../../etc'}}}), {
      code: 'SUBROOT_CONFIG_INVALID',
      message: /cgroup_parent: .* leads out of the hierarchy/,
    });
  },
);

rootTest.serial('no group is left of a pod that could not start, nor of one whose program was killed', async (t) => {
  const lab = await makeLab(t);
  const node = await createNode(lab.options);
  await t.throwsAsync(node.runPod({command: ['no-such-program'], resources: {limits: {memory: '32Mi'}}}), {
    code: 'SUBROOT_COMMAND_NOT_FOUND',
  });
  await t.throwsAsync(node.runPod({resources: {limits: {memory: '1'}}}), {instanceOf: SubrootError});
  const ours = () =>
    cgroupHost().bases.flatMap(({folder}) => {
      const path = join(folder, 'subroot');
      return existsSync(path)
        ? readdirSync(path)
            .filter((name) => /^[0-9a-f]{64}$/.test(name))
            .map((name) => join(path, name))
        : [];
    });
  const before = ours();
  await node.close();
  for (const input of [{}, {hostUsers: true, hostPID: true}] as PodInput[]) {
    const child = await ChildNode.open(t, {root: lab.root, pool: lab.pool}, lab.child);
    const pod = await child.run({
      ...input,
      resources: {limits: {memory: '64Mi'}},
      command: ['sh', '-c', 'setsid sleep 4321 & wait'],
    });
    t.is(groupsOf(pod.id).length, cgroupHost().bases.length);
    const members = await until('both are there', () => {
      const pids = readFileSync(
        join(
          groupsOf(pod.id)[0] ?? '',
          readdirSync(groupsOf(pod.id)[0] ?? '').find((name) => name.length === 64) ?? '',
          'cgroup.procs',
        ),
        'latin1',
      )
        .trim()
        .split('\n')
        .map(Number);
      return pids.length === 2 && pids.map((pid) => ({pid, startTime: startTimeOf(pid) ?? ''}));
    });
    await child.kill();
    await lab.untilNothingIsLeft('the process was killed');
    await until('the groups are gone', () => groupsOf(pod.id).length === 0, {seen: () => groupsOf(pod.id).join(' ')});
    t.false(members.some(isProcessAlive));
  }
  // Those of others' pods come and go meanwhile; ours would stay.
  const added = ours().filter((path) => !before.includes(path));
  await until('no group of a failed start stays', () => !added.some(existsSync), {
    deadlineMs: 60_000,
    seen: () => added.join(' '),
  });
});

rootTest.serial('gc removes the groups of a pod whose agent was killed too', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, {root: lab.root, pool: lab.pool}, lab.child);
  const pod = await child.run({resources: {limits: {memory: '64Mi'}}});
  process.kill(child.agentPid, 'SIGKILL');
  await child.kill();
  await until('the pod is dead', () => lab.podProcesses().length === 0);
  t.true(groupsOf(pod.id).length > 0, 'the control: nobody was left to remove them');
  const node = await createNode({...lab.options, lifetime: 'detached'});
  await node.gc();
  t.deepEqual(groupsOf(pod.id), []);
  await node.close();
});

userTest.serial(
  'where no group is delegated the pod runs, and says that its limits are not enforced; requireLimits refuses it',
  async (t) => {
    const first = 2_340_000_000 + (process.pid % 500) * 100_000;
    const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`});
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
    const resources = {limits: {memory: '64Mi', cpu: '500m'}};
    const pod = await child.run({resources});
    t.is(
      await child.sh(pod.name, 'cat /proc/1/oom_score_adj; cat /proc/self/oom_score_adj'),
      '0\n0'.replaceAll('0', readFileSync('/proc/self/oom_score_adj', 'latin1').trim()),
    );
    await child.call('remove', pod.name);
    await child.call('close');
    lab.spared.add(child.pid);
    const strict = await ChildNode.open(t, {root: lab.root, requireLimits: true}, {...lab.child, prefix: user.prefix});
    await t.throwsAsync(strict.run({resources}), {
      code: 'SUBROOT_CGROUP_MISSING',
      message: /limits of container main \(cpu, memory\) cannot be enforced here: /,
    });
    await strict.call('close');
    lab.spared.add(strict.pid);
    await lab.untilNothingIsLeft('close');
    await child.kill();
    await strict.kill();
  },
);

const hugetlbTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv', 'cgroup2-hugetlb');

hugetlbTest.serial(
  'a user to whom a group of v2 is delegated has limits by its controllers, and a warning for the others',
  async (t) => {
    const first = 2_350_000_000 + (process.pid % 500) * 100_000;
    const mount =
      /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'latin1'))?.[1] ?? '';
    const delegated = join(mount, `subroot-delegated-${process.pid}`);
    const leaf = join(delegated, 'session');
    t.teardown(() => {
      for (const folder of [leaf, delegated]) if (existsSync(folder)) rmdirSync(folder);
    });
    const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`, before: `echo $$ > ${leaf}/cgroup.procs`});
    writeFileSync(join(mount, 'cgroup.subtree_control'), '+hugetlb');
    mkdirSync(delegated);
    mkdirSync(leaf);
    for (const folder of [delegated, leaf])
      for (const name of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
        chownSync(join(folder, name), user.uid, user.uid);
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
    const resources = {limits: {'hugepages-2Mi': '4Mi', memory: '64Mi'}};
    const pod = await child.run({name: 'huge', resources});
    const group = join(delegated, 'subroot', pod.id);
    const [container = ''] = readdirSync(group).filter((name) => name.length === 64);
    t.is(readFileSync(join(group, container, 'hugetlb.2MB.max'), 'latin1').trim(), String(4 * MiB));
    const procs = () =>
      readFileSync(join(group, container, 'cgroup.procs'), 'latin1')
        .trim()
        .split('\n');
    t.is(procs().length, 1);
    await child.sh('huge', 'sleep 1000 > /dev/null 2>&1 & grep -c ^0::/$ /proc/self/cgroup');
    t.is(procs().length, 2, 'what is exec’ed is in it too');
    // In the API huge pages come with memory, which no hierarchy delegates here: that limit is told, not made.
    await child.call('remove', 'huge');
    t.false(existsSync(group));
    t.deepEqual(
      readdirSync(delegated).filter((name) => name === 'subroot'),
      [],
    );
    await child.call('close');
    lab.spared.add(child.pid);
    await lab.untilNothingIsLeft('close');
    await child.kill();
  },
);
