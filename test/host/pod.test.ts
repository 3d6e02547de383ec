import {execFileSync, spawn} from 'node:child_process';
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {SubrootError} from '../../src/index.ts';
import {contentsOf, hostTest, until, withNode} from '../helpers/host-test.ts';
import {
  busyboxRoot,
  exitOf,
  initOf,
  inotifyScript,
  mapTextOf,
  namespacesOf,
  namespaceTypes,
  sh,
  sharedFolder,
  sharing,
  statusField,
} from '../helpers/in-pod.ts';

const rootTest = hostTest('root', 'userns', 'perl');

// ── namespaces

rootTest.serial('every namespace of a pod differs from the machine’s', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const own = namespacesOf('self');
  for (const pid of [pod.pid, await initOf(pod)]) {
    const namespaces = namespacesOf(pid);
    for (const type of namespaceTypes) t.not(namespaces[type], own[type], `${type} of ${pid}`);
  }
});

rootTest.serial(
  'containers of a pod share user, net, ipc and uts and have mnt, pid and cgroup of their own',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({containers: [{name: 'a'}, {name: 'b'}]});
    const [a, b, holder] = [await initOf(pod, 'a'), await initOf(pod, 'b'), pod.pid].map((pid) => namespacesOf(pid));
    for (const type of ['user', 'net', 'ipc', 'uts'] as const) {
      t.is(a?.[type], b?.[type], type);
      t.is(a?.[type], holder?.[type], type);
    }
    for (const type of ['mnt', 'pid', 'cgroup'] as const) {
      t.not(a?.[type], b?.[type], type);
      t.not(a?.[type], holder?.[type], type);
    }
    t.is(await sh(pod, 'echo $PPID', {container: 'a'}), '0');
    t.is(await sh(pod, 'cat /proc/1/cmdline', {container: 'a'}), 'sleep\0infinity\0');
  },
);

rootTest.serial('with shareProcessNamespace the containers see each other’s processes', async (t) => {
  const node = await withNode(t);
  const seconds = ['1000001', '1000002'];
  const pod = await node.runPod({
    shareProcessNamespace: true,
    containers: seconds.map((each, index) => ({name: `c${index}`, command: ['sleep', each]})),
  });
  t.is(namespacesOf(await initOf(pod, 'c0')).pid, namespacesOf(await initOf(pod, 'c1')).pid);
  t.not(namespacesOf(await initOf(pod, 'c0')).mnt, namespacesOf(await initOf(pod, 'c1')).mnt);
  const seen = await sh(pod, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "', {container: 'c0'});
  for (const each of seconds) t.true(seen.includes(`sleep ${each}`), seen);
});

rootTest.serial('two pods share nothing: no namespace and no id', async (t) => {
  const node = await withNode(t);
  const [one, two] = [await node.runPod({}), await node.runPod({})];
  const [a, b] = [namespacesOf(await initOf(one)), namespacesOf(await initOf(two))];
  for (const type of namespaceTypes) t.not(a[type], b[type], type);
  const blocks = [one.block, two.block].map((block) => block?.first ?? Number.NaN).sort((x, y) => x - y);
  t.true((blocks[1] ?? 0) - (blocks[0] ?? 0) >= 65_536, String(blocks));
});

rootTest.serial('the map of a pod is its block, inside and outside, for uids and gids', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const {first = 0, size = 0} = pod.block ?? {};
  t.is(size, 65_536);
  t.is(first % 65_536, 0);
  const expected = `0 ${first} 65536`;
  const pid = await initOf(pod);
  t.is(mapTextOf(pid, 'uid_map'), expected);
  t.is(mapTextOf(pid, 'gid_map'), expected);
  t.deepEqual((await sh(pod, 'cat /proc/self/uid_map /proc/self/gid_map')).trim().split(/\s+/).map(Number), [
    ...[0, first, 65_536],
    ...[0, first, 65_536],
  ]);
  t.deepEqual([pod.map.toHost(0), pod.map.toHost(65_535), pod.map.toHost(65_536)], [first, first + 65_535, undefined]);
  t.is(pod.map.toContainer(first + 7), 7);
  t.deepEqual(statusField(pid, 'Uid')?.split('\t').map(Number), [first, first, first, first]);
});

rootTest.serial('the user namespace of a pod was made by its own base id, not by the machine’s root', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  // NS_GET_OWNER_UID, ioctl_ns(2)
  const script =
    'open my $ns, "<", $ARGV[0] or die; my $uid = pack "L", 0; ioctl $ns, 0xb704, $uid or die; print unpack "L", $uid';
  const owner = execFileSync('perl', ['-e', script, `/proc/${pod.pid}/ns/user`], {encoding: 'utf8'});
  t.is(Number(owner), pod.block?.first ?? -1);
});

