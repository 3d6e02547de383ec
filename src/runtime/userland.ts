import {lstatSync, readdirSync, readlinkSync} from 'node:fs';
import type {Step} from '../host/step.ts';

/** One top-level folder of this machine's userland: bound read-only, or a link as on this machine (merged /usr). */
export type UserlandEntry =
  | {readonly kind: 'tree'; readonly path: string}
  | {readonly kind: 'link'; readonly path: string; readonly target: string};

/** The names a userland consists of. Nothing else of the machine shows: no /home, /root, /var, /etc, /opt, /srv. */
const userlandNames = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** The userland of this machine, in the order in which it must be built. */
export function readUserland(): UserlandEntry[] {
  return userlandNames.flatMap((name): UserlandEntry[] => {
    const path = `/${name}`;
    try {
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) return [{kind: 'link', path, target: readlinkSync(path)}];
      return stat.isDirectory() ? [{kind: 'tree', path}] : [];
    } catch {
      return [];
    }
  });
}

/** Steps, before the namespaces, that take hold of the userland as detached read-only mounts. */
export function holdUserland(entries: readonly UserlandEntry[]): Step[] {
  return entries.flatMap((entry): Step[] =>
    entry.kind === 'tree' ? [['tree', entry.path, entry.path, 'rec,ro,nodev']] : [],
  );
}

/** Steps, in the new root, that put the userland in place. */
export function placeUserland(entries: readonly UserlandEntry[]): Step[] {
  return entries.flatMap((entry): Step[] =>
    entry.kind === 'tree'
      ? [
          ['mkdir', entry.path, '0755'],
          ['attach', entry.path, entry.path],
        ]
      : [['symlink', entry.target, entry.path]],
  );
}

/**
 * The names of /etc/alternatives that point into the userland, as `[name, target]`: without them awk, vi and the like are
 * dangling links. They are made anew in the image; nothing of this machine's /etc is mounted.
 */
export function readAlternatives(): (readonly [name: string, target: string])[] {
  let names: string[];
  try {
    names = readdirSync('/etc/alternatives');
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const target = readlinkSync(`/etc/alternatives/${name}`);
      return /^\/(usr|bin|sbin|lib)/.test(target) && !target.includes('/man/') ? [[name, target] as const] : [];
    } catch {
      return [];
    }
  });
}
