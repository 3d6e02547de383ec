import type {IdMap} from '../../native-free/id-map.ts';
import {idCount, parseIdMap} from '../../native-free/id-map.ts';
import type {LiveNamespace} from '../doctor/facts.ts';
import {readLink, readNames, readText} from './machine-files.ts';
import {type ProbedNamespace, probe} from './machine-probe.ts';

/** Inode number of the initial user namespace on every kernel. Source: include/linux/proc_ns.h PROC_USER_INIT_INO. */
export const INITIAL_USERNS_INODE = 4_026_531_837;
/** Processes whose namespaces' owners are asked for in one run of perl. */
const MAX_ASKED = 2000;

/** Pids in /proc, ascending. */
export function listPids(): number[] {
  return readNames('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Inode number of a process's user namespace, or undefined when we may not look or it is gone. */
export function userNamespaceOf(pid: number | 'self'): number | undefined {
  const inode = /^user:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/ns/user`) ?? '')?.[1];
  return inode === undefined ? undefined : Number(inode);
}

/** A map of a process as we see it, or undefined when it is gone. */
export function readMap(pid: number | 'self', file: 'uid_map' | 'gid_map'): IdMap | undefined {
  const text = readText(`/proc/${pid}/${file}`);
  if (text === undefined) return undefined;
  const parsed = parseIdMap(text, {untranslated: 'keep'});
  return parsed.ok ? parsed.map : [];
}

interface Found {
  readonly inode: number | undefined;
  readonly pid: number;
  processCount: number;
}

/**
 * The user namespaces that have processes, ours left out, by lowest pid. Those whose inode we may not read are told apart by their maps,
 * so two of them with the same maps count as one. With `perl`, their owners are asked for.
 */
export function listLiveNamespaces(pids: readonly number[], perl: string | undefined): readonly LiveNamespace[] {
  const own = userNamespaceOf('self');
  const ownMap = readText('/proc/self/uid_map');
  const found = new Map<string, Found>();
  for (const pid of pids) {
    const inode = userNamespaceOf(pid);
    if (inode === own && inode !== undefined) continue;
    let key = String(inode);
    if (inode === undefined) {
      const map = readText(`/proc/${pid}/uid_map`);
      // A process whose maps are exactly ours is in our namespace as far as anybody can tell.
      if (map === undefined || map === ownMap) continue;
      key = `${map}/${readText(`/proc/${pid}/gid_map`) ?? ''}`;
    }
    const known = found.get(key);
    if (known === undefined) found.set(key, {inode, pid, processCount: 1});
    else known.processCount += 1;
  }
  const ownCount = idCount(readMap('self', 'uid_map') ?? []);
  const asked = [...found.values()].filter((each) => each.inode !== undefined).map((each) => each.pid);
  const answers = perl === undefined || asked.length === 0 ? undefined : probe(perl, {pids: asked.slice(0, MAX_ASKED)});
  return [...found.values()].flatMap(({inode, pid, processCount}) => {
    const uidMap = readMap(pid, 'uid_map');
    const gidMap = readMap(pid, 'gid_map');
    if (uidMap === undefined || gidMap === undefined) return [];
    // A namespace below ours has ids of ours only: one with more is above or beside us, and its map is no claim on our ids.
    if (inode === INITIAL_USERNS_INODE || idCount(uidMap) > ownCount) return [];
    const command = readText(`/proc/${pid}/comm`)?.trimEnd() ?? '';
    const owner = answers?.chains.get(pid)?.[0]?.owner;
    return [{inode, pid, processCount, command, owner, uidMap, gidMap}];
  });
}

/** One level of a process's user namespaces. `inode` is undefined where we may not look. */
export interface NamespaceLevel {
  readonly inode: number | undefined;
  readonly owner: number | undefined;
  /** The pid through which its maps were read; undefined when no process is in it. */
  readonly pid: number | undefined;
  /** Outside ids in OUR namespace, whatever the level; undefined when no process is in it that we can read. */
  readonly uidMap: IdMap | undefined;
  readonly gidMap: IdMap | undefined;
}

export interface NamespaceChain {
  /** From the one below ours (outermost) to the process's own. Empty when the process is in our own namespace. */
  readonly levels: readonly NamespaceLevel[];
  /** True when every level between ours and the process's is in the list. */
  readonly complete: boolean;
  readonly own: number | undefined;
  readonly setgroups: string | undefined;
}

/** The user namespaces from ours down to a process's, or undefined when there is no such process. */
export function readNamespaceChain(pid: number, perl: string | undefined): NamespaceChain | undefined {
  const uidMap = readMap(pid, 'uid_map');
  const gidMap = readMap(pid, 'gid_map');
  if (uidMap === undefined || gidMap === undefined) return undefined;
  const own = userNamespaceOf('self');
  const inode = userNamespaceOf(pid);
  const setgroups = readText(`/proc/${pid}/setgroups`)?.trim();
  if (inode !== undefined && inode === own) return {levels: [], complete: true, own, setgroups};
  const chain = perl === undefined ? undefined : probe(perl, {pids: [pid]})?.chains.get(pid);
  const above = chain?.slice(1) ?? [];
  const end = above.findIndex((each) => each.inode === own);
  const between = end < 0 ? above : above.slice(0, end);
  const levels = [...readLevels(between), {inode, owner: chain?.[0]?.owner, pid, uidMap, gidMap}];
  return {levels, complete: end >= 0, own, setgroups};
}

/** Outermost first; a namespace is read through the lowest pid in it. */
function readLevels(namespaces: readonly ProbedNamespace[]): NamespaceLevel[] {
  if (namespaces.length === 0) return [];
  const wanted = new Map<number, number>();
  for (const pid of listPids()) {
    const inode = userNamespaceOf(pid);
    if (inode !== undefined && !wanted.has(inode)) wanted.set(inode, pid);
  }
  return namespaces.toReversed().map(({inode, owner}) => {
    const pid = wanted.get(inode);
    const uidMap = pid === undefined ? undefined : readMap(pid, 'uid_map');
    const gidMap = pid === undefined ? undefined : readMap(pid, 'gid_map');
    return {inode, owner, pid, uidMap, gidMap};
  });
}
