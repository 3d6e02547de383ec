import {closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync} from 'node:fs';
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
  const opened: {readonly path: string; readonly fd: number}[] = [];
  const links: {path: string; target: string}[] = [];
  let stopped: WalkedPath['stopped'];
  try {
    stopped = open(pid, path, opened, links);
    const probes = probePaths(
      perl,
      pid,
      opened.map(({fd}) => fd),
    );
    const components = opened.map(({path: at, fd}, index) => {
      const seen = describe(at, fd, mounts);
      const probe = probes[index] ?? {};
      const isShifted = seen.mount?.options.includes('idmapped') === true;
      return {...seen, probe, onDisk: isShifted ? findOnDisk(seen) : undefined};
    });
    return {components, links, stopped};
  } finally {
    for (const {fd} of opened) closeSync(fd);
  }
}

/** Fills `opened` with a descriptor for each component that is left in the end: what `..` and links go past is let go. */
function open(
  pid: number | 'self',
  path: string,
  opened: {readonly path: string; readonly fd: number}[],
  links: {path: string; target: string}[],
): WalkedPath['stopped'] {
  const root = pid === 'self' ? '/' : `/proc/${pid}/root`;
  const first = tryOpen(root, O_PATH);
  if (typeof first === 'string') return {path: '/', errno: first};
  opened.push({path: '/', fd: first});
  const names = namesOf(path);
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      if (opened.length > 1) closeSync(opened.pop()?.fd ?? -1);
      continue;
    }
    const folder = opened.at(-1);
    if (folder === undefined) break;
    const at = folder.path === '/' ? `/${name}` : `${folder.path}/${name}`;
    const fd = tryOpen(`/proc/self/fd/${folder.fd}/${name}`, O_PATH | constants.O_NOFOLLOW);
    if (typeof fd === 'string') return {path: at, errno: fd};
    if (!fstatSync(fd).isSymbolicLink()) {
      opened.push({path: at, fd});
      continue;
    }
    closeSync(fd);
    if (links.length >= MAX_LINKS) return {path: at, errno: 'ELOOP'};
    const target = readlinkSync(`/proc/self/fd/${folder.fd}/${name}`);
    links.push({path: at, target});
    if (target.startsWith('/')) for (const {fd: past} of opened.splice(1)) closeSync(past);
    names.unshift(...namesOf(target));
  }
  return undefined;
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

type Seen = Omit<WalkedComponent, 'probe' | 'onDisk'>;

function describe(path: string, fd: number, mounts: ReadonlyMap<number, MountFact>): Seen {
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
function findOnDisk({path, mount, device, inode}: Seen): WalkedComponent['onDisk'] {
  if (mount === undefined) return undefined;
  const inFileSystem = join(mount.root, path.slice(mount.point === '/' ? 0 : mount.point.length));
  for (const ours of parseMounts(readText('/proc/self/mountinfo') ?? '')) {
    if (ours.device !== mount.device || ours.options.includes('idmapped')) continue;
    if (ours.root !== '/' && inFileSystem !== ours.root && !inFileSystem.startsWith(`${ours.root}/`)) continue;
    const stat = lstatSync(join(ours.point, inFileSystem.slice(ours.root === '/' ? 0 : ours.root.length)), {
      throwIfNoEntry: false,
    });
    if (stat?.ino === inode && stat.dev === device) return {uid: stat.uid, gid: stat.gid};
  }
  return undefined;
}
