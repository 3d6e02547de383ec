import {randomBytes} from 'node:crypto';
import {chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {PayloadFile} from './volume-payload.ts';

/** `2026_11_27_18_01_43.` of a time, as the kubelet writes it (its local time is a node's UTC). */
function stampOf(now: Date): string {
  return `${now.toISOString().slice(0, 19).replace(/[-:T]/g, '_')}.`;
}

/**
 * Writes the files of a volume in the kubelet's layout: a folder of this moment (`..2026_11_27_18_01_43.…`), `..data` that leads
 * to it, and a link of each top name (`key → ..data/key`), so that a reader never sees a half of them. `folder` must be there and
 * empty; what is written stays, since no API server changes it later.
 * Source: kubernetes pkg/volume/util/atomic_writer.go Write, 1.36.
 */
export function writeAtomically(folder: string, files: readonly PayloadFile[], now: Date = new Date()): void {
  const name = `..${stampOf(now)}${randomBytes(4).readUInt32BE()}`;
  const made = join(folder, name);
  makeMode(made, 0o755);
  const folders = new Set<string>();
  for (const {path, bytes, mode} of files) {
    makeBetween(made, dirname(path), folders);
    const file = join(made, path);
    writeFileSync(file, bytes, {flag: 'wx', mode: 0o600});
    // Apart, because open's mode passes the umask.
    chmodSync(file, mode);
  }
  symlinkSync(name, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  for (const top of new Set(files.map(({path}) => path.split('/')[0] ?? '')))
    symlinkSync(join('..data', top), join(folder, top));
}

function makeBetween(root: string, path: string, known: Set<string>): void {
  if (path === '.' || known.has(path)) return;
  makeBetween(root, dirname(path), known);
  makeMode(join(root, path), 0o755);
  known.add(path);
}

function makeMode(path: string, mode: number): void {
  mkdirSync(path, {mode: 0o700});
  chmodSync(path, mode);
}
