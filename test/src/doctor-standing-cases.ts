import {allCapabilities} from '../../native-free/capability.ts';
import type {BudgetFacts, MachineFacts, ToolFact} from '../../src/doctor/facts.ts';
import type {Severity} from '../../src/doctor/finding.ts';
import {goodMounts, goodRoot, goodUser, helper, liveNamespace, mount, subuidText, withIds} from './doctor-facts.ts';

/** Facts of a machine, and what the doctor says to them. */
export interface Case {
  readonly title: string;
  readonly id: string;
  readonly facts: MachineFacts;
  readonly severity: Severity;
  readonly found: RegExp;
  readonly mend?: RegExp;
}

const withBudgets = (budgets: Partial<BudgetFacts>): MachineFacts => ({
  ...goodUser,
  budgets: {...goodUser.budgets, ...budgets},
});
const tool = (name: ToolFact['name'], version: string | undefined): ToolFact => ({
  name,
  path: `/usr/bin/${name}`,
  version,
});
const over = (parent: number, point: string) => mount({id: 90, parent, point, type: 'tmpfs', source: 'tmpfs'});
const without = (name: string) => new Set([...allCapabilities].filter((each) => each !== name));
const kubelet = (range: string) => ({account: true, uidOutput: range, gidOutput: range});

/** Cases of where we stand, what is mounted, budgets, records and other tools. */
export const standingCases: readonly Case[] = [
  {
    title: 'a chroot',
    id: 'chroot',
    facts: {...goodUser, chroot: true},
    severity: 'fail',
    found: /in a chroot/,
    mend: /pivot_root/,
  },
  {title: 'no chroot', id: 'chroot', facts: goodUser, severity: 'ok', found: /in no chroot/},
  {
    title: 'denied setgroups',
    id: 'setgroups',
    facts: {...goodUser, setgroups: 'deny'},
    severity: 'fail',
    found: /denied in our user namespace/,
    mend: /newgidmap/,
  },
  {title: 'allowed setgroups', id: 'setgroups', facts: goodUser, severity: 'ok', found: /allowed/},
  {title: 'no groups', id: 'supplementary-groups', facts: goodUser, severity: 'ok', found: /no supplementary groups/},
  {
    title: 'groups',
    id: 'supplementary-groups',
    facts: {...goodUser, groups: [1000, 1001, 7]},
    severity: 'ok',
    found: /in the groups bert, 7: a pod is in none/,
  },
  {
    title: 'a bounding set without CAP_SETUID',
    id: 'bounding-set',
    facts: {...goodUser, bounding: without('CAP_SETUID')},
    severity: 'fail',
    found: /has no CAP_SETUID/,
    mend: /--cap-add SETUID/,
  },
  {
    title: 'the same, and a newuidmap with a file capability',
    id: 'bounding-set',
    facts: {
      ...goodUser,
      bounding: without('CAP_SETUID'),
      newuidmap: {...helper, fileCapabilities: new Set(['CAP_SETUID'])},
    },
    severity: 'warn',
    found: /has no CAP_SETUID/,
  },
  {
    title: 'a full bounding set',
    id: 'bounding-set',
    facts: goodUser,
    severity: 'ok',
    found: /all that newuidmap needs/,
  },
  {
    title: 'no mount namespaces',
    id: 'namespace-limits',
    facts: {...goodUser, namespaceLimits: {...goodUser.namespaceLimits, mnt: 0}},
    severity: 'fail',
    found: /user\.max_mnt_namespaces is 0: one more fails with ENOSPC/,
    mend: /sysctl -w user\.max_mnt_namespaces=15000/,
  },
  {
    title: 'few net namespaces',
    id: 'namespace-limits',
    facts: {...goodUser, namespaceLimits: {net: 3}},
    severity: 'warn',
    found: /max_net_namespaces is 3/,
  },
  {title: 'room for namespaces', id: 'namespace-limits', facts: goodUser, severity: 'ok', found: /mnt 96365/},
  {title: 'no SELinux', id: 'selinux', facts: goodUser, severity: 'ok', found: /no SELinux/},
  {
    title: 'an enforcing SELinux',
    id: 'selinux',
    facts: {...goodUser, selinux: 'enforcing'},
    severity: 'ok',
    found: /enforcing: what it denies/,
  },
  {title: 'no Yama', id: 'yama-ptrace', facts: goodUser, severity: 'ok', found: /no Yama/},
  {
    title: 'a strict Yama',
    id: 'yama-ptrace',
    facts: {...goodUser, yamaPtraceScope: 3},
    severity: 'ok',
    found: /is 3: debuggers may attach to nothing/,
  },
  {
    title: 'a masked /proc',
    id: 'proc-visible',
    facts: {...goodUser, mounts: [...goodMounts, over(2, '/proc/kcore'), over(2, '/proc/acpi')]},
    severity: 'fail',
    found: /over \/proc something is mounted: \/proc\/kcore, \/proc\/acpi/,
    mend: /unmask=ALL/,
  },
  {
    title: 'no proc at all',
    id: 'proc-visible',
    facts: {...goodUser, mounts: [mount({})]},
    severity: 'fail',
    found: /no whole proc/,
    mend: /mount -t proc/,
  },
  {
    title: 'a mount on a folder that is made for it, and a second proc',
    id: 'proc-visible',
    facts: {
      ...goodUser,
      mounts: [
        ...goodMounts,
        over(2, '/proc/sys/fs/binfmt_misc'),
        mount({id: 5, point: '/x', type: 'proc'}),
        {...over(5, '/x/keys'), id: 91},
      ],
    },
    severity: 'ok',
    found: /a whole proc is mounted here/,
  },
  {
    title: 'a masked /sys',
    id: 'sysfs-visible',
    facts: {...goodUser, mounts: [...goodMounts, over(3, '/sys/firmware')]},
    severity: 'fail',
    found: /\/sys\/firmware/,
    mend: /unmask=ALL/,
  },
  {title: 'a whole /sys', id: 'sysfs-visible', facts: goodUser, severity: 'ok', found: /a whole sysfs/},
  {
    title: 'a read-only /proc',
    id: 'proc-mount',
    facts: {...goodUser, mounts: [mount({}), mount({id: 2, point: '/proc', type: 'proc', options: ['ro']})]},
    severity: 'fail',
    found: /read-only.*EROFS/,
    mend: /remount,rw/,
  },
  {
    title: 'a /proc that hides processes',
    id: 'proc-mount',
    facts: {
      ...goodUser,
      mounts: [mount({}), mount({id: 2, point: '/proc', type: 'proc', superOptions: ['rw', 'hidepid=2']})],
    },
    severity: 'warn',
    found: /hidepid=2/,
    mend: /hidepid=0/,
  },
  {
    title: 'a /proc that hides nothing',
    id: 'proc-mount',
    facts: {
      ...goodUser,
      mounts: [mount({}), mount({id: 2, point: '/proc', type: 'proc', superOptions: ['rw', 'hidepid=0']})],
    },
    severity: 'ok',
    found: /read-write and whole/,
  },
  {
    title: 'a kernel without tmpfs',
    id: 'file-systems',
    facts: {...goodUser, fileSystems: ['proc', 'sysfs', 'devpts']},
    severity: 'fail',
    found: /has no tmpfs/,
  },
  {
    title: 'a kernel without overlay',
    id: 'file-systems',
    facts: {...goodUser, fileSystems: ['proc', 'sysfs', 'devpts', 'tmpfs', 'mqueue', 'cgroup2']},
    severity: 'warn',
    found: /has no overlay/,
    mend: /modprobe overlay/,
  },
  {title: 'every file system', id: 'file-systems', facts: goodUser, severity: 'ok', found: /every file system/},
  {
    title: 'an NFS mount',
    id: 'network-file-systems',
    facts: {...goodUser, mounts: [...goodMounts, mount({id: 9, point: '/home', type: 'nfs4'})]},
    severity: 'ok',
    found: /\/home \(nfs4\): their ids cannot be shifted/,
  },
  {
    title: 'local file systems',
    id: 'network-file-systems',
    facts: goodUser,
    severity: 'ok',
    found: /no network file system/,
  },
  {
    title: 'a full mount table',
    id: 'mount-budget',
    facts: withBudgets({mountMax: 4}),
    severity: 'warn',
    found: /4 mounts, fs\.mount-max is 4/,
    mend: /fs\.mount-max=16/,
  },
  {title: 'room for mounts', id: 'mount-budget', facts: goodUser, severity: 'ok', found: /is 100000/},
  {
    title: 'subordinate-id files that anybody writes',
    id: 'subid-file-owner',
    facts: withIds(goodUser, {
      subuid: {path: '/etc/subuid', text: 'anna:131072:131072\n', owner: {uid: 1000, mode: 0o644}},
    }),
    severity: 'warn',
    found: /\/etc\/subuid belongs to uid 1000 with mode 0644/,
    mend: /chown root:root \/etc\/subuid/,
  },
  {
    title: 'a subordinate-id file of mode 0666',
    id: 'subid-file-owner',
    facts: withIds(goodUser, {
      subgid: {path: '/etc/subgid', text: 'anna:131072:131072\n', owner: {uid: 0, mode: 0o666}},
    }),
    severity: 'warn',
    found: /\/etc\/subgid belongs to uid 0 with mode 0666/,
  },
  {title: 'files of root', id: 'subid-file-owner', facts: goodUser, severity: 'ok', found: /only root/},
  {
    title: 'two lines of anna that overlap',
    id: 'subid-own-lines',
    facts: withIds(goodUser, subuidText('anna:131072:131072\n1000:200000:10\n')),
    severity: 'warn',
    found: /\/etc\/subuid lines 1 and 2 both grant anna 200000-200009/,
    mend: /sed -i 2d \/etc\/subuid/,
  },
  {
    title: '341 lines of anna',
    id: 'subid-own-lines',
    facts: withIds(goodUser, subuidText(Array.from({length: 341}, (_, at) => `anna:${200_000 + at * 2}:1\n`).join(''))),
    severity: 'warn',
    found: /341 lines for anna/,
  },
  {
    title: 'a ledger with a record that cannot be read',
    id: 'ledger-records',
    facts: withIds(goodUser, {
      ledger: {root: '/l', ownerUid: 1000, blocks: [{first: 131072, size: 65536, kind: 'unreadable', pod: ''}]},
    }),
    severity: 'warn',
    found: /131072-196607 \(pod unknown\)/,
    mend: /subroot gc/,
  },
  {
    title: 'a pod from before the pool was narrowed',
    id: 'ledger-records',
    facts: withIds(
      {...goodRoot, kubelet: kubelet('0: kubelet 65536 7208960\n')},
      {ledger: {root: '/l', ownerUid: 0, blocks: [{first: 626_982_912, size: 65536, kind: 'pod', pod: 'old'}]}},
    ),
    severity: 'warn',
    found: /outside of the pool of today.*626982912-627048447 \(pod old\)/,
  },
  {title: 'an empty ledger', id: 'ledger-records', facts: goodUser, severity: 'ok', found: /0 blocks are on record/},
  {
    title: 'a pod of the kubelet outside of its range',
    id: 'kubelet-records',
    facts: {
      ...goodRoot,
      kubelet: kubelet('0: kubelet 65536 7208960\n'),
      kubeletBlocks: [{pod: 'p', first: 626_982_912, size: 65536}],
    },
    severity: 'warn',
    found: /outside of its range: 626982912-627048447 \(pod p\); it will not start/,
    mend: /drain the node/,
  },
  {
    title: 'the block that holds 2^32 - 1',
    id: 'kubelet-records',
    facts: {...goodRoot, kubeletBlocks: [{pod: 'p', first: 4_294_901_760, size: 65536}]},
    severity: 'warn',
    found: /holds 4294967295/,
    mend: /delete that pod/,
  },
  {
    title: 'one block for two pods',
    id: 'kubelet-records',
    facts: {
      ...goodRoot,
      kubeletBlocks: [
        {pod: 'p', first: 131072, size: 65536},
        {pod: 'q', first: 131072, size: 65536},
      ],
    },
    severity: 'warn',
    found: /share ids: .*\(pod p\).*\(pod q\)/,
  },
  {
    title: 'pods of a kubelet as they should be',
    id: 'kubelet-records',
    facts: {
      ...goodRoot,
      kubeletBlocks: [
        {pod: 'p', first: 131072, size: 65536},
        {pod: 'q', first: 196608, size: 65536},
      ],
    },
    severity: 'ok',
    found: /2 pods/,
  },
  {
    title: 'a state folder on a noexec mount',
    id: 'state-mount-flags',
    facts: {
      ...goodUser,
      mounts: [...goodMounts, mount({id: 7, point: '/run', type: 'tmpfs', options: ['rw', 'nosuid', 'noexec']})],
    },
    severity: 'warn',
    found: /\/run is mounted nosuid, noexec: no program/,
    mend: /--root/,
  },
  {
    title: 'a state folder on /',
    id: 'state-mount-flags',
    facts: goodUser,
    severity: 'ok',
    found: /without restrictions/,
  },
  {
    title: 'few inotify watches',
    id: 'inotify-watches',
    facts: withBudgets({inotifyWatches: 100}),
    severity: 'warn',
    found: /is 100, for each uid/,
    mend: /max_user_watches/,
  },
  {title: 'many inotify watches', id: 'inotify-watches', facts: goodUser, severity: 'ok', found: /524288/},
  {
    title: 'no terminals left',
    id: 'pty-budget',
    facts: withBudgets({ptys: {used: 4090, max: 4096}}),
    severity: 'warn',
    found: /4090 in use/,
    mend: /kernel\.pty\.max=16384/,
  },
  {title: 'terminals', id: 'pty-budget', facts: goodUser, severity: 'ok', found: /3 in use/},
  {
    title: 'no keys left',
    id: 'key-budget',
    facts: withBudgets({keys: {used: 199, max: 200}}),
    severity: 'warn',
    found: /199 keys of 200/,
    mend: /maxkeys=2000/,
  },
  {title: 'keys', id: 'key-budget', facts: goodUser, severity: 'ok', found: /4 keys/},
  {
    title: 'few processes',
    id: 'process-limit',
    facts: withBudgets({processes: 100}),
    severity: 'warn',
    found: /RLIMIT_NPROC is 100/,
    mend: /ulimit -u/,
  },
  {
    title: 'a crowded machine',
    id: 'process-limit',
    facts: withBudgets({threadsMax: 210}),
    severity: 'warn',
    found: /threads-max is 210/,
    mend: /threads-max=420/,
  },
  {
    title: 'unlimited processes',
    id: 'process-limit',
    facts: withBudgets({processes: undefined}),
    severity: 'ok',
    found: /unlimited/,
  },
  {
    title: 'few descriptors',
    id: 'open-files',
    facts: withBudgets({openFiles: 256}),
    severity: 'warn',
    found: /RLIMIT_NOFILE is 256/,
    mend: /ulimit -n/,
  },
  {title: 'descriptors', id: 'open-files', facts: goodUser, severity: 'ok', found: /1024/},
  {
    title: 'a full cgroup',
    id: 'pids-cgroup',
    facts: withBudgets({pidsCgroup: {used: 95, max: 100}}),
    severity: 'warn',
    found: /pids\.max of our cgroup is 100, 95 in use/,
    mend: /TasksMax/,
  },
  {title: 'a cgroup without a limit', id: 'pids-cgroup', facts: goodUser, severity: 'ok', found: /limits no processes/},
  {
    title: 'the range of the net namespace',
    id: 'ping-group-range',
    facts: goodUser,
    severity: 'ok',
    found: /is "1 0" here; a pod begins with/,
  },
  {
    title: 'no range',
    id: 'ping-group-range',
    facts: {...goodUser, pingGroupRange: undefined},
    severity: 'ok',
    found: /cannot be read/,
  },
  {
    title: 'a score that cannot be lowered',
    id: 'oom-score',
    facts: goodUser,
    severity: 'ok',
    found: /is 0: pods cannot have a lower one/,
  },
  {title: 'a score that can', id: 'oom-score', facts: goodRoot, severity: 'ok', found: /is 0$/},
  {
    title: 'an old Node',
    id: 'node-version',
    facts: {...goodUser, node: '20.18.3'},
    severity: 'fail',
    found: /20\.18\.3/,
    mend: /20\.19/,
  },
  {title: 'a new Node', id: 'node-version', facts: goodUser, severity: 'ok', found: /20\.19\.0/},
  {
    title: 'a node whose runtime is too old',
    id: 'container-tools',
    facts: {...goodUser, tools: [tool('kubelet', '1.33.1'), tool('containerd', '1.7.2'), tool('runc', '1.1.5')]},
    severity: 'warn',
    found: /too old for hostUsers: false: containerd 1\.7\.2 \(2\.0 is needed\), runc 1\.1\.5 \(1\.2 is needed\)/,
    mend: /upgrade/,
  },
  {
    title: 'an old runc without a kubelet',
    id: 'container-tools',
    facts: {...goodUser, tools: [tool('runc', '1.1.5')]},
    severity: 'ok',
    found: /too old for hostUsers/,
  },
  {
    title: 'new tools',
    id: 'container-tools',
    facts: {...goodUser, tools: [tool('crun', '1.14'), tool('podman', undefined)]},
    severity: 'ok',
    found: /^crun 1\.14, podman \(no version\)$/,
  },
  {
    title: 'a pause process with the ids of an old grant',
    id: 'podman-outer-namespace',
    facts: withIds(
      {...goodUser, tools: [tool('podman', '4.3.1')]},
      {
        live: [
          liveNamespace({
            command: 'catatonit',
            pid: 42,
            uidMap: [
              {containerId: 0, hostId: 1000, size: 1},
              {containerId: 1, hostId: 100000, size: 65536},
            ],
          }),
        ],
      },
    ),
    severity: 'warn',
    found: /pid 42 of podman keeps the ids 100000-165535, and 131072-262143 are granted/,
    mend: /podman system migrate/,
  },
  {
    title: 'a pause process with the ids of today',
    id: 'podman-outer-namespace',
    facts: withIds(
      {...goodUser, tools: [tool('podman', '4.3.1')]},
      {
        live: [
          liveNamespace({
            command: 'catatonit',
            uidMap: [
              {containerId: 0, hostId: 1000, size: 1},
              {containerId: 1, hostId: 131072, size: 131072},
            ],
          }),
        ],
      },
    ),
    severity: 'ok',
    found: /map of today's grant/,
  },
];
