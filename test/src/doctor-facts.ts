import {allCapabilities, noCapabilities} from '../../native-free/capability.ts';
import {IDENTITY_MAP} from '../../native-free/id-map.ts';
import type {IdSpaceFacts, LiveNamespace, MachineFacts, MapHelper, MountFact} from '../../src/doctor/facts.ts';

/** Literal facts of machines on which nothing is wrong; a test changes the one that it is about. */

export const helper: MapHelper = {
  path: '/usr/bin/newuidmap',
  mode: 0o4755,
  uid: 0,
  fileCapabilities: undefined,
  mountPoint: '/',
  nosuid: false,
};

export const goodIds: IdSpaceFacts = {
  accounts: [
    {name: 'root', uid: 0, gid: 0, shell: '/bin/bash'},
    {name: 'daemon', uid: 1, gid: 1, shell: '/usr/sbin/nologin'},
    {name: 'anna', uid: 1000, gid: 1000, shell: '/bin/bash'},
    {name: 'bert', uid: 1001, gid: 1001, shell: '/bin/bash'},
    {name: 'nobody', uid: 65534, gid: 65534, shell: '/usr/sbin/nologin'},
  ],
  groups: [
    {name: 'root', gid: 0},
    {name: 'anna', gid: 1000},
    {name: 'bert', gid: 1001},
    {name: 'nogroup', gid: 65534},
  ],
  accountsFrom: 'getent',
  subuid: {path: '/etc/subuid', text: 'anna:131072:131072\n'},
  subgid: {path: '/etc/subgid', text: 'anna:131072:131072\n'},
  subidSource: 'files',
  shadow: '4.13',
  loginDefs: {subUidMin: 100000, subUidMax: 600100000, subUidCount: 65536},
  live: [],
  ledger: {root: '/run/subroot/ledger', ownerUid: undefined, blocks: []},
  tools: [],
};

/** A mount of literal facts. */
export function mount(changes: Partial<MountFact>): MountFact {
  return {
    id: 1,
    parent: 0,
    device: '254:0',
    root: '/',
    point: '/',
    type: 'ext4',
    source: '/dev/vda',
    options: ['rw', 'relatime'],
    superOptions: ['rw'],
    ...changes,
  };
}

export const goodMounts: readonly MountFact[] = [
  mount({}),
  mount({id: 2, parent: 1, device: '0:21', point: '/proc', type: 'proc', source: 'proc'}),
  mount({id: 3, parent: 1, device: '0:22', point: '/sys', type: 'sysfs', source: 'sysfs'}),
  mount({id: 4, parent: 3, device: '0:23', point: '/sys/fs/cgroup', type: 'cgroup2', source: 'cgroup2'}),
];

/** anna, unprivileged, on a good machine: subid and single work. */
export const goodUser: MachineFacts = {
  platform: 'linux',
  kernel: '6.8.0-45-generic',
  user: {uid: 1000, gid: 1000, name: 'anna', inPasswdFile: true},
  groups: [1000],
  perl: {path: '/usr/bin/perl', version: '5.36.0'},
  node: '20.19.0',
  namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'pid_for_children', 'time', 'user', 'uts'],
  maxUserNamespaces: 96365,
  unprivilegedUsernsClone: undefined,
  apparmor: {restrictUserns: undefined, label: undefined, unshareProfile: false},
  selinux: undefined,
  yamaPtraceScope: undefined,
  namespaceLimits: {mnt: 96365, pid: 96365, net: 96365, ipc: 96365, uts: 96365, cgroup: 96365},
  chroot: false,
  setgroups: 'allow',
  mounts: goodMounts,
  fileSystems: ['sysfs', 'tmpfs', 'proc', 'devpts', 'overlay', 'mqueue', 'cgroup2', 'ext4'],
  tools: [],
  kubeletBlocks: [],
  budgets: {
    inotifyWatches: 524288,
    ptys: {used: 3, max: 4096},
    keys: {used: 4, max: 200},
    processes: 96365,
    openFiles: 1024,
    pidsCgroup: undefined,
    threadsMax: 192730,
    mountMax: 100000,
  },
  pingGroupRange: '1\t0',
  oomScoreAdj: 0,
  selfUidMap: IDENTITY_MAP,
  selfGidMap: IDENTITY_MAP,
  isInitialUserns: true,
  container: undefined,
  seccomp: 0,
  noNewPrivs: false,
  effective: noCapabilities,
  bounding: allCapabilities,
  newuidmap: helper,
  newgidmap: {...helper, path: '/usr/bin/newgidmap'},
  utilLinux: '2.39.3',
  nss: {getent: true, getsubids: true},
  nssRanges: {uid: undefined, gid: undefined},
  kubelet: {account: false, uidOutput: undefined, gidOutput: undefined},
  ids: goodIds,
  state: {
    root: '/run/user/1000/subroot',
    exists: false,
    nearest: '/run/user/1000',
    writable: true,
    fsType: 'tmpfs',
    freeBytes: 2 ** 30,
    freeInodes: 100000,
    closedAt: undefined,
  },
  terminal: {nodePty: true, script: '/usr/bin/script'},
  pidMax: 4194304,
  processCount: 200,
  inotifyInstances: 128,
  cgroup: {layout: 'v2', controllers: ['cpu', 'memory', 'pids'], delegated: true},
  nowMs: Date.UTC(2026, 5, 1),
};

/** root on the same machine: host works too. */
export const goodRoot: MachineFacts = {
  ...goodUser,
  user: {uid: 0, gid: 0, name: 'root', inPasswdFile: true},
  effective: allCapabilities,
};

export function withIds(facts: MachineFacts, ids: Partial<IdSpaceFacts>): MachineFacts {
  return {...facts, ids: {...facts.ids, ...ids}};
}

export function subuidText(text: string, gidText = text): Partial<IdSpaceFacts> {
  return {subuid: {path: '/etc/subuid', text}, subgid: {path: '/etc/subgid', text: gidText}};
}

export function liveNamespace(changes: Partial<LiveNamespace>): LiveNamespace {
  const map = [{containerId: 0, hostId: 131072, size: 65536}];
  return {
    inode: 4026532200,
    pid: 77,
    processCount: 1,
    command: 'sleep',
    owner: 1000,
    uidMap: map,
    gidMap: map,
    ...changes,
  };
}