rootTest.serial(
  'a pod that takes every inotify instance takes none from another pod or from the machine',
  async (t) => {
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'latin1'));
    const EMFILE = 24;
    const node = await withNode(t);
    const greedy = await node.runPod({
      command: ['perl', '-e', inotifyScript, process.arch, String(limit + 50), 'hold'],
    });
    t.is(await until('the greedy pod is refused', async () => (await greedy.logs())[0]?.text), `${limit} ${EMFILE}`);
    const other = await node.runPod({});
    const {stdout} = await other.$`perl -e ${inotifyScript} ${process.arch} ${limit + 50}`;
    t.is(stdout, `${limit} ${EMFILE}`);
    t.is(execFileSync('perl', ['-e', inotifyScript, process.arch, '5'], {encoding: 'utf8'}), '5 0\n');
  },
);

// ── what a program in a pod is and may

rootTest.serial(
  'a program has the 14 default capabilities, no groups and umask 0022, in run and in exec',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({securityContext: {allowPrivilegeEscalation: false}});
    const pid = await initOf(pod);
    const inExec = await sh(pod, 'cat /proc/self/status');
    for (const read of [
      (field: string) => statusField(pid, field),
      (field: string) => new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(inExec)?.[1]?.trim(),
    ]) {
      for (const field of ['CapPrm', 'CapEff', 'CapBnd']) t.is(read(field), '00000000a80425fb', field);
      for (const field of ['CapInh', 'CapAmb']) t.is(read(field), '0000000000000000', field);
      t.is(read('NoNewPrivs'), '1');
      t.is(read('Groups'), '');
      t.is(read('Umask'), '0022');
    }
    // What the kubelet sends unless allowPrivilegeEscalation is false.
    t.is(statusField(await initOf(await node.runPod({})), 'NoNewPrivs'), '0');
  },
);

rootTest.serial('runAsUser and runAsGroup are ids of the pod, with no capability in effect', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({securityContext: {runAsUser: 1000, runAsGroup: 3000}});
  const first = pod.block?.first ?? Number.NaN;
  const pid = await initOf(pod);
  t.deepEqual(statusField(pid, 'Uid')?.split('\t').map(Number), Array(4).fill(first + 1000));
  t.deepEqual(statusField(pid, 'Gid')?.split('\t').map(Number), Array(4).fill(first + 3000));
  t.is(statusField(pid, 'Groups'), '');
  t.is(statusField(pid, 'CapEff'), '0000000000000000');
  t.is(statusField(pid, 'CapPrm'), '0000000000000000');
  t.is(statusField(pid, 'CapBnd'), '00000000a80425fb');
  t.is(await sh(pod, 'id -u; id -g; id -G; cd; pwd'), '1000\n3000\n3000\n/');
  t.is(await sh(pod, 'id -u; id -g', {uid: 5, gid: 6}), '5\n6');
  t.is(await sh(pod, 'echo written > /tmp/x; cat /tmp/x; echo $HOME'), 'written\n/');
});

rootTest.serial('ids up to 65535 can be taken, and 65536 is refused before anything starts', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({securityContext: {runAsUser: 65_535, runAsGroup: 65_535}});
  t.is(statusField(await initOf(pod), 'Uid')?.split('\t')[0], String((pod.block?.first ?? 0) + 65_535));
  await t.throwsAsync(node.runPod({securityContext: {runAsUser: 65_536}}), {
    instanceOf: SubrootError,
    code: 'SUBROOT_CONFIG_INVALID',
    message: /run_as_user: id 65536 is not in the pod's map, which has ids 0 to 65535/,
  });
  await t.throwsAsync(node.runPod({securityContext: {runAsUser: 1, runAsGroup: 65_536}}), {
    code: 'SUBROOT_CONFIG_INVALID',
    message: /run_as_group: id 65536/,
  });
  t.is((await node.pods()).length, 1);
});

rootTest.serial('an exec as an id outside of the map is refused with that id', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  await t.throwsAsync(async () => pod.exec(['id'], {uid: 65_536}), {instanceOf: SubrootError, message: /65536/});
  await t.throwsAsync(async () => pod.exec(['id'], {gid: 65_536}), {instanceOf: SubrootError, message: /65536/});
});

