import type {Stats} from 'node:fs';
import {chmodSync, mkdirSync, realpathSync, statSync, writeFileSync} from 'node:fs';
import {rm, rmdir} from 'node:fs/promises';
import {join, relative, sep} from 'node:path';
import {subrootError} from '../native-free/errors.ts';
import type {HostPathType, Pod, Volume, VolumeMount} from './pod.ts';

/** Folder of one emptyDir volume inside the pod's folder, as the kubelet names it. */
export function emptyDirPath(podDir: string, volume: string): string {
  return join(podDir, 'volumes', 'kubernetes.io~empty-dir', volume);
}

/** True when this call made the folder of the pod's volumes, false when it was there: then it is another start's. */
export function claimVolumes(podDir: string): boolean {
  mkdirSync(podDir, {recursive: true, mode: 0o700});
  try {
    mkdirSync(join(podDir, 'volumes'), 0o700);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Makes the pod's emptyDir folders, checks its hostPath volumes, and returns where each mount's source is on the host.
 * A subPath is followed here, link by link, and must stay inside its volume; a container that swaps a link later is stopped
 * only by its user namespace (CVE-2017-1002101, CVE-2021-25741).
 * Errors: SUBROOT_VOLUME_HOST_PATH, SUBROOT_VOLUME_SUB_PATH.
 * Source: kubernetes pkg/volume/hostpath/host_path.go, pkg/volume/emptydir/empty_dir.go, 1.36.
 */
export function makeVolumes(pod: Pod, podDir: string): (mount: VolumeMount) => string {
  const roots = new Map<string, string>();
  for (const volume of pod.spec.volumes) {
    const path = rootOf(volume, podDir);
    if (path !== undefined) roots.set(volume.name, path);
  }
  return (mount) => {
    const root = roots.get(mount.name);
    if (root === undefined) throw subrootError('SUBROOT_INTERNAL', {what: `volume ${mount.name} was not made`});
    return mount.subPath === undefined ? root : subPathOf(mount.name, root, mount.subPath);
  };
}

/** Removes the pod's emptyDir folders, and its own when that leaves it empty. Files of a rootless pod belong to its ids: the caller then gives its own `removeTree`. */
export async function removeVolumes(podDir: string, removeTree = removeFolder): Promise<void> {
  await removeTree(join(podDir, 'volumes'));
  // Still there: the pod's userns file. The ledger removes the folder with it.
  await rmdir(podDir).catch(() => undefined);
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, {recursive: true, force: true});
}

function rootOf(volume: Volume, podDir: string): string | undefined {
  switch (volume.kind) {
    case 'emptyDir': {
      const path = emptyDirPath(podDir, volume.name);
      mkdirSync(path, {recursive: true, mode: 0o700});
      // Apart, because mkdir's mode passes the umask.
      chmodSync(path, 0o777);
      return path;
    }
    case 'hostPath':
      checkHostPath(volume.name, volume.path, volume.type);
      return volume.path;
    case 'other':
      return undefined;
  }
}

const typeChecks: Readonly<Record<HostPathType, {readonly holds: (stats: Stats) => boolean; readonly what: string}>> = {
  '': {holds: () => true, what: ''},
  DirectoryOrCreate: {holds: (stats) => stats.isDirectory(), what: 'a directory'},
  Directory: {holds: (stats) => stats.isDirectory(), what: 'a directory'},
  FileOrCreate: {holds: (stats) => stats.isFile(), what: 'a file'},
  File: {holds: (stats) => stats.isFile(), what: 'a file'},
  Socket: {holds: (stats) => stats.isSocket(), what: 'a socket file'},
  CharDevice: {holds: (stats) => stats.isCharacterDevice(), what: 'a character device'},
  BlockDevice: {holds: (stats) => stats.isBlockDevice(), what: 'a block device'},
};

function checkHostPath(volume: string, path: string, type: HostPathType): void {
  if (type === '') return;
  const check = typeChecks[type];
  const refuse = (why: string) => subrootError('SUBROOT_VOLUME_HOST_PATH', {volume, path, why});
  let stats = statSync(path, {throwIfNoEntry: false});
  if (!stats) {
    try {
      if (type === 'DirectoryOrCreate') mkdirSync(path, {recursive: true, mode: 0o755});
      else if (type === 'FileOrCreate') writeFileSync(path, '', {flag: 'wx', mode: 0o644});
    } catch (error) {
      throw refuse(`cannot be created: ${error instanceof Error ? error.message : String(error)}`);
    }
    stats = statSync(path, {throwIfNoEntry: false});
  }
  if (!stats) throw refuse('does not exist');
  if (!check.holds(stats)) throw refuse(`is not ${check.what}`);
}

function subPathOf(volume: string, root: string, subPath: string): string {
  const refuse = (why: string) => subrootError('SUBROOT_VOLUME_SUB_PATH', {volume, subPath, why});
  if (subPath.startsWith('/')) throw refuse('is not relative');
  if (subPath.split('/').includes('..')) throw refuse('contains ".."');
  const realRoot = realpathSync(root);
  let at = realRoot;
  // One step at a time: a folder is made only below one that is known to be inside.
  for (const part of subPath.split('/').filter((name) => name !== '' && name !== '.')) {
    const next = join(at, part);
    if (!statSync(next, {throwIfNoEntry: false})) {
      try {
        mkdirSync(next, 0o750);
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
