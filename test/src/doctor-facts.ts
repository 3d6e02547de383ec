import {allCapabilities, noCapabilities} from '../../native-free/capability.ts';
import {IDENTITY_MAP} from '../../native-free/id-map.ts';
import type {IdSpaceFacts, LiveNamespace, MachineFacts, MapHelper} from '../../src/doctor/facts.ts';

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

/** anna, unprivileged, on a good machine: subid and single work. */
export const goodUser: MachineFacts = {
  platform: 'linux',
  kernel: '6.8.0-45-generic',
  user: {uid: 1000, gid: 1000, name: 'anna', inPasswdFile: true},
  perl: {path: '/usr/bin/perl', version: '5.36.0'},
  namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'pid_for_children', 'time', 'user', 'uts'],
  maxUserNamespaces: 96365,
  unprivilegedUsernsClone: undefined,
  apparmor: {restrictUserns: undefined, label: undefined, unshareProfile: false},
  selfUidMap: IDENTITY_MAP,
  selfGidMap: IDENTITY_MAP,
  isInitialUserns: true,
  container: undefined,
  seccomp: 0,
  noNewPrivs: false,
  effective: noCapabilities,
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