rootTest.serial('capabilities are added and dropped by name, and drop ALL leaves only what is added', async (t) => {
  const node = await withNode(t);
  const maskOf = async (capabilities: object) => {
    const pid = await initOf(await node.runPod({securityContext: {capabilities}}));
    t.is(statusField(pid, 'CapEff'), statusField(pid, 'CapBnd'));
    return statusField(pid, 'CapBnd');
  };
  t.is(await maskOf({drop: ['ALL']}), '0000000000000000');
  t.is(await maskOf({drop: ['ALL'], add: ['NET_BIND_SERVICE']}), '0000000000000400');
  t.is(await maskOf({drop: ['CHOWN']}), '00000000a80425fa');
  t.is(await maskOf({add: ['CAP_SYS_ADMIN']}), '00000000a82425fb');
  await t.throwsAsync(node.runPod({securityContext: {capabilities: {add: ['SYS_MAGIC']}}}), {
    code: 'SUBROOT_CONFIG_INVALID',
    message: /there is no capability SYS_MAGIC/,
  });
});

rootTest.serial(
  'a privileged container has every capability over what is its own and none over the machine',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({securityContext: {privileged: true}});
    const lastCapability = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1'));
    const mask = BigInt(`0x${statusField(await initOf(pod), 'CapEff')}`);
    t.is(mask, (1n << BigInt(lastCapability + 1)) - 1n);
    t.is(await sh(pod, 'mount -t tmpfs none /mnt && echo mounted; hostname other && hostname'), 'mounted\nother');
    t.is(await sh(pod, 'echo 7 > /proc/sys/net/ipv4/ip_default_ttl && cat /proc/sys/net/ipv4/ip_default_ttl'), '7');
    const refused =
      '(echo 0 > /proc/sys/vm/swappiness) 2>/dev/null || echo no; mknod /mnt/disk b 8 0 2>/dev/null || echo no';
    t.is(await sh(pod, refused), 'no\nno');
  },
);

rootTest.serial(
  'with hostUsers the root of a pod is the root of the machine: the control of all of this',
  async (t) => {
    const node = await withNode(t);
    const folder = await sharedFolder(t);
    const pod = await node.runPod({hostUsers: true, ...sharing(folder)});
    const pid = await initOf(pod);
    const [inside, own] = [namespacesOf(pid), namespacesOf('self')];
    t.is(inside.user, own.user);
    for (const type of namespaceTypes) if (type !== 'user') t.not(inside[type], own[type], type);
    t.is(mapTextOf(pid), mapTextOf('self'));
    t.is(statusField(pid, 'Uid')?.split('\t')[0], '0');
    t.is(statusField(pid, 'CapEff'), '00000000a80425fb');
    t.is(pod.block, undefined);
    await sh(pod, ': > /shared/made; chown 70000 /shared/made');
    t.is(statSync(join(folder, 'made')).uid, 70_000);
  },
);

// ── the root file system

rootTest.serial('of the machine’s folders a pod sees its userland only, read-only', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const secret = await sharedFolder(t);
  writeFileSync(join(secret, 'secret'), 'of the machine');
  const list = async (path: string) => (await sh(pod, `ls -A ${path}`)).split('\n').filter((name) => name !== '');
  t.deepEqual(
    (await list('/')).filter((name) => !/^(lib.*|s?bin)$/.test(name)),
    ['dev', 'etc', 'home', 'mnt', 'proc', 'root', 'run', 'sys', 'tmp', 'usr', 'var'],
  );
  for (const path of ['/tmp', '/run', '/root', '/home', '/mnt', '/var/tmp', '/dev/shm'])
    t.deepEqual(await list(path), [], path);
  t.deepEqual(await list('/var'), ['run', 'tmp']);
  t.deepEqual(
    (await list('/etc')).filter((name) => name !== 'alternatives'),
    ['group', 'hostname', 'hosts', 'nsswitch.conf', 'passwd', 'resolv.conf'],
  );
  t.is(await sh(pod, `cat ${secret}/secret 2>/dev/null || echo gone`), 'gone');
  const mounts = readFileSync(`/proc/${await initOf(pod)}/mountinfo`, 'utf8')
    .trim()
    .split('\n');
  const disks = mounts.filter((line) => / - (ext4|xfs|btrfs|overlay) /.test(line));
  t.true(disks.length > 0);
  for (const line of disks) {
    const [, , , , point = '', options = ''] = line.split(' ');
    t.regex(point, /^\/(usr|bin|sbin|lib\w*)$/);
    t.true(options.split(',').includes('ro'), line);
  }
  t.regex(await sh(pod, 'touch /usr/bin/mine 2>&1 || echo refused'), /Read-only file system\nrefused$/);
});

