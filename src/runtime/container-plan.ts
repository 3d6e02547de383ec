import {type CapabilitySet, formatCapabilityMask} from '../../native-free/capability.ts';
import type {Step} from '../host/step.ts';
import {type NodeShares, rootMountPoint, type SeccompFilter} from './sandbox-plan.ts';
import {holdUserland, placeUserland, type UserlandEntry} from './userland.ts';

/** What fills the root: this machine's userland read-only under a private tmpfs, or folders under a private overlay, the highest first. */
export type RootSource =
  | {readonly kind: 'host'; readonly userland: readonly UserlandEntry[]; readonly alternatives: string | undefined}
  | {readonly kind: 'directory'; readonly paths: readonly string[]; readonly idmapped: boolean};

export interface PlannedMount {
  readonly hostPath: string;
  readonly containerPath: string;
  /** `top`: the mount itself, but not those below it. */
  readonly readOnly: 'no' | 'top' | 'all';
  readonly propagation: 'private' | 'slave' | 'shared';
  readonly isDirectory: boolean;
  readonly idmapped: boolean;
  /** The path is one of the machine's, as whoever started us sees it; else one of the agent's own mounts. */
  readonly ofHost: boolean;
}

/** What the kernel counts a container's programs by. */
export interface Accounting {
  /** Folders of its control groups, one for each hierarchy; none: those of who starts it. */
  readonly cgroups: readonly string[];
  readonly oomScoreAdj: number | undefined;
}

/** Steps of the machine's namespaces and root: no other can write there. */
function planAccounting({cgroups, oomScoreAdj}: Accounting): Step[] {
  return [
    ...(cgroups.length > 0 ? ([['cgroup', ...cgroups]] satisfies Step[]) : []),
    ...(oomScoreAdj === undefined ? [] : ([['oomscore', String(oomScoreAdj)]] satisfies Step[])),
  ];
}

/** The identity and limits of a program in a container: its own init or one that is exec'ed into it. */
export interface ProgramIdentity {
  /** Container-side ids. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly bounding: CapabilitySet;
  /** Kept over execve(2) by programs that are not root; a part of the bounding set. */
  readonly ambient: CapabilitySet;
  readonly noNewPrivs: boolean;
  readonly seccomp?: SeccompFilter;
  readonly cwd: string;
  readonly env: readonly (readonly [name: string, value: string])[];
}

