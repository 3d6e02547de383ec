import {execFileSync} from 'node:child_process';
import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import type {NamespaceMode} from '../../native-free/cri.ts';
import {isProcessAlive} from '../../src/host/proc.ts';
import {type PodInput, SubrootError} from '../../src/index.ts';
import {ChildNode} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest, processes, until, withNode} from '../helpers/host-test.ts';
import {initOf, namespacesOf, sh, statusField} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

const all: PodInput = {hostUsers: true, hostNetwork: true, hostPID: true, hostIPC: true};

// ── namespaces of the node

rootTest.serial('a pod has the namespaces of the node that it asks for, and its own others', async (t) => {
  const node = await withNode(t);
  const own = namespacesOf('self');
  const ownName = hostname();
  const cases: readonly (readonly [PodInput, readonly (keyof typeof own)[]])[] = [
    [{hostUsers: true}, ['user']],
    [{hostUsers: true, hostNetwork: true}, ['user', 'net', 'uts']],
    [{hostUsers: true, hostPID: true}, ['user', 'pid']],
    [{hostUsers: true, hostIPC: true}, ['user', 'ipc']],
    [all, ['user', 'net', 'uts', 'pid', 'ipc']],
  ];
  for (const [input, shared] of cases) {
    const pod = await node.runPod({...input, securityContext: {seccompProfile: {type: 'RuntimeDefault'}}});
    const what = JSON.stringify(input);
    const init = namespacesOf(await initOf(pod));
    const exec = await sh(pod, 'for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done');
    t.deepEqual(exec.split('\n'), Object.values(init), `${what}: exec is where the init is`);
    for (const [type, name] of Object.entries(init) as [keyof typeof own, string][])
      t.is(name === own[type], shared.includes(type), `${what}: ${type}`);
    t.is(statusField(await initOf(pod), 'Seccomp'), '2');
    await pod.remove();
    t.is(hostname(), ownName, 'the machine keeps its name');
  }
});

rootTest.serial('on the node’s namespaces a pod sees its network, processes, shared memory and names', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod(all);
  t.is(await sh(pod, 'hostname; echo $HOSTNAME'), `${hostname()}\n${hostname()}`);
  t.is(
    await sh(pod, 'cat /proc/net/dev | wc -l'),
    String(readFileSync('/proc/self/net/dev', 'latin1').split('\n').length - 1),
  );
  t.is(await sh(pod, 'cat /etc/hosts'), readFileSync('/etc/hosts', 'utf8').trimEnd());
  t.is(await sh(pod, 'cat /etc/resolv.conf'), readFileSync('/etc/resolv.conf', 'utf8').trimEnd());
  t.is(await sh(pod, `cat /proc/${process.pid}/comm`), readFileSync('/proc/self/comm', 'latin1').trim());
  const shared = `/dev/shm/subroot-test-${process.pid}`;
  writeFileSync(shared, 'of the machine');
  try {
    t.is(await sh(pod, `cat ${shared}`), 'of the machine');
  } finally {
    rmSync(shared);
  }
  t.is(
    await sh(pod, 'ls /sys/class/net | sort'),
    execFileSync('sh', ['-c', 'ls /sys/class/net | sort'], {encoding: 'utf8'}).trimEnd(),
  );
  t.is(await sh(pod, 'test -w /proc/sysrq-trigger || echo no'), 'no');
  const {status} = await node.runtime.podSandboxStatus({podSandboxId: pod.id});
  t.like(status.linux.namespaces.options, {network: 'NODE', pid: 'NODE', ipc: 'NODE'});
});

rootTest.serial('what a container on the node’s pid namespace started ends with it, and with its pod', async (t) => {
  const node = await withNode(t);
  const command = ['sh', '-c', 'setsid sleep 4242 & sleep 4243 & echo started; wait'];
  const pod = await node.runPod({...all, containers: [{command}, {command: ['sleep', '4244']}]});
  await until('it has started', async () => (await pod.logs()).length > 0);
  const find = () => processes().filter(({commandLine}) => /^sleep 424[234]$/.test(commandLine));
  const found = find();
  t.is(found.length, 3);
  await pod.exec(['sh', '-c', 'sleep 4242 > /dev/null 2>&1 &']);
  await pod.remove();
  await until('all of it is gone', () => !found.some(isProcessAlive));
  t.deepEqual(find(), []);
});

rootTest.serial('an ordinary end of such a container is its exit, and a stop reaches it by signal', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({
    ...all,
    command: ['sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'],
  });
  await until('it is up', async () => (await pod.logs()).length > 0);
  await pod.stop({gracePeriod: 20});
  t.is((await pod.containers())[0]?.exitCode, 7);
});