rootTest.serial('nothing that a pod writes reaches the machine or another container', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({containers: [{name: 'a'}, {name: 'b'}]});
  const name = `subroot-marker-${process.pid}`;
  const places = ['/tmp', '/run', '/root', '/home', '/etc', '/var/tmp', '/mnt', '/dev'];
  await sh(pod, places.map((place) => `: > ${place}/${name}`).join('; '), {container: 'a'});
  for (const place of places) t.is(lstatSync(join(place, name), {throwIfNoEntry: false}), undefined, place);
  const count = places.map((place) => `ls ${place} | grep -c ${name} || :`).join('; ');
  t.is(await sh(pod, count, {container: 'a'}), places.map(() => '1').join('\n'));
  t.is(await sh(pod, count, {container: 'b'}), places.map(() => '0').join('\n'));
});

rootTest.serial('/dev/shm is shared by the containers of a pod, is the pod’s own, and holds 64 MiB', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({containers: [{name: 'a'}, {name: 'b'}]});
  const other = await node.runPod({});
  const name = `marker-${process.pid}`;
  await sh(pod, `echo from-a > /dev/shm/${name}`, {container: 'a'});
  t.is(await sh(pod, `cat /dev/shm/${name}`, {container: 'b'}), 'from-a');
  t.is(await sh(other, 'ls /dev/shm'), '');
  t.is(lstatSync(join('/dev/shm', name), {throwIfNoEntry: false}), undefined);
  t.is(await sh(pod, 'stat -c "%u %g %a" /dev/shm'), '0 0 1777');
  const fill =
    'rm /dev/shm/*; dd if=/dev/zero of=/dev/shm/big bs=1M count=100 2>/dev/null || :; stat -c %s /dev/shm/big';
  t.is(await sh(pod, fill), String(64 * 1024 * 1024));
});

rootTest.serial('the device nodes are the six of OCI with its links, and work', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const nodes = 'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done';
  t.deepEqual((await sh(pod, nodes)).split('\n'), [
    '/dev/null 1:3 666',
    '/dev/zero 1:5 666',
    '/dev/full 1:7 666',
    '/dev/random 1:8 666',
    '/dev/urandom 1:9 666',
    '/dev/tty 5:0 666',
  ]);
  t.deepEqual((await sh(pod, 'for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done')).split('\n'), [
    '/proc/self/fd',
    '/proc/self/fd/0',
    '/proc/self/fd/1',
    '/proc/self/fd/2',
    'pts/ptmx',
  ]);
  t.is(
    (await sh(pod, 'ls /dev')).split('\n').sort().join(' '),
    'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero',
  );
  const use = 'echo gone > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c';
  t.is(await sh(pod, use), '3\n5');
  // Not under `$`: its streams are sockets of Node's, which nobody can open by name.
  const containerId = await pod.containerId();
  const reopened = await node.runtime.execSync({
    containerId,
    cmd: ['sh', '-c', 'echo out > /dev/stdout; echo err > /dev/stderr'],
  });
  t.deepEqual([reopened.stdout, reopened.stderr].map(String), ['out\n', 'err\n']);
  const main = await node.runPod({command: ['sh', '-c', 'echo out > /dev/stdout'], securityContext: {runAsUser: 1000}});
  t.is(await exitOf(main), 0);
  t.deepEqual(
    (await main.logs()).map(({text}) => text),
    ['out'],
  );
  t.is(await sh(pod, '(echo x > /dev/full) 2>/dev/null || echo full'), 'full');
  t.is(await sh(pod, 'stat -c "%u %g %a" /dev /dev/pts/ptmx'), '0 0 755\n0 0 666');
});

rootTest.serial('masked paths are empty and read-only paths refuse writes, even those of the pod’s root', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const paths = ['/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'];
  const masked = paths.filter((path) => lstatSync(path, {throwIfNoEntry: false}));
  t.true(masked.length >= 3);
  for (const path of masked)
    t.is(await sh(pod, `if [ -d ${path} ]; then ls -A ${path} | wc -l; else wc -c < ${path}; fi`), '0', path);
  const readonly = ['/proc/sys/kernel/hostname', '/proc/sys/net/ipv4/ip_forward', '/proc/irq/default_smp_affinity'];
  for (const path of [...readonly, '/proc/sysrq-trigger', '/sys/kernel/uevent_seqnum', '/sys/fs/cgroup/cgroup.procs']) {
    if (lstatSync(path.replace('/sys/fs/cgroup/', '/sys/fs/cgroup/unified/'), {throwIfNoEntry: false}) === undefined)
      continue;
    t.regex(await sh(pod, `(: >> ${path}) 2>&1 || :`), /Read-only file system|Permission denied/, path);
  }
  // The control: the same in a container with nothing masked works.
  const open = await node.runPod({securityContext: {privileged: true}});
  t.not(await sh(open, 'cat /proc/interrupts | wc -c'), '0');
});

