import type {Stats} from 'node:fs';
import {chmodSync, closeSync, mkdirSync, openSync, rmdirSync, statSync, unlinkSync} from 'node:fs';
import {dirname} from 'node:path';
import {subrootError} from '../native-free/errors.ts';
import type {HostPathType, HostPathVolume} from './pod.ts';

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

/**
 * Checks what a hostPath must be, and makes nothing. The answer is the path to ask about its file system: its own, or the nearest that
 * is there when the volume is to be made. Errors: SUBROOT_VOLUME_HOST_PATH.
 * Source: kubernetes pkg/volume/hostpath/host_path.go checkType, 1.36. Another than there: a path that is not there is an error with no
 * type too, since the runtime would make a folder of root's.
 */
export function checkHostPath({name, path, type}: HostPathVolume): string {
  const refuse = (why: string) => subrootError('SUBROOT_VOLUME_HOST_PATH', {volume: name, path, why});
  const check = typeChecks[type];
  let stats: Stats | undefined;
  try {
    stats = statSync(path, {throwIfNoEntry: false});
  } catch (error) {
    throw refuse(`cannot be looked at: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (stats) {
    if (!check.holds(stats)) throw refuse(`is not ${check.what}`);
    return path;
  }
  if (type !== 'DirectoryOrCreate' && type !== 'FileOrCreate') throw refuse('does not exist');
  let above = dirname(path);
  // A file is made in a folder that is there; a folder with those above it.
  if (type === 'DirectoryOrCreate')
    while (!statSync(above, {throwIfNoEntry: false}) && above !== '/') above = dirname(above);
  const parent = statSync(above, {throwIfNoEntry: false});
  if (!parent) throw refuse(`cannot be created: there is no ${above}`);
  if (!parent.isDirectory()) throw refuse(`cannot be created: ${above} is no folder`);
  return above;
}

/**
 * Makes a hostPath that is to be made when it is not there, and answers how to take that back: folders while they are empty, a file
 * while it is. Errors: SUBROOT_VOLUME_HOST_PATH.
 */
export function makeHostPath({name, path, type}: HostPathVolume): (() => void) | undefined {
  if (type !== 'DirectoryOrCreate' && type !== 'FileOrCreate') return undefined;
  if (statSync(path, {throwIfNoEntry: false})) return undefined;
  try {
    if (type === 'DirectoryOrCreate') {
      const first = mkdirSync(path, {recursive: true, mode: 0o755});
      if (first === undefined) return undefined;
      // Apart, because mkdir's mode passes the umask.
      chmodSync(path, 0o755);
      return () => removeEmpty(path, first);
    }
    closeSync(openSync(path, 'wx', 0o644));
    chmodSync(path, 0o644);
    return () => {
      if (statSync(path, {throwIfNoEntry: false})?.size === 0) unlinkSync(path);
    };
  } catch (error) {
    const why = `cannot be created: ${error instanceof Error ? error.message : String(error)}`;
    throw subrootError('SUBROOT_VOLUME_HOST_PATH', {volume: name, path, why});
  }
}

/** Removes folders from `path` up to `first`, as long as nothing is in them. */
function removeEmpty(path: string, first: string): void {
  for (let at = path; ; at = dirname(at)) {
    try {
      rmdirSync(at);
    } catch {
      return;
    }
    if (at === first) return;
  }
}
