import {chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, realpathSync, statSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {join, relative, sep} from 'node:path';
import {subrootError} from '../native-free/errors.ts';
import type {IdBlock} from './userns-allocator.ts';

/** Owners and permission bits for everything in a volume. Ids are the node's; what is undefined stays as it is. */
export interface Ownership {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Permission bits added to files, and to folders. */
  readonly fileBits: number;
  readonly folderBits: number;
  /**
   * Nothing is done when the root of the volume has that group and those bits: all of it was given them once.
   * Source: kubernetes pkg/volume/volume_linux.go requiresPermissionChange, 1.36.
   */
  readonly onlyOnRootMismatch: boolean;
}

/** A path below a volume that becomes a mount of its own. */
export interface SubPathRequest {
  /** The volume's name, for messages. */
  readonly volume: string;
  readonly root: string;
  /** Relative, and without `..`. */
  readonly subPath: string;
  /** Where it may be mounted: a path in the pod's folder that is not there yet. */
  readonly target: string;
  /** Who gets the folders that are made because they were missing. */
  readonly owner: {readonly uid: number; readonly gid: number} | undefined;
}

/** What the kubelet's part asks of its machine for volumes. `localVolumeHost` is one that is this process alone. */
export interface VolumeHost {
  /** Why mounts of this very path cannot have shifted ids, as a clause; undefined when they can. Nothing is left of the look. */
  whyNotIdmapped(path: string): Promise<string | undefined>;
  /**
   * Mounts a tmpfs of mode 0777 over a folder, where the runtime of this node sees it; without a size it may have half of the memory.
   * False when one is mounted there already. Errors: SUBROOT_VOLUME_MEMORY.
   */
  mountMemory(path: string, sizeBytes: bigint | undefined): Promise<boolean>;
  /** Sets owners and modes of a folder and all in it, links themselves and not what they lead to. */
  setOwners(path: string, ownership: Ownership): Promise<void>;
  /**
   * Gives everything in a user's folder to the ids of a block: id N of the disk becomes the block's Nth, an id of another block its
   * counterpart. Errors: SUBROOT_VOLUME_CHOWN.
   */
  shiftOwners(volume: string, path: string, block: IdBlock): Promise<void>;
  /**
   * A path that leads to `subPath` and nowhere else, whoever swaps links meanwhile; folders that are missing are made with the mode of
   * the volume's own. Errors: SUBROOT_VOLUME_SUB_PATH.
   */
  openSubPath(request: SubPathRequest): Promise<string>;
  /** Bytes on disk of all that is in a volume; what has several names counts once. */
  usageOf(path: string): Promise<bigint>;
  /** Removes a folder of the pod's: mounts on it first, links never followed. */
  removeTree(path: string): Promise<void>;
}

/**
 * A machine without mounts: for a kubelet's part in front of a runtime that it shares no mount namespace with. Ids are the runtime's to
 * shift. A subPath is looked at before it is used, so a container that swaps a link later is stopped only by its user namespace
 * (CVE-2017-1002101, CVE-2021-25741); a memory medium is refused.
 */
export const localVolumeHost: VolumeHost = {
  whyNotIdmapped: async () => undefined,
  mountMemory: async (path) => {
    throw subrootError('SUBROOT_VOLUME_MEMORY', {path, why: 'this node makes no mounts'});
  },
  setOwners: async (path, ownership) => {
    if (ownership.onlyOnRootMismatch && rootMatches(path, ownership)) return;
    setOwners(path, ownership);
  },
  shiftOwners: async (volume, path) => {
    throw subrootError('SUBROOT_VOLUME_CHOWN', {volume, path, why: 'this node does not change owners'});
  },
  openSubPath: async ({volume, root, subPath}) => findSubPath(volume, root, subPath),
  usageOf: async (path) => usageOf(path, new Set()),
  removeTree: async (path) => await rm(path, {recursive: true, force: true}),
};

function usageOf(path: string, known: Set<bigint>): bigint {
  const stats = lstatSync(path, {bigint: true});
  if (known.has(stats.ino)) return 0n;
  known.add(stats.ino);
  const below = stats.isDirectory() ? readdirSync(path).map((name) => usageOf(join(path, name), known)) : [];
  return below.reduce((sum, bytes) => sum + bytes, stats.blocks * 512n);
}

function rootMatches(path: string, {gid, folderBits}: Ownership): boolean {
  const stats = lstatSync(path);
  return stats.gid === gid && (stats.mode & folderBits) === folderBits;
}

function setOwners(path: string, ownership: Ownership): void {
  const stats = lstatSync(path);
  const {uid = stats.uid, gid = stats.gid, fileBits, folderBits} = ownership;
  if (uid !== stats.uid || gid !== stats.gid) lchownSync(path, uid, gid);
  if (stats.isSymbolicLink()) return;
  const bits = stats.isDirectory() ? folderBits : fileBits;
  if (bits !== 0) chmodSync(path, (stats.mode % 0o10000) | bits);
  if (stats.isDirectory()) for (const name of readdirSync(path)) setOwners(join(path, name), ownership);
}

function findSubPath(volume: string, root: string, subPath: string): string {
  const refuse = (why: string) => subrootError('SUBROOT_VOLUME_SUB_PATH', {volume, subPath, why});
  const realRoot = realpathSync(root);
  const mode = statSync(realRoot).mode % 0o10000;
  let at = realRoot;
  // One step at a time: a folder is made only below one that is known to be inside.
  for (const part of subPath.split('/').filter((name) => name !== '' && name !== '.')) {
    const next = join(at, part);
    if (!statSync(next, {throwIfNoEntry: false})) {
      try {
        mkdirSync(next, 0o700);
        chmodSync(next, mode);
      } catch (error) {
        throw refuse(`cannot be created: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    at = realpathSync(next);
    const inside = relative(realRoot, at);
    if (inside === '..' || inside.startsWith(`..${sep}`)) throw refuse(`leads out of the volume, to ${at}`);
  }
  return at;
}