rootTest.serial('readOnlyRootFilesystem refuses writes everywhere but in /dev/shm and volumes', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({
    securityContext: {readOnlyRootFilesystem: true},
    volumes: [{name: 'scratch', emptyDir: {}}],
    volumeMounts: [{name: 'scratch', mountPath: '/scratch'}],
  });
  for (const place of ['', '/tmp', '/etc', '/root', '/var/tmp', '/run'])
    t.regex(await sh(pod, `(: > ${place}/x) 2>&1 || :`), /cannot create \S*\/x: Read-only file system/, place);
  t.is(await sh(pod, 'for p in /dev/shm /scratch; do : > $p/x && echo $p; done'), '/dev/shm\n/scratch');
});

rootTest.serial('hostname, hosts, resolv.conf and passwd are the pod’s own', async (t) => {
  const node = await withNode(t);
  const name = `named-${process.pid}`;
  const named = await node.runPod({name});
  t.is(await sh(named, 'hostname; cat /etc/hostname; echo $HOSTNAME'), [name, name, name].join('\n'));
  const pod = await node.runPod({hostname: 'web-1'});
  t.is(await sh(pod, 'hostname; cat /etc/hostname'), 'web-1\nweb-1');
  const hosts = (await sh(pod, 'cat /etc/hosts')).split('\n');
  t.true(hosts.includes('127.0.0.1\tlocalhost') && hosts.includes('127.0.1.1\tweb-1'), hosts.join('\n'));
  t.regex(await sh(pod, 'cat /etc/resolv.conf'), /^# this pod has its own network namespace/);
  t.is(await sh(pod, 'getent passwd 0 | cut -d: -f1; getent group 5 | cut -d: -f1'), 'root\ntty');
  t.is(await sh(pod, 'stat -c "%u %g %a" /etc/hosts /etc/passwd /etc/hostname'), '0 0 644\n0 0 644\n0 0 644');
  t.not(readFileSync('/proc/sys/kernel/hostname', 'latin1').trim(), 'web-1');
});

rootTest.serial('the network of a pod is a loopback that is up, and nothing else', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  t.is(await sh(pod, 'ls /sys/class/net; cat /sys/class/net/lo/flags'), 'lo\n0x9');
  const talk = `use Socket; my $at = sockaddr_in(80, INADDR_LOOPBACK);
    socket my $l, AF_INET, SOCK_STREAM, 0; bind $l, $at or die "bind $!"; listen $l, 1;
    socket my $c, AF_INET, SOCK_STREAM, 0; connect $c, $at or die "connect $!";
    accept my $s, $l; syswrite $c, "hello"; sysread $s, my $b, 5; print $b`;
  t.is((await pod.$`perl -e ${talk}`).stdout, 'hello');
});

rootTest.serial('a program gets the container’s environment and folder, and an exec can change both', async (t) => {
  const node = await withNode(t);
  const odd = `a 'b' "c"\n$HOME %41 ; |`;
  const pod = await node.runPod({env: {PLAIN: 'x', REFERS: '$(PLAIN)-$(PLAIN)', ODD: odd}, workingDir: '/work/deep'});
  const tidy = (text: string) =>
    text
      .split('\0')
      .filter((line) => line !== '')
      .sort();
  const expected = [
    'HOME=/root',
    `HOSTNAME=${pod.name}`,
    `ODD=${odd}`,
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'PLAIN=x',
    'REFERS=x-x',
  ];
  t.deepEqual(tidy(String((await pod.$`env -0`).stdout)), expected);
  t.deepEqual(tidy(readFileSync(`/proc/${await initOf(pod)}/environ`, 'utf8')), expected);
  t.is(await sh(pod, 'pwd'), '/work/deep');
  t.is(await sh(pod, 'pwd; echo $PLAIN', {cwd: '/tmp', env: {PLAIN: 'y'}}), '/tmp\ny');
});

rootTest.serial('words reach a program as they are: no shell, no splitting, any text', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const words = [
    '',
    ' ',
    'a b',
    '$HOME',
    '`id`',
    "'",
    '"',
    '\\',
    '\n',
    '\t',
    '%',
    '%41',
    ';',
    '&&',
    '*',
    'ü€𝄞',
    '-n',
    '\u007f',
    '\u0001',
  ];
  const {stdout} = await pod.exec(['perl', '-e', 'print join("\\0", @ARGV)', '--', ...words], {
    stripFinalNewline: false,
  });
  t.deepEqual(String(stdout).split('\0'), words);
});

