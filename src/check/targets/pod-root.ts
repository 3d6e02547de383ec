import {chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {builtinEtc, hostsFile, resolvFile} from '../../runtime/etc-files.ts';
import {readUserland} from '../../runtime/userland.ts';
import type {PodRequest} from '../target.ts';

/** Folders every root has; `tmp` ones are 1777. */
const folders = ['proc', 'sys', 'dev', 'etc', 'run', 'root', 'var', 'tmp', 'var/tmp'];

/** A bind mount of this machine's userland. */
export interface UserlandMount {
  readonly hostPath: string;
  readonly containerPath: string;
}

/** What must be bound read-only into a root of ours so that programs run in it: /usr, and others where it is not merged. */
export function userlandMounts(): UserlandMount[] {
  return readUserland().flatMap((entry) =>
    entry.kind === 'tree' ? [{hostPath: entry.path, containerPath: entry.path}] : [],
  );
}

/** Names and texts of the small files in a root of ours. */
export function rootFiles(): Readonly<Record<string, string>> {
  return {
    ...builtinEtc,
    '/etc/hosts': hostsFile('subroot-check'),
    '/etc/resolv.conf': resolvFile(undefined),
    '/etc/hostname': 'subroot-check\n',
    '/run/.containerenv': '',
  };
}

/** Folders and links of a root of ours, folders first. */
export function rootEntries(): {readonly folders: readonly string[]; readonly links: readonly [string, string][]} {
  const userland = readUserland();
  return {
    folders: [...folders, ...userland.flatMap((entry) => (entry.kind === 'tree' ? [entry.path.slice(1)] : []))],
    links: userland.flatMap((entry): [string, string][] =>
      entry.kind === 'link' ? [[entry.path.slice(1), entry.target]] : [],
    ),
  };
}

/**
 * Makes a root file system of folders and a few small files, with mount points for the userland and for what the request mounts; all of it
 * belongs to `owner`, the host id of the pod's root. Nothing of the machine is in it until it is mounted.
 */
export function makePodRoot(path: string, owner: number, mounts: PodRequest['mounts'] = []): void {
  const own = (name: string): void => chownSync(name, owner, owner);
  const {folders: names, links} = rootEntries();
  mkdirSync(path, {mode: 0o755, recursive: true});
  own(path);
  for (const name of names) {
    mkdirSync(join(path, name), {mode: 0o755});
    if (name.endsWith('tmp')) chmodSync(join(path, name), 0o1777);
    own(join(path, name));
  }
  for (const [name, target] of links) symlinkSync(target, join(path, name));
  for (const [name, text] of Object.entries(rootFiles())) {
    writeFileSync(join(path, name), text);
    own(join(path, name));
  }
  for (const {hostPath, containerPath} of mounts) {
    const point = join(path, containerPath);
    if (statSync(hostPath).isDirectory()) mkdirSync(point, {recursive: true, mode: 0o755});
    else {
      mkdirSync(dirname(point), {recursive: true, mode: 0o755});
      writeFileSync(point, '');
    }
  }
}
