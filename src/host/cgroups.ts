import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {CgroupSetting} from '../../native-free/cgroup-settings.ts';
import {subrootError} from '../../native-free/errors.ts';
import {errnoOf} from './state-files.ts';

/** A mounted hierarchy of control groups: of some v1 controllers, or the one of v2. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  readonly mount: string;
  /** The group that we are in, as a path below the mount. */
  readonly own: string;
}

/** Where groups can be made, found by looking; nothing is made by that. */
export interface CgroupHost {
  /** 2 when memory is counted by v2, or by nothing. */
  readonly version: 1 | 2;
  /** Folder in which ours is made, for each hierarchy that we may use. */
  readonly bases: readonly {
    readonly hierarchy: 1 | 2;
    readonly controllers: readonly string[];
    readonly folder: string;
  }[];
  /** Controller → why it is not there; of those that anybody may ask for. */
  readonly missing: Readonly<Record<string, string>>;
}

const wanted = ['cpu', 'memory', 'pids', 'cpuset', 'hugetlb'];
/** Counted for statistics where it is there. */
const counters = ['cpuacct'];

/** The hierarchies of a mountinfo and a cgroup file of /proc. Source: cgroups(7), proc(5). */
export function parseHierarchies(mountinfo: string, cgroup: string): readonly Hierarchy[] {
  const own = new Map(
    cgroup.split('\n').flatMap((line): [string, string][] => {
      const [, , controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      return controllers === undefined || path === undefined ? [] : [[controllers, path]];
    }),
  );
  const seen = new Set<string>();
  return mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '/', mount = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const names =
      type === 'cgroup2'
        ? []
        : options.split(',').filter((option) => wanted.includes(option) || counters.includes(option));
    const key = names.join(',');
    if ((type === 'cgroup' && key === '') || seen.has(key)) return [];
    seen.add(key);
    const path =
      [...own].find(([controllers]) => controllers.split(',').sort().join() === [...names].sort().join())?.[1] ?? '/';
    // The mount shows the hierarchy from its root on.
    const below = root === '/' ? path : path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
    return [{version: type === 'cgroup2' ? 2 : 1, controllers: names, mount: unescaped(mount), own: below}];
  });
}