rootTest.serial('files in a volume keep the ids that the pod sees: 0 there is 0 here', async (t) => {
  const node = await withNode(t);
  const folder = await sharedFolder(t);
  writeFileSync(join(folder, 'machine'), 'x');
  const pod = await node.runPod(sharing(folder));
  const script = 'cd /shared; : > made; : > given; chown 1000:2000 given; stat -c "%n %u %g" made given machine';
  t.is(await sh(pod, script), 'made 0 0\ngiven 1000 2000\nmachine 0 0');
  const ids = (name: string) => [statSync(join(folder, name)).uid, statSync(join(folder, name)).gid];
  t.deepEqual(
    [ids('made'), ids('given')],
    [
      [0, 0],
      [1000, 2000],
    ],
  );
  t.regex(await sh(pod, 'chown 65536 /shared/made 2>&1 || :'), /Invalid argument/);
});

rootTest.serial('an emptyDir is shared by the containers of a pod and gone with it', async (t) => {
  const node = await withNode(t);
  const volumeMounts = [{name: 'scratch', mountPath: '/scratch'}];
  const pod = await node.runPod({
    volumes: [{name: 'scratch', emptyDir: {}}],
    containers: [
      {name: 'a', volumeMounts},
      {name: 'b', volumeMounts},
    ],
  });
  await sh(pod, 'echo hello > /scratch/x; mkdir -m 0700 /scratch/d; : > /scratch/d/y; chown -R 7:7 /scratch/d', {
    container: 'a',
  });
  t.is(await sh(pod, 'cat /scratch/x', {container: 'b'}), 'hello');
  await pod.remove();
  t.deepEqual(contentsOf(join(node.root, 'ledger', 'pods')), []);
});

// ── a folder as the root file system

rootTest.serial('a folder as image is root’s inside and writable there, and stays as it was', async (t) => {
  const node = await withNode(t);
  const image = await busyboxRoot(t);
  const describe = () =>
    contentsOf(image).map((path) => {
      const {uid, gid, mode, size, mtimeMs} = lstatSync(join(image, path.replace(/[!/]$/, '')));
      return [path, uid, gid, mode, size, mtimeMs];
    });
  const before = describe();
  const start = () => node.runPod({image, command: ['/bin/sleep', '1000000']});
  const pod = await start();
  t.is(await sh(pod, 'stat -c "%u %g %a" / /etc /etc/motd /bin/busybox'), '0 0 755\n0 0 755\n0 0 644\n0 0 755');
  t.is(await sh(pod, 'echo changed >> /etc/motd; cat /etc/motd'), 'of the image\nchanged');
  const script =
    'echo new > /srv/new; mkdir /opt; rm /etc/passwd; chown 5:6 /etc/motd; ls /srv; stat -c "%u %g" /etc/motd; ls /etc';
  t.is(await sh(pod, script), 'new\n5 6\nhostname\nhosts\nmotd\nresolv.conf');
  t.is(await sh(pod, 'rm -r /srv && mkdir /srv && ls -A /srv'), '');
  t.deepEqual(describe(), before);
  t.is(await sh(await start(), 'cat /etc/motd'), 'of the image');
});

rootTest.serial('links of an image that point out are resolved inside of it', async (t) => {
  const node = await withNode(t);
  const image = await busyboxRoot(t);
  const outside = await sharedFolder(t);
  writeFileSync(join(outside, 'secret'), 'of the machine');
  symlinkSync(outside, join(image, 'out'));
  symlinkSync('../../../../../../../../..', join(image, 'up'));
  // Where the runtime itself puts things: /etc and /dev are links that point out.
  rmSync(join(image, 'etc'), {recursive: true});
  symlinkSync(outside, join(image, 'etc'));
  symlinkSync(outside, join(image, 'dev'));
  const outcome = await node.runPod({image, command: ['/bin/sleep', '1000000']}).then(
    (pod) => sh(pod, 'cat /out/secret 2>/dev/null || echo nothing; ls -d /up/bin'),
    (error: unknown) => String(error),
  );
  t.regex(outcome, /^nothing\n\/up\/bin$|SUBROOT_STEP_FAILED/);
  t.deepEqual(contentsOf(outside), ['secret']);
});

rootTest.serial('images by name: the table gives host or a folder, a tag is ignored, others are refused', async (t) => {
  const image = await busyboxRoot(t);
  const node = await withNode(t, {images: {debian: 'host', tiny: image}});
  t.is(await sh(await node.runPod({image: 'debian:12'}), 'test -x /usr/bin/perl && echo machine'), 'machine');
  t.is(
    await sh(await node.runPod({image: 'tiny', command: ['/bin/sleep', '1000000']}), 'cat /etc/motd'),
    'of the image',
  );
  for (const [name, why] of [
    ['/no/such/folder', /there is nothing at \/no\/such\/folder/],
    ['/etc/hostname', /\/etc\/hostname is not a folder/],
  ] as const)
    await t.throwsAsync(node.runPod({image: name}), {
      instanceOf: SubrootError,
      code: 'SUBROOT_IMAGE_UNKNOWN',
      message: why,
    });
});

