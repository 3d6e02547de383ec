import {accessSync, constants, statfsSync, statSync} from 'node:fs';
import {createRequire} from 'node:module';
import {release} from 'node:os';
import {dirname, join} from 'node:path';
import {type CapabilitySet, noCapabilities, parseCapabilityMask} from '../../native-free/capability.ts';
import type {IdSpaceFacts, MachineFacts, MapHelper, MountFact, StateFolder} from '../doctor/facts.ts';
import {readBudgets} from './machine-budgets.ts';
import {exists, findProgram, readLink, readNames, readNumber, readText} from './machine-files.ts';
import {readIdSpace} from './machine-ids.ts';
import {mountOf, parseMounts} from './machine-mounts.ts';
import {INITIAL_USERNS_INODE, listLiveNamespaces, listPids, readMap, userNamespaceOf} from './machine-namespaces.ts';
import {type Probe, probe} from './machine-probe.ts';
import {runQuick} from './machine-run.ts';
import {readKubeletBlocks, readTools} from './machine-tools.ts';

/**
 * Reads what this machine is, in about a tenth of a second and with a handful of short programs (perl, getent, unshare --version, …).
 * Makes no namespace and no mount, writes nothing, never throws: what cannot be read is undefined or empty.
 */
export async function readMachine(options: {readonly root: string}): Promise<MachineFacts> {
  const perl = findProgram('perl');
  const tools = readTools(perl);
  const newuidmap = findProgram('newuidmap');
  const newgidmap = findProgram('newgidmap');
  const helpers = [newuidmap, newgidmap].filter((path) => path !== undefined);
  const probed = perl === undefined ? undefined : probe(perl, {files: helpers});
  const status = readText('/proc/self/status') ?? '';
  const capabilities = (field: string) =>
    parseCapabilityMask(new RegExp(String.raw`^${field}:\s*(\S+)`, 'm').exec(status)?.[1] ?? '')?.capabilities ??
    noCapabilities;
  const pids = listPids();
  const live = listLiveNamespaces(pids, perl);
  const ids = readIdSpace({root: options.root, perl, live});
  const mounts = parseMounts(readText('/proc/self/mountinfo') ?? '');
  const user = readUser(ids);
  const getsubids = findProgram('getsubids');
  return {
    platform: process.platform,
    kernel: release(),
    user,
    perl: perl === undefined || probed === undefined ? undefined : {path: perl, version: probed.perlVersion},
    node: process.versions.node,
    groups: process.getgroups?.() ?? [],
    namespaces: readNames('/proc/self/ns'),
    maxUserNamespaces: readNumber('/proc/sys/user/max_user_namespaces'),
    unprivilegedUsernsClone: readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmor: {
      restrictUserns: readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
      label: readLabel(),
      unshareProfile: exists('/etc/apparmor.d/unshare-userns-restrict'),
    },
    selinux: readSelinux(mounts),
    yamaPtraceScope: readNumber('/proc/sys/kernel/yama/ptrace_scope'),
    namespaceLimits: readNamespaceLimits(),
    chroot: isInChroot(mounts),
    setgroups: readSetgroups(),
    mounts,
    fileSystems: readFileSystems(),
    tools: await tools,
    kubeletBlocks: readKubeletBlocks('/var/lib/kubelet/pods'),
    budgets: readBudgets(user.uid),
    pingGroupRange: readText('/proc/sys/net/ipv4/ping_group_range')?.trim(),
    oomScoreAdj: Number(readText('/proc/self/oom_score_adj') ?? Number.NaN) || 0,
    selfUidMap: readMap('self', 'uid_map') ?? [],
    selfGidMap: readMap('self', 'gid_map') ?? [],
    isInitialUserns: userNamespaceOf('self') === INITIAL_USERNS_INODE,
    container: findContainer(),
    seccomp: statusNumber(status, 'Seccomp') ?? 0,
    noNewPrivs: statusNumber(status, 'NoNewPrivs') === 1,
    effective: capabilities('CapEff'),
    bounding: capabilities('CapBnd'),
    newuidmap: readHelper(newuidmap, mounts, probed),
    newgidmap: readHelper(newgidmap, mounts, probed),
    utilLinux: utilLinuxVersion(),
    nss: {getent: findProgram('getent') !== undefined, getsubids: getsubids !== undefined},
    nssRanges: readNssRanges(getsubids, ids, user.name),
    kubelet: readKubelet(getsubids, ids),
    ids,
    state: readState(options.root, mounts),
    terminal: {nodePty: canResolve('node-pty'), script: findProgram('script')},
    pidMax: readNumber('/proc/sys/kernel/pid_max'),
    processCount: pids.length,
    inotifyInstances: readNumber('/proc/sys/fs/inotify/max_user_instances'),
    cgroup: readCgroup(),
    nowMs: Date.now(),
  };
}

