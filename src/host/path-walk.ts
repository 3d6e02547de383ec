import {closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats} from 'node:fs';
import {join} from 'node:path';
import type {MountFact} from '../doctor/facts.ts';
import {readText} from './machine-files.ts';
import {parseMounts} from './machine-mounts.ts';
import {type PathProbe, probePaths} from './path-probe.ts';

/** The same number on every architecture that Node runs on. Source: include/uapi/asm-generic/fcntl.h. */
const O_PATH = 0o10000000;
/** Source: include/linux/namei.h MAXSYMLINKS. */
const MAX_LINKS = 40;

/** A folder or file on the way, as we see it: owner and group in OUR ids, through the mount that it is on. */
export interface WalkedComponent {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'device' | 'other';
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly device: number;
  readonly inode: number;
  /** Of the mount namespace that was walked in; undefined when it is not listed there. */
  readonly mount: MountFact | undefined;
  readonly probe: PathProbe;
  /** Owner and group as they are stored, seen through another mount of the file system that shifts nothing; undefined: not looked for, or there is none. */
  readonly onDisk: {readonly uid: number; readonly gid: number} | undefined;
  /** It was looked at through that other mount, since nobody of ours passes the folder above: uid, gid and ACL are those of the disk. */
  readonly isFromDisk: boolean;
}

export interface WalkedPath {
  /** From the root. */
  readonly components: readonly WalkedComponent[];
  /** Symbolic links that were followed. */
  readonly links: readonly {readonly path: string; readonly target: string}[];
  /** Why the walk ended before the path did, and at which component; undefined: it did not. */
  readonly stopped: {readonly path: string; readonly errno: string} | undefined;
}

/**
 * Walks a path as a process sees it (`self` for ourselves): in its mount namespace and from its root, through mounts and links. Nothing is
 * opened but by O_PATH, which reads nothing and wakes no device. Where WE may not look the walk stops and says so; never throws.
 */
export function walkPath(pid: number | 'self', path: string, perl: string | undefined): WalkedPath {
  const mounts = new Map(parseMounts(readText(`/proc/${pid}/mountinfo`) ?? '').map((mount) => [mount.id, mount]));
  const opened: Opened[] = [];
  const links: {path: string; target: string}[] = [];
  try {
    const stopped = open(pid, path, opened, links, mounts);
    const probes = probePaths(
      perl,
      pid,
      opened.map(({fd}) => fd),
    );
    const components: WalkedComponent[] = [];
    for (const [index, each] of opened.entries())
      components.push(describe(each, probes[index] ?? {}, components.at(-1), mounts));
    return {components, links, stopped};
  } finally {
    for (const {fd} of opened) closeSync(fd);
  }
}

interface Opened {
  readonly path: string;
  readonly fd: number;
  readonly isFromDisk: boolean;
}

/** Fills `opened` with a descriptor for each component that is left in the end: what `..` and links go past is let go. */
function open(
  pid: number | 'self',
  path: string,
  opened: Opened[],
  links: {path: string; target: string}[],
  mounts: ReadonlyMap<number, MountFact>,
): WalkedPath['stopped'] {
  const root = pid === 'self' ? '/' : `/proc/${pid}/root`;
  const first = tryOpen(root, O_PATH);
  if (typeof first === 'string') return {path: '/', errno: first};
  opened.push({path: '/', fd: first, isFromDisk: false});
  const names = namesOf(path);
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      if (opened.length > 1) closeSync(opened.pop()?.fd ?? -1);
      continue;
    }
    const folder = opened.at(-1);
    if (folder === undefined) break;
    const at = folder.path === '/' ? `/${name}` : `${folder.path}/${name}`;
    const found = openIn(folder, name, at, mounts);
    if (typeof found === 'string') return {path: at, errno: found};
    const {fd, parent} = found;
    if (!fstatSync(fd).isSymbolicLink()) {
      opened.push({path: at, fd, isFromDisk: found.isFromDisk});
      continue;
    }
    closeSync(fd);
    if (links.length >= MAX_LINKS) return {path: at, errno: 'ELOOP'};
    const target = readlinkSync(`${parent}/${name}`);
    links.push({path: at, target});
    if (target.startsWith('/')) for (const {fd: past} of opened.splice(1)) closeSync(past);
    names.unshift(...namesOf(target));
  }
  return undefined;
}