export interface ContainerPlanInput {
  readonly root: RootSource;
  /** Pid of the sandbox's holder, for the user namespace that idmapped mounts are shifted by. */
  readonly holderPid: number;
  /** False for a pod in the node's own user namespace. */
  readonly hasUserns: boolean;
  readonly groups: '' | '-';
  /** False when the pod's containers share the holder's pid namespace, or the node's. */
  readonly ownPid: boolean;
  readonly shares: NodeShares;
  /**
   * We are root of the machine's own namespaces. Root of an outer one may neither join the machine's, which its pod lives in already, nor make a
   * new view of them: it binds the machine's. Source: kernel/nsproxy.c; fs/proc/root.c, fs/sysfs/mount.c.
   */
  readonly ownsNode: boolean;
  /** A cgroup v2 hierarchy can be mounted. */
  readonly cgroup2: boolean;
  /** Group 5 (tty) is mapped, so that devpts can give terminals to it. */
  readonly ttyGroup: boolean;
  readonly etc: Readonly<Record<string, string>>;
  readonly mounts: readonly PlannedMount[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly readonlyRoot: boolean;
  readonly terminal: boolean;
  readonly accounting: Accounting;
  readonly program: ProgramIdentity;
  readonly argv: readonly string[];
}

const deviceNodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/**
 * Steps from "root inside, everything allowed" to the program with only what it may have, and its exec. The filter is the last of them.
 * The kernel takes it from who has CAP_SYS_ADMIN over the user namespace, or will never gain privileges (no_new_privs); a program that may
 * gain some keeps that capability up to its exec, which takes it: it is in neither the bounding nor the ambient set.
 * Source: kernel/seccomp.c seccomp_prepare_filter(); security/commoncap.c cap_bprm_creds_from_file(); 6.18.
 */
export function planProgram(program: ProgramIdentity, groups: '' | '-', argv: readonly string[]): Step[] {
  const {seccomp, ambient, noNewPrivs} = program;
  const isRoot = program.uid === 0;
  const bounding = formatCapabilityMask(program.bounding);
  const loadsAsAdmin = seccomp !== undefined && !noNewPrivs;
  const own = isRoot ? program.bounding : ambient;
  const permitted = formatCapabilityMask(loadsAsAdmin ? new Set([...own, 'CAP_SYS_ADMIN' as const]) : own);
  const kept = formatCapabilityMask(ambient);
  // The kernel takes the permitted ones with the last uid 0, before the ambient ones are set and the filter is loaded.
  const keepsCapabilities = !isRoot && (loadsAsAdmin || ambient.size > 0);
  const wanted = program.groups.join(',');
  return [
    ['umask', '0022'],
    ['chdir', program.cwd],
    ['bounding', bounding],
    ...(isRoot && program.gid === 0 && wanted === ''
      ? []
      : ([
          ...(keepsCapabilities ? ([['keepcaps']] satisfies Step[]) : []),
          ['creds', String(program.uid), String(program.gid), groups === '-' ? '-' : wanted],
          // The kernel forgets it with a change of ids. Source: kernel/cred.c commit_creds().
          ['pdeathsig', 'KILL'],
        ] satisfies Step[])),
    ['capabilities', permitted, kept, kept],
    ...(noNewPrivs ? ([['nonewprivs']] satisfies Step[]) : []),
    ...program.env.map(([name, value]): Step => ['env', name, value]),
    ...(seccomp ? ([['seccomp', String(seccomp.flags), seccomp.program]] satisfies Step[]) : []),
    ['exec', ...argv],
  ];
}

function holdRoot(root: RootSource): Step[] {
  if (root.kind === 'directory') {
    const flags = root.idmapped ? 'rec,ro,idmap=pod' : 'rec,ro';
    return root.paths.map((path, index): Step => ['tree', `image:${index}`, path, flags]);
  }
  return [
    ...holdUserland(root.userland),
    ...(root.alternatives === undefined
      ? []
      : ([['tree', 'alternatives', root.alternatives, 'ro,nosuid,nodev']] satisfies Step[])),
  ];
}

/** The root itself, attached and pivoted into; all later paths are resolved inside it, so that no link of an image leads out. */
function placeRoot(root: RootSource): Step[] {
  if (root.kind === 'host') {
    return [
      ['fs', 'root', 'tmpfs', 'nodev', 'mode=0755'],
      ['attach', 'root', rootMountPoint],
    ];
  }
  const scratch = rootMountPoint;
  const lowers = root.paths.map((_, index) => `${scratch}/lower/${index}`);
  return [
    ['fs', 'scratch', 'tmpfs', 'nodev', 'mode=0700'],
    ['attach', 'scratch', scratch],
    ['mkdir', `${scratch}/lower`, '0755'],
    ['mkdir', `${scratch}/upper`, '0755'],
    ['mkdir', `${scratch}/work`, '0755'],
    ['mkdir', `${scratch}/root`, '0755'],
    ...lowers.flatMap((lower, index): Step[] => [
      ['mkdir', lower, '0755'],
      ['attach', `image:${index}`, lower],
    ]),
    [
      // By mount(2), since a value of fsconfig(2) has at most 256 bytes, and an image may have many layers. Source: fs/fsopen.c.
      'mount',
      'overlay',
      `${scratch}/root`,
      'overlay',
      'nodev',
      `lowerdir=${lowers.join(':')},upperdir=${scratch}/upper,workdir=${scratch}/work,userxattr`,
    ],
  ];
}

function fillHostRoot(root: RootSource & {kind: 'host'}): Step[] {
  return [
    ...placeUserland(root.userland),
    ['mkdir', '/etc', '0755'],
    ['mkdir', '/tmp', '1777'],
    ['chmod', '/tmp', '1777'],
    ['mkdir', '/run', '0755'],
    ['mkdir', '/root', '0700'],
    ['mkdir', '/home', '0755'],
    ['mkdir', '/mnt', '0755'],
    ['mkdirs', '/var/tmp', '0755'],
    ['chmod', '/var/tmp', '1777'],
    ['symlink', '/run', '/var/run'],
    ...(root.alternatives === undefined
      ? []
      : ([
          ['mkdir', '/etc/alternatives', '0755'],
          ['attach', 'alternatives', '/etc/alternatives'],
        ] satisfies Step[])),
  ];
}

function flagsOf({readOnly, propagation, idmapped, ofHost}: PlannedMount): string {
  return [
    'rec',
    ...(readOnly === 'all' ? ['ro'] : readOnly === 'top' ? ['rotop'] : []),
    propagation,
    ...(idmapped ? ['idmap=pod'] : []),
    ...(ofHost ? ['host'] : []),
  ].join(',');
}

/**
 * Attaches the volumes in a mount namespace of the node's own first: when the pod's is copied from it, the kernel locks their flags
 * and the mounts below them, and a pod root with CAP_SYS_ADMIN can neither remount one writable, nor with devices, nor uncover what
 * another hides. Attached from inside, they are not locked (seen: such a root then wrote to a read-only hostPath as host uid 0).
 * A shared one cannot be: copied into another user namespace it would be a slave. Source: mount_namespaces(7), fs/namespace.c
 * lock_mnt_tree().
 */
function stage(mounts: readonly (PlannedMount & {readonly index: number})[]): Step[] {
  if (mounts.length === 0) return [];
  return [
    ['unshare', 'mnt'],
    ['mount', '', '/', '', 'rec,private', ''],
    ['mount', 'tmpfs', rootMountPoint, 'tmpfs', 'nosuid,nodev', 'mode=0755'],
    ...mounts.flatMap(({index, isDirectory}): Step[] => [
      isDirectory ? ['mkdir', `${rootMountPoint}/${index}`, '0755'] : ['touch', `${rootMountPoint}/${index}`],
      ['attach', `mount:${index}`, `${rootMountPoint}/${index}`],
    ]),
  ];
}

/** Joins the pod's namespaces: those that are not the node's, where the node's cannot be joined. */
function joinSteps(
  {hasUserns, shares, ownsNode}: Pick<ContainerPlanInput, 'hasUserns' | 'shares' | 'ownsNode'>,
  types: readonly string[],
): Step[] {
  const isNodes: Readonly<Record<string, boolean>> = {net: shares.network, uts: shares.network, ipc: shares.ipc};
  const joined = types.filter((type) => ownsNode || !isNodes[type]);
  return joined.length === 0 ? [] : [['join', [...(hasUserns ? ['user'] : []), ...joined].join(',')]];
}

/** The plan of a container's init: namespaces of its own, the pod's others, the OCI default mounts, and the program. */
export function planContainer(input: ContainerPlanInput): Step[] {
  const needsIdmap =
    (input.root.kind === 'directory' && input.root.idmapped) || input.mounts.some((mount) => mount.idmapped);
  const locked = input.hasUserns
    ? input.mounts.flatMap((mount, index) => (mount.propagation === 'shared' ? [] : [{...mount, index}]))
    : [];
  const bound = {
    sys: !input.ownsNode && input.shares.network,
    proc: !input.ownsNode && input.shares.pid,
    // The queues of the machine are there by their calls; a view of them cannot be made.
    mqueue: !input.ownsNode && input.shares.ipc,
  };
  // What hears of the machine's mounts must stay their slave until it is in place.
  const hears = locked.some(({propagation}) => propagation === 'slave');
  const pivotTarget = input.root.kind === 'host' ? rootMountPoint : `${rootMountPoint}/root`;
  return [
    ...(needsIdmap ? ([['openuserns', 'pod', String(input.holderPid)]] satisfies Step[]) : []),
    ...holdRoot(input.root),
    ...deviceNodes.map((name): Step => ['tree', `dev:${name}`, `/dev/${name}`, 'nosuid,noexec']),
    ...input.mounts.map((mount, index): Step => ['tree', `mount:${index}`, mount.hostPath, flagsOf(mount)]),
    ['podtree', 'shm', '/dev/shm'],
    ...(bound.sys ? ([['tree', 'sys', '/sys', 'rec,ro,nosuid,nodev,noexec']] satisfies Step[]) : []),
    ...(bound.proc ? ([['tree', 'proc', '/proc', 'rec,nosuid,nodev,noexec']] satisfies Step[]) : []),
    ...planAccounting(input.accounting),
    ...stage(locked),
    ...joinSteps(input, ['net', 'ipc', 'uts']),
    // Without a user namespace too: it clears the groups of whoever started us.
    ['creds', '0', '0', input.groups],
    ['unshare', input.ownPid ? 'mnt,pid,cgroup' : 'mnt,cgroup'],
    ...(input.ownPid ? ([['fork']] satisfies Step[]) : []),
    // Before it tells its pid, so that a supervisor that is dead by then is noticed.
    ['pdeathsig', 'KILL'],
    ['whoami'],
    ...(input.terminal ? [] : ([['setsid']] satisfies Step[])),
    ['mount', '', '/', '', hears ? 'rec,slave' : 'rec,private', ''],
    ...locked.map(({index}): Step => ['tree', `mount:${index}`, `${rootMountPoint}/${index}`, 'rec']),
    ...(bound.proc ? [] : ([['fs', 'proc', 'proc', 'nosuid,nodev,noexec']] satisfies Step[])),
    ...(bound.sys ? [] : ([['fs', 'sys', 'sysfs', 'ro,nosuid,nodev,noexec']] satisfies Step[])),
    ...(input.cgroup2 ? ([['fs', 'cgroup', 'cgroup2', 'ro,nosuid,nodev,noexec']] satisfies Step[]) : []),
    ['fs', 'dev', 'tmpfs', 'nosuid,noexec', 'mode=0755', 'size=65536k'],
    ['fs', 'pts', 'devpts', 'nosuid,noexec', 'ptmxmode=0666', 'mode=0620', ...(input.ttyGroup ? ['gid=5'] : [])],
    ...(bound.mqueue ? [] : ([['fs', 'mqueue', 'mqueue', 'nosuid,nodev,noexec']] satisfies Step[])),
    ...placeRoot(input.root),
    ['pivot', pivotTarget],
    ...(input.root.kind === 'host' ? fillHostRoot(input.root) : []),
    ['mkdir', '/proc', '0755'],
    ['attach', 'proc', '/proc'],
    ['mkdir', '/sys', '0755'],
    ['attach', 'sys', '/sys'],
    ...(input.cgroup2 ? ([['attach', 'cgroup', '/sys/fs/cgroup']] satisfies Step[]) : []),
    ['mkdir', '/dev', '0755'],
    ['attach', 'dev', '/dev'],
    ...deviceNodes.flatMap((name): Step[] => [
      ['file', `/dev/${name}`, '0666', ''],
      ['attach', `dev:${name}`, `/dev/${name}`],
    ]),
    ['mkdir', '/dev/pts', '0755'],
    ['attach', 'pts', '/dev/pts'],
    ['mkdir', '/dev/shm', '1777'],
    ['attach', 'shm', '/dev/shm'],
    ['mkdir', '/dev/mqueue', '1777'],
    ...(bound.mqueue ? [] : ([['attach', 'mqueue', '/dev/mqueue']] satisfies Step[])),
    ['symlink', '/proc/self/fd', '/dev/fd'],
    ['symlink', '/proc/self/fd/0', '/dev/stdin'],
    ['symlink', '/proc/self/fd/1', '/dev/stdout'],
    ['symlink', '/proc/self/fd/2', '/dev/stderr'],
    ['symlink', 'pts/ptmx', '/dev/ptmx'],
    ...(input.root.kind === 'directory' ? ([['mkdir', '/etc', '0755']] satisfies Step[]) : []),
    ...Object.entries(input.etc).map(([path, content]): Step => ['file', path, '0644', content]),
    ...[...input.mounts.entries()]
      .sort(([, a], [, b]) => depth(a.containerPath) - depth(b.containerPath))
      .flatMap(([index, mount]): Step[] => [
        ['mkdirs', mount.isDirectory ? mount.containerPath : parent(mount.containerPath), '0755'],
        ...(mount.isDirectory ? [] : ([['touch', mount.containerPath]] satisfies Step[])),
        ['attach', `mount:${index}`, mount.containerPath],
      ]),
    ...input.readonlyPaths.map((path): Step => ['readonly', path]),
    ...input.maskedPaths.map((path): Step => ['mask', path]),
    ...(input.terminal
      ? ([['terminal', String(input.program.uid), input.ttyGroup ? '5' : '0', '24', '80', '1']] satisfies Step[])
      : []),
    ['mkdirs', input.program.cwd, '0755'],
    ...(input.readonlyRoot ? ([['mount', '', '/', '', 'bind,remount,ro,nodev', '']] satisfies Step[]) : []),
    ...planProgram(input.program, input.groups, input.argv),
  ];
}

function depth(path: string): number {
  return path.split('/').filter(Boolean).length;
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export interface ExecPlanInput {
  readonly hasUserns: boolean;
  readonly shares: NodeShares;
  readonly ownsNode: boolean;
  readonly groups: '' | '-';
  readonly terminal: boolean;
  readonly ttyGroup: boolean;
  /** A session of its own; false lets the terminal's Ctrl-C reach the program as it reaches us. */
  readonly ownSession: boolean;
  readonly accounting: Accounting;
  readonly program: ProgramIdentity;
  readonly argv: readonly string[];
}

/** The plan of a program that joins a running container: every namespace of its init, then exactly its limits. */
export function planExec(input: ExecPlanInput): Step[] {
  return [
    ['whoami'],
    ...planAccounting(input.accounting),
    ...joinSteps(input, ['mnt', 'net', 'ipc', 'uts', 'cgroup']),
    ['creds', '0', '0', input.groups],
    ['pdeathsig', 'KILL'],
    ...(input.terminal
      ? ([['terminal', String(input.program.uid), input.ttyGroup ? '5' : '0', '24', '80', '']] satisfies Step[])
      : input.ownSession
        ? ([['setsid']] satisfies Step[])
        : []),
    ...planProgram(input.program, input.groups, input.argv),
  ];
}