// ── ends

rootTest.serial('the exit code of a container is its program’s, and 128 + the signal that ended it', async (t) => {
  const node = await withNode(t);
  t.is(await exitOf(await node.runPod({command: ['true']})), 0);
  t.is(await exitOf(await node.runPod({command: ['sh', '-c', 'exit 7']})), 7);
  for (const [signal, code] of [
    ['SIGKILL', 137],
    ['SIGSEGV', 139],
  ] as const) {
    // A pid 1 ignores what it has no handler for; in a shared pid namespace the program is none.
    const pod = await node.runPod({shareProcessNamespace: true});
    process.kill(await initOf(pod), signal);
    t.is(await exitOf(pod), code);
    const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
    t.is(status.reason, 'Error');
    t.true(status.finishedAt >= status.startedAt, `${status.finishedAt} ${status.startedAt}`);
  }
  const killed = await node.runPod({});
  process.kill(await initOf(killed), 'SIGKILL');
  t.is(await exitOf(killed), 137);
});

rootTest.serial('wait answers the first exit code that is not 0', async (t) => {
  const node = await withNode(t);
  const end = (code: number) => ['sh', '-c', `exit ${code}`];
  const containers = [0, 4, 5].map((code) => ({name: `c${code}`, command: end(code)}));
  t.is(await (await node.runPod({containers})).wait(), 4);
  t.is(await (await node.runPod({command: ['true']})).wait(), 0);
  const aborted = AbortSignal.abort();
  await t.throwsAsync((await node.runPod({})).wait({signal: aborted}), {code: 'SUBROOT_CANCELLED'});
});

rootTest.serial('a program of an exec has its own exit code, streams, input and time', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({});
  const failed = await pod.$({reject: false})`sh -c ${'echo out; echo err >&2; exit 9'}`;
  t.deepEqual([failed.exitCode, failed.stdout, failed.stderr], [9, 'out', 'err']);
  t.is((await pod.$({reject: false})`sh -c ${'kill -9 $$'}`).exitCode, 137);
  t.is((await pod.$({input: 'one\ntwo\n'})`wc -l`).stdout, '2');
  const error = await t.throwsAsync(async () => pod.$`sh -c ${'exit 3'}`);
  t.is((error as unknown as {exitCode: number}).exitCode, 3);
  t.regex(error?.message ?? '', /^Command failed with exit code 3: sh -c exit 3/);
  t.true((await pod.$({timeout: 300, reject: false})`sleep 1000003`).timedOut);
  const left = async () => !(await sh(pod, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).includes('sleep 1000003');
  await until('the program that took too long is gone', left);
});

