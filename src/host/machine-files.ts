import {accessSync, constants, readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import {delimiter, join} from 'node:path';

/** The text of a small file, or undefined when it is not there or not for us. /proc and /sys files are fine. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The number in a file such as those under /proc/sys, or undefined. */
export function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Names in a folder; empty when it is not there or not for us. */
export function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

export function exists(path: string): boolean {
  return statSync(path, {throwIfNoEntry: false}) !== undefined;
}

/** Path of a program in PATH or the usual system folders, or undefined. A name with a slash is taken as it is. */
export function findProgram(name: string, path: string = process.env.PATH ?? ''): string | undefined {
  const folders = name.includes('/') ? [''] : [...path.split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  for (const folder of folders) {
    const candidate = folder === '' ? name : join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}