/** Octal escapes of mountinfo. */
function unescaped(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function wordsOf(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

let found: CgroupHost | undefined;

/** The groups of this machine as this process may use them; looked at once. */
export function cgroupHost(): CgroupHost {
  found ??= lookAtCgroups(readFileSync('/proc/self/mountinfo', 'latin1'), readFileSync('/proc/self/cgroup', 'latin1'));
  return found;
}

/** Exported for tests: `cgroupHost` with the texts of the two files. */
export function lookAtCgroups(mountinfo: string, cgroup: string): CgroupHost {
  const hierarchies = parseHierarchies(mountinfo, cgroup);
  const bases: CgroupHost['bases'][number][] = [];
  const missing: Record<string, string> = {};
  const unmounted = 'no hierarchy of control groups with this controller is mounted';
  for (const name of wanted) missing[name] = unmounted;
  for (const {version, controllers, mount, own} of hierarchies) {
    if (version === 1) {
      const isRoot = process.geteuid?.() === 0;
      const folder = isRoot ? mount : join(mount, own);
      if (isWritable(folder) && isWritable(join(folder, 'cgroup.procs'))) {
        bases.push({hierarchy: 1, controllers, folder});
        for (const name of controllers) delete missing[name];
      } else for (const name of controllers) missing[name] = `${folder} (cgroup v1) may not be written by us`;
      continue;
    }
    const base = delegatedFolder(mount, own);
    const available = base === undefined ? [] : usableControllers(base);
    if (base !== undefined) bases.push({hierarchy: 2, controllers: available, folder: base});
    for (const name of wanted) {
      if (available.includes(name)) delete missing[name];
      else if (wordsOf(join(mount, own, 'cgroup.controllers')).includes(name) || missing[name] === unmounted)
        missing[name] =
          base === undefined
            ? `no group above ${join(mount, own)} is delegated to us (cgroup v2; systemd-run --user --scope -p Delegate=yes gives one)`
            : `${base} has no ${name} controller to give (cgroup v2)`;
    }
  }
  const counted = bases.find(({controllers}) => controllers.includes('memory'));
  return {version: counted?.hierarchy ?? 2, bases, missing};
}

/**
 * The nearest group above ours that we may make others in: one that is ours to write, and that gives controllers to its children or has no
 * processes, so that it can. Source: Documentation/admin-guide/cgroup-v2.rst "Delegation", "No Internal Process Constraint".
 */
function delegatedFolder(mount: string, own: string): string | undefined {
  if (process.geteuid?.() === 0 && isWritable(join(mount, 'cgroup.procs')) && isWritable(mount)) return mount;
  for (let folder = join(mount, own); folder.startsWith(mount); folder = dirname(folder)) {
    const isOurs = ['', 'cgroup.procs', 'cgroup.subtree_control'].every((name) => isWritable(join(folder, name)));
    if (!isOurs) return undefined;
    const gives = wordsOf(join(folder, 'cgroup.subtree_control')).length > 0;
    const isEmpty = wordsOf(join(folder, 'cgroup.procs')).length === 0;
    if (gives || isEmpty) return folder;
    if (folder === mount) return undefined;
  }
  return undefined;
}

function usableControllers(folder: string): string[] {
  const given = wordsOf(join(folder, 'cgroup.subtree_control'));
  const isRootGroup = !existsSync(join(folder, 'cgroup.type'));
  const canEnable = isRootGroup || wordsOf(join(folder, 'cgroup.procs')).length === 0;
  const available = canEnable ? wordsOf(join(folder, 'cgroup.controllers')) : given;
  return available.filter((name) => wanted.includes(name));
}

/** A group in every hierarchy that is used, below `parent` (a path of a kubelet's) or below ours. */
export function cgroupFolders(names: readonly string[], parent = ''): string[] {
  return cgroupHost().bases.map(({folder}) => join(folder, parent === '' ? 'subroot' : parent, ...names));
}

/**
 * Makes groups and those above them, down from `bases`, gives each the controllers of its hierarchy, and writes the settings of the last.
 * On a failure what was made goes again. Throws SUBROOT_CGROUP_FAILED.
 */
export function makeCgroup(folders: readonly string[], settings: readonly CgroupSetting[]): void {
  const made: string[] = [];
  try {
    const needed = new Set(settings.map(({controller}) => controller));
    for (const folder of folders) makeBelow(requireBase(folder), folder, needed, made);
    writeSettings(folders, settings);
  } catch (error) {
    // Not with what is in them: others may have begun to use those above.
    removeIfEmpty(made.reverse());
    throw error;
  }
}

/** The base that a group is below. Groups that were planned from elsewhere, by whom another group is delegated to, are out of our reach. */
function requireBase(folder: string): CgroupHost['bases'][number] {
  const base = cgroupHost().bases.find((each) => folder.startsWith(`${each.folder}/`));
  if (!base) throw subrootError('SUBROOT_CGROUP_FAILED', {path: folder, errno: 'EXDEV'});
  return base;
}

function makeBelow(
  {folder: base, hierarchy, controllers}: CgroupHost['bases'][number],
  folder: string,
  needed: ReadonlySet<string>,
  made: string[],
): void {
  const names = folder.slice(base.length).split('/').filter(Boolean);
  let path = base;
  for (const name of names) {
    const above = path;
    path = join(path, name);
    // Who removes the last pod of ours removes the folder of all of them: it may be gone again before its next child is made.
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (hierarchy === 2) giveControllers(above, controllers, needed);
        mkdirSync(path, {mode: 0o755});
        made.push(path);
        break;
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') break;
        if (errnoOf(error) !== 'ENOENT' || attempt > 20 || above === base) throw failed(path, error);
        mkdirSync(above, {recursive: true, mode: 0o755});
      }
    }
    if (controllers.includes('cpuset') && hierarchy === 1) inheritCpuset(path);
  }
}

/** v1: a new cpuset is empty, and no process may enter it. */
function inheritCpuset(folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const path = join(folder, file);
    if (readFileSync(path, 'latin1').trim() === '')
      writeFileSync(path, readFileSync(join(dirname(folder), file), 'latin1').trim());
  }
}

/** Each controller alone: one that is not needed may be refused (cpu, where real-time processes run) without harm to the others. */
function giveControllers(folder: string, controllers: readonly string[], needed: ReadonlySet<string>): void {
  const path = join(folder, 'cgroup.subtree_control');
  const given = wordsOf(path);
  for (const name of controllers.filter((each) => !given.includes(each))) {
    try {
      writeFileSync(path, `+${name}`);
    } catch (error) {
      if (needed.has(name)) throw error;
    }
  }
}