rootTest.serial('the API refuses the node’s namespaces with hostUsers false, and the CRI with mappings', async (t) => {
  const node = await withNode(t);
  await t.throwsAsync(node.runPod({hostNetwork: true}), {
    code: 'SUBROOT_POD_INVALID',
    message: /spec\.hostNetwork: Forbidden/,
  });
  await t.throwsAsync(node.runPod({hostUsers: true, hostPID: true, shareProcessNamespace: true}), {
    code: 'SUBROOT_POD_INVALID',
    message: /ShareProcessNamespace and HostPID cannot both be enabled/,
  });
  const mapping = {hostId: 3_700_000_000, containerId: 0, length: 65_536};
  const usernsOptions = {mode: 'POD' as const, uids: [mapping], gids: [mapping]};
  const run = (part: {network?: NamespaceMode; pid?: NamespaceMode; ipc?: NamespaceMode}, mapped = true) =>
    node.runtime.runPodSandbox({
      config: {
        metadata: {name: 'x', namespace: 'cri', uid: 'uid-x', attempt: 0},
        linux: {
          securityContext: {
            namespaceOptions: {
              network: part.network ?? 'POD',
              pid: part.pid ?? 'CONTAINER',
              ipc: part.ipc ?? 'POD',
              ...(mapped ? {usernsOptions} : {}),
            },
          },
        },
      },
    });
  for (const field of ['network', 'pid', 'ipc'] as const)
    await t.throwsAsync(run({[field]: 'NODE'}), {
      code: 'SUBROOT_CONFIG_INVALID',
      message: new RegExp(`namespace_options\\.${field}: a pod with a user namespace of its own`),
    });
  await t.throwsAsync(run({network: 'CONTAINER'}, false), {
    message: /network: mode CONTAINER is not supported; it must be POD or NODE/,
  });
  await t.throwsAsync(run({pid: 'TARGET'}, false), {message: /pid: mode TARGET is not supported/});
  t.deepEqual((await node.runtime.listPodSandbox()).items, []);
});

userTest.serial('a user’s pod may have the machine’s network, processes and queues too, as that user', async (t) => {
  const first = 2_320_000_000 + (process.pid % 500) * 100_000;
  const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  const own = namespacesOf('self');
  const pod = await child.run({name: 'shared', ...all});
  const names = await child.sh(
    'shared',
    'for n in net uts pid ipc; do readlink /proc/self/ns/$n; done; hostname; cat /proc/1/comm',
  );
  t.deepEqual(names.split('\n'), [
    own.net,
    own.uts,
    own.pid,
    own.ipc,
    hostname(),
    readFileSync('/proc/1/comm', 'latin1').trim(),
  ]);
  t.is(
    await child.sh(
      'shared',
      'ls /sys/class/net | grep -c . ; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo refused',
    ),
    `${execFileSync('sh', ['-c', 'ls /sys/class/net | grep -c .'], {encoding: 'utf8'}).trim()}\nrefused`,
  );
  t.not(pod.pid, 0);
  await child.call('remove', 'shared');
  await child.call('close');
  lab.spared.add(child.pid);
  await lab.untilNothingIsLeft('close');
  await child.kill();
});

// ── a pid namespace for all containers of a pod

rootTest.serial(
  'containers that share processes see each other’s, filtered and confined each as it says',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({
      shareProcessNamespace: true,
      containers: [
        {
          name: 'a',
          command: ['sleep', '1001'],
          securityContext: {seccompProfile: {type: 'RuntimeDefault'}, runAsUser: 1000},
        },
        {name: 'b', command: ['sleep', '1002'], securityContext: {allowPrivilegeEscalation: false}},
      ],
    });
    const [a, b] = [await initOf(pod, 'a'), await initOf(pod, 'b')];
    t.is(namespacesOf(a).pid, namespacesOf(b).pid);
    t.deepEqual([statusField(a, 'Seccomp'), statusField(a, 'NoNewPrivs')], ['2', '0']);
    t.deepEqual([statusField(b, 'Seccomp'), statusField(b, 'NoNewPrivs')], ['0', '1']);
    const lines = await sh(pod, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "', {container: 'b'});
    for (const word of ['sleep infinity', 'sleep 1001', 'sleep 1002']) t.true(lines.includes(word), word);
  },
);

// ── sysctls

