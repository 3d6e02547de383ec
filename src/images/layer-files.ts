import {lstatSync, readFileSync, readlinkSync, type Stats} from 'node:fs';
import {join} from 'node:path';

/** Accounts and groups are small. */
const FILE_LIMIT = 4 * 1024 * 1024;

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/**
 * A file of an image as text, as its layers together have it (the highest first), whiteouts and links included; no link leads out of the
 * layers. Undefined when there is none, when it is no plain file of at most 4 MiB, or may not be read. Simplified: a folder that hides those
 * below it (an opaque one) is taken for one that does not, so that a file may be found which a container would not see.
 */
export function readLayerFile(lowers: readonly string[], path: string): string | undefined {
  let left = path.split('/').filter((part) => part !== '' && part !== '.');
  let resolved: string[] = [];
  for (let links = 0; left.length > 0; ) {
    const [part = '', ...rest] = left;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      left = rest;
      continue;
    }
    const found = findIn(lowers, [...resolved, part].join('/'));
    if (!found) return undefined;
    if (found.stat.isSymbolicLink()) {
      links += 1;
      if (links > 40) return undefined;
      const target = readlinkSync(found.path);
      if (target.startsWith('/')) resolved = [];
      left = [...target.split('/').filter((each) => each !== '' && each !== '.'), ...rest];
    } else if (rest.length === 0) {
      if (!found.stat.isFile() || found.stat.size > FILE_LIMIT) return undefined;
      try {
        return readFileSync(found.path, 'utf8');
      } catch {
        return undefined;
      }
    } else {
      resolved = [...resolved, part];
      left = rest;
    }
  }
  return undefined;
}

/** The highest layer's word on a path whose folders are resolved; a whiteout, or something else than a folder above it, ends the search. */
function findIn(lowers: readonly string[], path: string): {path: string; stat: Stats} | undefined {
  const parts = path.split('/');
  for (const lower of lowers) {
    let full = lower;
    for (const [index, part] of parts.entries()) {
      full = join(full, part);
      const stat = lstatSync(full, {throwIfNoEntry: false});
      if (stat === undefined) break;
      if (isWhiteout(stat)) return undefined;
      if (index === parts.length - 1) return {path: full, stat};
      if (!stat.isDirectory()) return undefined;
    }
  }
  return undefined;
}
