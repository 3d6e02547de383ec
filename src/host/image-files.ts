import {closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync} from 'node:fs';
import {join} from 'node:path';

/** The kernel's own limit on links in one path: MAXSYMLINKS. */
const maxLinks = 40;
const maxBytes = 4 * 1024 * 1024;

/**
 * The real path of a file of an image, where every link, also an absolute one or one with `..`, is followed inside the image's root, as a
 * program in it would. Undefined when it is not there, or its links go round.
 */
export function resolveInImage(root: string, path: string): string | undefined {
  const pending = path.split('/').filter(Boolean);
  const done: string[] = [];
  for (let links = 0; ; ) {
    const name = pending.shift();
    if (name === undefined) return join(root, ...done);
    if (name === '.') continue;
    if (name === '..') {
      done.pop();
      continue;
    }
    const full = join(root, ...done, name);
    const stat = lstatSync(full, {throwIfNoEntry: false});
    if (stat === undefined) return undefined;
    if (!stat.isSymbolicLink()) {
      done.push(name);
      continue;
    }
    links += 1;
    if (links > maxLinks) return undefined;
    const target = readlinkSync(full);
    if (target.startsWith('/')) done.length = 0;
    pending.unshift(...target.split('/').filter(Boolean));
  }
}

/** The text of a plain file of an image, or undefined when there is none; at most 4 MiB of it, as a FIFO or a device is never read. */
export function readImageFile(root: string, path: string): string | undefined {
  try {
    const real = resolveInImage(root, path);
    return real === undefined ? undefined : readPlainFile(real, maxBytes);
  } catch {
    return undefined;
  }
}

/** The first `limit` bytes of a plain file as text; undefined for what is none. Throws what open(2) and read(2) do. */
export function readPlainFile(path: string, limit: number): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    const buffer = Buffer.alloc(Math.min(stat.size, limit));
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}