rootTest.serial(
  'sysctls are set in the pod’s namespaces for all its containers, and not in the machine’s',
  async (t) => {
    const node = await withNode(t, {allowedUnsafeSysctls: ['kernel.msgmax', 'net.core.somaxconn']});
    const read = (name: string) =>
      readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'latin1')
        .trim()
        .replace(/\s+/g, ' ');
    const wanted: Readonly<Record<string, string>> = {
      'kernel.shm_rmid_forced': '1',
      'net.ipv4.ip_local_port_range': '20000 30000',
      'net.ipv4.tcp_syncookies': '2',
      'net.ipv4.ping_group_range': '0 1000',
      'net.ipv4.ip_unprivileged_port_start': '80',
      'net.ipv4.ip_local_reserved_ports': '20001-20005',
      'net.ipv4.tcp_keepalive_time': '77',
      'net.ipv4.tcp_fin_timeout': '11',
      'net.ipv4.tcp_rmem': '4096 8192 16384',
      'kernel.msgmax': '4000',
      'net.core.somaxconn': '99',
    };
    const before = Object.fromEntries(Object.keys(wanted).map((name) => [name, read(name)]));
    const sysctls = Object.entries(wanted).map(([name, value]) => ({name, value}));
    for (const extra of [{}, {hostUsers: true}]) {
      const pod = await node.runPod({
        ...extra,
        podSecurityContext: {sysctls},
        containers: [{name: 'a'}, {name: 'b', securityContext: {runAsUser: 1000}}],
      });
      for (const container of ['a', 'b']) {
        for (const [name, value] of Object.entries(wanted))
          t.is(
            (await sh(pod, `cat /proc/sys/${name.replaceAll('.', '/')}`, {container})).replace(/\s+/g, ' '),
            value,
            name,
          );
      }
      await pod.remove();
    }
    t.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, read(name)])), before);
  },
);

rootTest.serial(
  'a sysctl that a namespace does not have, or that the kernel does not take, starts nothing',
  async (t) => {
    const node = await withNode(t, {allowedUnsafeSysctls: ['net.*'], prepare: {sandboxes: 1}});
    const run = (name: string, value: string, extra: PodInput = {}) =>
      node.runPod({...extra, podSecurityContext: {sysctls: [{name, value}]}});
    await t.throwsAsync(run('vm.swappiness', '1'), {
      code: 'SUBROOT_POD_NOT_ADMITTED',
      message: /forbidden sysctl: "vm\.swappiness" not allowlisted/,
    });
    await t.throwsAsync(run('net.ipv4.no_such_thing', '1'), {
      code: 'SUBROOT_STEP_FAILED',
      message: /no net\/ipv4\/no_such_thing in a namespace of its own/,
    });
    await t.throwsAsync(run('net.ipv4.ping_group_range', '0 70000'), {
      code: 'SUBROOT_STEP_FAILED',
      message: /does not take net\/ipv4\/ping_group_range = 0 70000/,
    });
    await t.throwsAsync(run('net.ipv4.tcp_syncookies', '1', {hostUsers: true, hostNetwork: true}), {
      code: 'SUBROOT_POD_INVALID',
    });
    const config = (sysctls: Record<string, string>) => ({
      metadata: {name: 'x', namespace: 'cri', uid: 'uid-x', attempt: 0},
      linux: {sysctls},
    });
    for (const [name, message] of [
      ['vm.swappiness', /it is of no network or IPC namespace/],
      ['net/../../../etc/passwd', /it is no name of a sysctl/],
      ['kernel.hostname', /it is of no network or IPC namespace/],
    ] as const) {
      const error = await t.throwsAsync(node.runtime.runPodSandbox({config: config({[name]: '1'})}), {
        instanceOf: SubrootError,
        code: 'SUBROOT_CONFIG_INVALID',
        message,
      });
      if (error instanceof SubrootError) t.is(error.grpc, 'INVALID_ARGUMENT');
    }
    t.is((await node.pods()).length, 0);
    // The sandbox that was made ahead is another's: a pod with sysctls has one of its own.
    const pod = await run('net.ipv4.tcp_syncookies', '2');
    t.is(await sh(pod, 'cat /proc/sys/net/ipv4/tcp_syncookies'), '2');
  },
);

userTest.serial('a user’s pod has sysctls of its own', async (t) => {
  const first = 2_330_000_000 + (process.pid % 500) * 100_000;
  const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  await child.run({
    name: 'set',
    podSecurityContext: {sysctls: [{name: 'net.ipv4.ip_unprivileged_port_start', value: '0'}]},
  });
  t.is(await child.sh('set', 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '0');
  await child.call('remove', 'set');
  await child.call('close');
  lab.spared.add(child.pid);
  await lab.untilNothingIsLeft('close');
  await child.kill();
});