/**
 * A name in a folder. Through a mount that shifts ids not even root passes a folder whose owner has no place there, though a group may let
 * others pass: it is looked at on disk then, by another mount of the file system, unless something is mounted there.
 */
function openIn(
  folder: Opened,
  name: string,
  at: string,
  mounts: ReadonlyMap<number, MountFact>,
): {readonly fd: number; readonly parent: string; readonly isFromDisk: boolean} | string {
  const parent = `/proc/self/fd/${folder.fd}`;
  const fd = tryOpen(`${parent}/${name}`, O_PATH | constants.O_NOFOLLOW);
  if (typeof fd === 'number') return {fd, parent, isFromDisk: folder.isFromDisk};
  const isMountPoint = [...mounts.values()].some(({point}) => point === at);
  if (fd !== 'EACCES' || folder.isFromDisk || isMountPoint) return fd;
  const onDisk = findOnDisk(look(folder.path, folder.fd, mounts));
  if (onDisk === undefined) return fd;
  const other = tryOpen(join(onDisk.path, name), O_PATH | constants.O_NOFOLLOW);
  return typeof other === 'string' ? fd : {fd: other, parent: onDisk.path, isFromDisk: true};
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function tryOpen(path: string, flags: number): number | string {
  try {
    return openSync(path, flags);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}

function describe(
  {path, fd, isFromDisk}: Opened,
  probe: PathProbe,
  above: WalkedComponent | undefined,
  mounts: ReadonlyMap<number, MountFact>,
): WalkedComponent {
  const seen = look(path, fd, mounts);
  if (isFromDisk) {
    // In the pod it is on the mount of the folder above, and shifted as that one is.
    const {idmap: _, ...own} = probe;
    const idmap = above?.probe.idmap;
    const {uid, gid} = seen;
    return {
      ...seen,
      mount: above?.mount,
      probe: idmap === undefined ? own : {...own, idmap},
      onDisk: {uid, gid},
      isFromDisk,
    };
  }
  const isShifted = seen.mount?.options.includes('idmapped') === true;
  return {...seen, probe, onDisk: isShifted ? findOnDisk(seen) : undefined, isFromDisk};
}

type Seen = Omit<WalkedComponent, 'probe' | 'onDisk' | 'isFromDisk'>;

function look(path: string, fd: number, mounts: ReadonlyMap<number, MountFact>): Seen {
  const stat = fstatSync(fd);
  const mountId = /^mnt_id:\s*(\d+)/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1];
  return {
    path,
    kind: stat.isDirectory()
      ? 'folder'
      : stat.isFile()
        ? 'file'
        : stat.isBlockDevice() || stat.isCharacterDevice()
          ? 'device'
          : 'other',
    uid: stat.uid,
    gid: stat.gid,
    mode: stat.mode % 0o10000,
    device: stat.dev,
    inode: stat.ino,
    mount: mountId === undefined ? undefined : mounts.get(Number(mountId)),
  };
}

/** The same inode by a mount of ours that shifts no ids: its path in the file system, below the folder that is mounted there. */
function findOnDisk({
  path,
  mount,
  device,
  inode,
}: Seen): {readonly path: string; readonly uid: number; readonly gid: number} | undefined {
  if (mount === undefined) return undefined;
  const inFileSystem = join(mount.root, path.slice(mount.point === '/' ? 0 : mount.point.length));
  for (const ours of parseMounts(readText('/proc/self/mountinfo') ?? '')) {
    if (ours.device !== mount.device || ours.options.includes('idmapped')) continue;
    if (ours.root !== '/' && inFileSystem !== ours.root && !inFileSystem.startsWith(`${ours.root}/`)) continue;
    const candidate = join(ours.point, inFileSystem.slice(ours.root === '/' ? 0 : ours.root.length));
    const stat = tryStat(candidate);
    if (stat?.ino === inode && stat.dev === device) return {path: candidate, uid: stat.uid, gid: stat.gid};
  }
  return undefined;
}

function tryStat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    // Another mount hides it, or it is not for us.
    return undefined;
  }
}