function failed(path: string, error: unknown): Error {
  return subrootError('SUBROOT_CGROUP_FAILED', {path, errno: errnoOf(error)}, error);
}

/** The folder of a group in the hierarchy that has a controller. */
function folderOf(folders: readonly string[], controller: string): string | undefined {
  return folders.find((folder) => requireBase(folder).controllers.includes(controller));
}

/** Writes settings, all or none: what was written is set back when one is refused. Throws SUBROOT_CGROUP_FAILED. */
export function writeSettings(folders: readonly string[], settings: readonly CgroupSetting[]): void {
  const undo: (() => void)[] = [];
  const pending = settings.flatMap((setting) => {
    const folder = folderOf(folders, setting.controller);
    return folder === undefined ? [] : [{...setting, path: join(folder, setting.file)}];
  });
  try {
    for (const {path, value, optional} of inKernelOrder(pending)) {
      if (optional && !existsSync(path)) continue;
      const before = readFileSync(path, 'latin1').trim();
      writeFileSync(path, value);
      undo.push(() => writeFileSync(path, before));
    }
  } catch (error) {
    for (const step of undo.reverse()) {
      try {
        step();
      } catch {
        // The first refusal says why; a value that cannot be set back stays.
      }
    }
    throw failed((error as NodeJS.ErrnoException).path ?? '', error);
  }
}

/** v1 wants memory with swap never below memory alone: the one that grows first. */
function inKernelOrder<Setting extends CgroupSetting & {readonly path: string}>(
  settings: readonly Setting[],
): readonly Setting[] {
  const limit = settings.findIndex(({file}) => file === 'memory.limit_in_bytes');
  const both = settings.findIndex(({file}) => file === 'memory.memsw.limit_in_bytes');
  const memory = settings[limit];
  const swap = settings[both];
  if (!memory || !swap || !existsSync(swap.path)) return settings;
  const now = BigInt(readFileSync(swap.path, 'latin1').trim());
  if (BigInt(memory.value) < 0n || BigInt(memory.value) <= now) return settings;
  const others = settings.filter((setting) => setting !== memory && setting !== swap);
  return [...others, swap, memory];
}

/** How many processes of a group the kernel has killed for lack of memory. Source: cgroup-v2.rst memory.events; cgroup-v1/memory.rst. */
export function oomKillsOf(folders: readonly string[]): number {
  for (const folder of folders) {
    for (const file of ['memory.events', 'memory.oom_control']) {
      try {
        const count = /^oom_kill (\d+)/m.exec(readFileSync(join(folder, file), 'latin1'))?.[1];
        if (count !== undefined) return Number(count);
      } catch {
        // Of another hierarchy.
      }
    }
  }
  return 0;
}

/** Kills all that is in a group and below it, where the kernel does that in one step. Source: cgroup-v2.rst cgroup.kill, since 5.14. */
export function killCgroup(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      if (existsSync(join(folder, 'cgroup.kill'))) writeFileSync(join(folder, 'cgroup.kill'), '1');
    } catch {
      // Its processes are killed one by one.
    }
  }
}

/** Processes in a group, of any hierarchy that still has it. */
export function processesOf(folders: readonly string[]): number[] {
  return [...new Set(folders.flatMap((folder) => wordsOf(join(folder, 'cgroup.procs'))))].map(Number);
}

/**
 * Removes a group and the groups that its programs made in it, once its processes are gone: the kernel is given a moment for that. What others
 * use stays. True when nothing of it is left.
 */
export async function removeCgroup(folders: readonly string[]): Promise<boolean> {
  for (let delay = 0; ; delay = Math.min(delay + 1, 20)) {
    const left = folders.filter((folder) => !removeFolder(folder));
    if (left.length === 0) return true;
    if (delay >= 20 && processesOf(left).length > 0) return false;
    if (delay >= 20) return left.every((folder) => removeFolder(folder));
    await sleep(delay);
  }
}

/** Removes one group with what is below it. True when it is gone. */
function removeFolder(folder: string): boolean {
  try {
    for (const name of childGroups(folder)) removeFolder(join(folder, name));
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

function childGroups(folder: string): string[] {
  return readdirSync(folder, {withFileTypes: true}).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Removes groups that nobody has anything in any more; those of others stay. */
export function removeIfEmpty(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // In use, or gone.
    }
  }
}
