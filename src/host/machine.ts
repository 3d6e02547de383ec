import {accessSync, constants, statfsSync, statSync} from 'node:fs';
import {createRequire} from 'node:module';
import {release} from 'node:os';
import {dirname, join} from 'node:path';
import {type CapabilitySet, noCapabilities, parseCapabilityMask} from '../../native-free/capability.ts';
import type {IdSpaceFacts, MachineFacts, MapHelper, StateFolder} from '../doctor/facts.ts';
import {exists, findProgram, readNames, readNumber, readText} from './machine-files.ts';
import {readIdSpace} from './machine-ids.ts';
import {INITIAL_USERNS_INODE, listLiveNamespaces, listPids, readMap, userNamespaceOf} from './machine-namespaces.ts';
import {type Probe, probe} from './machine-probe.ts';
import {runQuick} from './machine-run.ts';

/**
 * Reads what this machine is, in about a tenth of a second and with a handful of short programs (perl, getent, unshare --version, …).
 * Makes no namespace and no mount, writes nothing, never throws: what cannot be read is undefined or empty.
 */
export function readMachine(options: {readonly root: string}): MachineFacts {
  const perl = findProgram('perl');
  const newuidmap = findProgram('newuidmap');
  const newgidmap = findProgram('newgidmap');
  const helpers = [newuidmap, newgidmap].filter((path) => path !== undefined);
  const probed = perl === undefined ? undefined : probe(perl, {files: helpers});
  const pids = listPids();
  const live = listLiveNamespaces(pids, perl);
  const ids = readIdSpace({root: options.root, perl, live});
  const mounts = parseMounts(readText('/proc/self/mountinfo') ?? '');
  const status = readText('/proc/self/status') ?? '';
  const user = readUser(ids);
  const getsubids = findProgram('getsubids');
  return {
    platform: process.platform,
    kernel: release(),
    user,
    perl: perl === undefined || probed === undefined ? undefined : {path: perl, version: probed.perlVersion},
    namespaces: readNames('/proc/self/ns'),
    maxUserNamespaces: readNumber('/proc/sys/user/max_user_namespaces'),
    unprivilegedUsernsClone: readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmor: {
      restrictUserns: readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
      label: readLabel(),
      unshareProfile: exists('/etc/apparmor.d/unshare-userns-restrict'),
    },
    selfUidMap: readMap('self', 'uid_map') ?? [],
    selfGidMap: readMap('self', 'gid_map') ?? [],
    isInitialUserns: userNamespaceOf('self') === INITIAL_USERNS_INODE,
    container: findContainer(),
    seccomp: statusNumber(status, 'Seccomp') ?? 0,
    noNewPrivs: statusNumber(status, 'NoNewPrivs') === 1,
    effective: parseCapabilityMask(/^CapEff:\s*(\S+)/m.exec(status)?.[1] ?? '')?.capabilities ?? noCapabilities,
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

export interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The mounts of /proc/PID/mountinfo text, in its order (a later one hides an earlier one on the same point). Source: proc(5). */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [front = '', back = ''] = line.split(' - ');
    const [, , , , point, options] = front.split(' ');
    if (point === undefined || options === undefined) return [];
    return [{point: unescapeOctal(point), type: back.split(' ')[0] ?? '', options: options.split(',')}];
  });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mount that a path is on. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isOn = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`);
    if (isOn && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

function readHelper(
  path: string | undefined,
  mounts: readonly Mount[],
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

function readState(root: string, mounts: readonly Mount[]): StateFolder {
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