rootTest.serial('a command that is not there, not executable, a folder or no program has its own error', async (t) => {
  const node = await withNode(t);
  const folder = await sharedFolder(t);
  writeFileSync(join(folder, 'plain'), 'text\n', {mode: 0o644});
  writeFileSync(join(folder, 'junk'), 'neither ELF nor #!\n', {mode: 0o755});
  mkdirSync(join(folder, 'folder'));
  const running = await node.runPod(sharing(folder));
  const containerId = await running.containerId();
  const missing =
    /cannot start (no-such-program|\/no\/such\/path): there is no such program in the image \(ENOENT; PATH is \/usr\/local/;
  for (const [command, code, message] of [
    ['no-such-program', 'SUBROOT_COMMAND_NOT_FOUND', missing],
    ['/no/such/path', 'SUBROOT_COMMAND_NOT_FOUND', missing],
    [
      '/shared/plain',
      'SUBROOT_COMMAND_NOT_EXECUTABLE',
      /cannot start \/shared\/plain: it is not executable for this user \(EACCES\)/,
    ],
    ['/shared/folder', 'SUBROOT_COMMAND_NOT_EXECUTABLE', /cannot start \/shared\/folder: .*\(EACCES\)/],
    ['/shared/junk', 'SUBROOT_COMMAND_NOT_EXECUTABLE', /cannot start \/shared\/junk: .*\(ENOEXEC\)/],
  ] as const) {
    const expected = {instanceOf: SubrootError, code, message};
    await t.throwsAsync(node.runPod({command: [command], ...sharing(folder)}), expected, `run ${command}`);
    await t.throwsAsync(async () => running.exec([command]), expected, `exec ${command}`);
    await t.throwsAsync(node.runtime.execSync({containerId, cmd: [command]}), expected, `execSync ${command}`);
  }
  t.is((await node.pods()).length, 1);
});

// ── logs

rootTest.serial('a log has CRI records: time, stream, F for whole lines, P for what has no newline', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({command: ['sh', '-c', 'echo first; echo "to stderr" >&2; echo; printf "no newline"']});
  t.is(await exitOf(pod), 0);
  const records = await pod.logs();
  const ofStdout = records.filter(({stream}) => stream === 'stdout').map(({text, partial}) => [text, partial]);
  t.deepEqual(ofStdout, [
    ['first', false],
    ['', false],
    ['no newline', true],
  ]);
  t.deepEqual(
    records.filter(({stream}) => stream === 'stderr').map(({text}) => text),
    ['to stderr'],
  );
  for (const {time} of records) t.regex(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
  t.regex(readFileSync(status.logPath, 'latin1'), /^\S+ std(out|err) F /);
});

rootTest.serial('lines longer than 16 KiB are split there, with P on all but the last', async (t) => {
  const node = await withNode(t);
  const lengths = [16_383, 16_384, 16_385, 32_768, 32_769, 50_000];
  const script = 'for my $n (@ARGV) { print "x" x $n, "\\n" } print STDERR "y" x 20_000';
  const pod = await node.runPod({command: ['perl', '-e', script, ...lengths.map(String)]});
  t.is(await exitOf(pod), 0);
  const lines: number[] = [];
  const ofStderr: unknown[] = [];
  let length = 0;
  for (const {stream, partial, text} of await pod.logs()) {
    if (stream === 'stderr') {
      ofStderr.push([text.length, partial]);
      continue;
    }
    t.true(text.length <= 16_384, String(text.length));
    if (partial) t.is(text.length, 16_384);
    length += text.length;
    if (!partial) lines.push(length);
    if (!partial) length = 0;
  }
  t.deepEqual(lines, lengths);
  t.deepEqual(ofStderr, [
    [16_384, true],
    [3616, true],
  ]);
});

rootTest.serial('5 MB of output are in the log whole and in order', async (t) => {
  const node = await withNode(t);
  const script = 'printf "%07d %s\\n", $_, "z" x 91 for 1 .. 52_429';
  const pod = await node.runPod({command: ['perl', '-e', script]});
  t.is(await exitOf(pod), 0);
  const texts = (await pod.logs()).map(({text}) => text);
  t.is(texts.length, 52_429);
  t.true(texts.every((text, index) => text === `${String(index + 1).padStart(7, '0')} ${'z'.repeat(91)}`));
});

rootTest.serial('NUL and bytes that are no UTF-8 are in the log file as they were written', async (t) => {
  const node = await withNode(t);
  const script = 'print join("", map { chr } grep { $_ != 10 } 0 .. 255), "\\n"';
  const pod = await node.runPod({command: ['perl', '-e', script]});
  t.is(await exitOf(pod), 0);
  const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
  const log = readFileSync(status.logPath);
  const content = log.subarray(log.indexOf(' stdout F ') + ' stdout F '.length);
  const expected = Array.from({length: 256}, (_, byte) => byte).filter((byte) => byte !== 10);
  t.deepEqual([...content], [...expected, 10]);
});

rootTest.serial('a container ends with its program, whatever it left in the background', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({command: ['sh', '-c', 'sleep 1000004 & echo started; exit 3']});
  t.is(await exitOf(pod), 3);
  t.deepEqual(
    (await pod.logs()).map(({text}) => text),
    ['started'],
  );
});

// ── after us

rootTest.serial('a log and an exit code that come after our death are found by another process', async (t) => {
  const folder = await sharedFolder(t);
  const node = await withNode(t, {lifetime: 'detached'});
  const script = 'echo first; until [ -e /shared/now ]; do sleep 0.02; done; echo second; exit 9';
  const starter = `
    const {createNode} = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)});
    const [root, input] = process.argv.slice(1);
    const node = await createNode({root, lifetime: 'detached'});
    const pod = await node.runPod(JSON.parse(input));
    console.log(pod.id);
    await node.close();`;
  const input = JSON.stringify({name: 'late', command: ['sh', '-c', script], ...sharing(folder)});
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', starter, node.root, input], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += bytes;
  });
  t.is(await new Promise((resolve) => child.on('close', resolve)), 0);
  const pod = node.pod('late');
  t.is(pod.id, said.trim());
  t.is((await pod.containers())[0]?.state, 'RUNNING');
  await until('the first line', async () => (await pod.logs()).length > 0);
  appendFileSync(join(folder, 'now'), '');
  t.is(await exitOf(pod), 9);
  t.deepEqual(
    (await pod.logs()).map(({text}) => text),
    ['first', 'second'],
  );
  const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
  t.deepEqual([status.state, status.reason], ['CONTAINER_EXITED', 'Error']);
  t.true(status.finishedAt > status.startedAt);
});