function readUser(ids: IdSpaceFacts): MachineFacts['user'] {
  const uid = process.geteuid?.() ?? -1;
  const gid = process.getegid?.() ?? -1;
  const name = ids.accounts.find((account) => account.uid === uid)?.name;
  const lines = (readText('/etc/passwd') ?? '').split('\n');
  return {uid, gid, name, inPasswdFile: name !== undefined && lines.some((line) => line.startsWith(`${name}:`))};
}

function readLabel(): string | undefined {
  const label = readText('/proc/self/attr/apparmor/current') ?? readText('/proc/self/attr/current');
  return label === undefined || label.trim() === '' ? undefined : label.replace(/\0$/, '').trim();
}

function readSelinux(mounts: readonly MountFact[]): MachineFacts['selinux'] {
  const mount = mounts.find(({type}) => type === 'selinuxfs');
  if (mount === undefined) return undefined;
  return readText(join(mount.point, 'enforce'))?.trim() === '1' ? 'enforcing' : 'permissive';
}

function readNamespaceLimits(): Record<string, number> {
  const kinds = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'].flatMap((kind) => {
    const limit = readNumber(`/proc/sys/user/max_${kind}_namespaces`);
    return limit === undefined ? [] : [[kind, limit] as const];
  });
  return Object.fromEntries(kinds);
}

/**
 * A chroot into a folder leaves no mount at / in our mountinfo. One into a mount point does, and then only a look at pid 1 of the same
 * mount namespace tells. Source: fs/proc_namespace.c show_mountinfo(), proc(5).
 */
function isInChroot(mounts: readonly MountFact[]): boolean | undefined {
  if (mounts.length === 0) return undefined;
  if (!mounts.some(({point}) => point === '/')) return true;
  const [own, first] = ['self', '1'].map((pid) => readLink(`/proc/${pid}/ns/mnt`));
  if (own === undefined || own !== first) return undefined;
  const [ours, theirs] = ['/', '/proc/1/root/'].map((path) => statSync(path, {throwIfNoEntry: false}));
  return ours === undefined || theirs === undefined ? undefined : ours.ino !== theirs.ino || ours.dev !== theirs.dev;
}

function readSetgroups(): MachineFacts['setgroups'] {
  const word = readText('/proc/self/setgroups')?.trim();
  return word === 'allow' || word === 'deny' ? word : undefined;
}

function readFileSystems(): string[] {
  return (readText('/proc/filesystems') ?? '').split('\n').flatMap((line) => line.split('\t')[1] ?? []);
}

function statusNumber(status: string, field: string): number | undefined {
  const value = new RegExp(String.raw`^${field}:\s*(\d+)`, 'm').exec(status)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Signs that container engines leave. Source: podman-run(1) /run/.containerenv; Docker's /.dockerenv; systemd's container_interface. */
function findContainer(): string | undefined {
  if (exists('/run/.containerenv')) return 'podman';
  if (exists('/.dockerenv')) return 'docker';
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) return 'kubernetes';
  return readText('/run/host/container-manager')?.trim() || process.env.container || undefined;
}

function readHelper(
  path: string | undefined,
  mounts: readonly MountFact[],
  probed: Probe | undefined,
): MapHelper | undefined {
  if (path === undefined) return undefined;
  const stat = statSync(path, {throwIfNoEntry: false});
  if (stat === undefined) return undefined;
  const mount = mountOf(mounts, path);
  const bytes = probed?.fileCapabilities.get(path);
  return {
    path,
    mode: stat.mode % 0o10000,
    uid: stat.uid,
    fileCapabilities: bytes === undefined ? undefined : permittedOf(bytes),
    mountPoint: mount?.point ?? '/',
    nosuid: mount?.options.includes('nosuid') ?? false,
  };
}

/** The permitted mask of security.capability: two little-endian halves at bytes 4 and 12. Source: include/uapi/linux/capability.h vfs_cap_data. */
export function permittedOf(hex: string): CapabilitySet {
  const bytes = Buffer.from(hex, 'hex');
  const half = (offset: number): string =>
    (bytes.length >= offset + 4 ? bytes.readUInt32LE(offset) : 0).toString(16).padStart(8, '0');
  return parseCapabilityMask(half(12) + half(4))?.capabilities ?? noCapabilities;
}

function utilLinuxVersion(): string | undefined {
  const unshare = findProgram('unshare');
  if (unshare === undefined) return undefined;
  return /util-linux[^\d]*(\d+(?:\.\d+)*)/.exec(runQuick(unshare, ['--version']).stdout)?.[1];
}

/** getsubids is asked only where the files are not the source: with `files` they say the same and we can name their lines. */
function readNssRanges(
  getsubids: string | undefined,
  ids: IdSpaceFacts,
  name: string | undefined,
): MachineFacts['nssRanges'] {
  if (getsubids === undefined || name === undefined || ids.subidSource === 'files')
    return {uid: undefined, gid: undefined};
  return {uid: subidsOutput(getsubids, [name]), gid: subidsOutput(getsubids, ['-g', name])};
}

function subidsOutput(getsubids: string, args: readonly string[]): string | undefined {
  const {exitCode, stdout} = runQuick(getsubids, args);
  return exitCode === 0 ? stdout : undefined;
}

function readKubelet(getsubids: string | undefined, ids: IdSpaceFacts): MachineFacts['kubelet'] {
  const account = ids.accounts.some(({name}) => name === 'kubelet');
  if (!account || getsubids === undefined) return {account, uidOutput: undefined, gidOutput: undefined};
  return {
    account,
    uidOutput: subidsOutput(getsubids, ['kubelet']),
    gidOutput: subidsOutput(getsubids, ['-g', 'kubelet']),
  };
}

function readState(root: string, mounts: readonly MountFact[]): StateFolder {
  let nearest = root;
  while (!exists(nearest) && nearest !== dirname(nearest)) nearest = dirname(nearest);
  let free = {bavail: 0, bsize: 0, ffree: 0, files: 0};
  try {
    free = statfsSync(nearest);
  } catch {
    // Not reachable: it counts as full.
  }
  return {
    root,
    exists: nearest === root,
    nearest,
    writable: isWritable(nearest),
    fsType: mountOf(mounts, nearest)?.type ?? 'unknown',
    freeBytes: free.bavail * free.bsize,
    // File systems without an inode table (btrfs) count 0 of 0.
    freeInodes: free.files === 0 ? Number.MAX_SAFE_INTEGER : free.ffree,
    closedAt: firstClosed(dirname(root)),
  };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK + constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function firstClosed(path: string): string | undefined {
  const above = path === dirname(path) ? undefined : firstClosed(dirname(path));
  if (above !== undefined) return above;
  const mode = statSync(path, {throwIfNoEntry: false})?.mode;
  return mode !== undefined && mode % 2 === 0 ? path : undefined;
}

function canResolve(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

function readCgroup(): MachineFacts['cgroup'] {
  const root = '/sys/fs/cgroup';
  if (exists(join(root, 'cgroup.controllers'))) {
    const own = /^0::(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1] ?? '/';
    const folder = join(root, own);
    const controllers = (readText(join(folder, 'cgroup.controllers')) ?? '').split(/\s+/).filter((word) => word !== '');
    return {layout: 'v2', controllers, delegated: isWritable(folder)};
  }
  const names = readNames(root);
  if (names.length === 0) return {layout: 'none', controllers: [], delegated: false};
  const controllers = names.filter((name) => !['unified', 'systemd'].includes(name));
  return {layout: names.includes('unified') ? 'hybrid' : 'v1', controllers, delegated: isWritable(root)};
}
