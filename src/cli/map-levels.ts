import {readFileSync} from 'node:fs';
import {subrootError} from '../../native-free/errors.ts';
import {compose, type IdMap, requireIdMap} from '../../native-free/id-map.ts';
import {INVALID_ID} from '../../native-free/ids.ts';
import {findProgram} from '../host/machine-files.ts';
import {
  INITIAL_USERNS_INODE,
  type NamespaceChain,
  type NamespaceLevel,
  readMap,
  readNamespaceChain,
} from '../host/machine-namespaces.ts';

/** A user namespace on the way from the outside (level 0) in. Its maps lead from its own ids to those of the level before it. */
export interface MapLevel {
  readonly level: number;
  readonly label: string;
  readonly inode?: number | undefined;
  readonly owner?: number | undefined;
  /** undefined: this kind of id was not asked about. */
  readonly uid: IdMap | undefined;
  readonly gid: IdMap | undefined;
}

export interface MapSource {
  readonly kind: 'map' | 'file' | 'pid' | 'pod';
  readonly name?: string;
  readonly pid?: number;
}

/** Level 0 first; each later one is inside the one before it. */
export interface LoadedLevels {
  readonly source: MapSource;
  readonly levels: readonly MapLevel[];
  /** Sentences that the reader should know. */
  readonly notes: readonly string[];
}

/** The text of a `--map` value as one write to a map file: lines end at a newline, at `\n` written out, or at a comma. */
export function mapText(value: string): string {
  return value.replaceAll(/\s*,\s*|\\n/g, '\n');
}

/** Levels of maps given as words, outermost first. Throws SUBROOT_IDMAP_TEXT. */
export function levelsOfTexts(
  source: MapSource,
  uidTexts: readonly string[],
  gidTexts: readonly string[],
  name: (kind: 'uid' | 'gid', index: number) => string,
): LoadedLevels {
  const read = (texts: readonly string[], kind: 'uid' | 'gid', index: number): IdMap | undefined => {
    if (texts.length === 0) return undefined;
    const text = texts[index];
    return text === undefined ? [] : requireIdMap(mapText(text), name(kind, index));
  };
  const depth = Math.max(uidTexts.length, gidTexts.length);
  const inner = Array.from({length: depth}, (_, index): MapLevel => {
    const level = index + 1;
    const label = depth === 1 || level === depth ? 'inside' : `namespace ${level}`;
    return {level, label, uid: read(uidTexts, 'uid', index), gid: read(gidTexts, 'gid', index)};
  });
  return {source, levels: [{level: 0, label: 'outside', uid: undefined, gid: undefined}, ...inner], notes: []};
}

/** The text of a file with a map. Throws SUBROOT_FILE_UNREADABLE. */
export function readMapFile(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw subrootError(
      'SUBROOT_FILE_UNREADABLE',
      {path, why: error instanceof Error ? error.message : 'unknown'},
      error,
    );
  }
}

/** The levels between us and a process. Throws SUBROOT_PROCESS_NOT_FOUND. */
export function levelsOfProcess(source: MapSource, pid: number): LoadedLevels {
  const chain = readNamespaceChain(pid, findProgram('perl'));
  if (chain === undefined) throw subrootError('SUBROOT_PROCESS_NOT_FOUND', {pid});
  if (chain.levels.length === 0) return ownLevels(source, pid, chain);
  return levelsOfChain(source, pid, chain);
}

/** The process is in our own namespace: its map is then shown to us in the ids of our parent. */
function ownLevels(source: MapSource, pid: number, {own}: NamespaceChain): LoadedLevels {
  const uid = readMap(pid, 'uid_map') ?? [];
  const gid = readMap(pid, 'gid_map') ?? [];
  const isInitial = own === INITIAL_USERNS_INODE;
  return {
    source,
    levels: [
      {level: 0, label: isInitial ? 'host' : 'parent of yours', uid: undefined, gid: undefined},
      {level: 1, label: isInitial ? 'host' : 'your namespace', inode: own, uid, gid},
    ],
    notes: [
      isInitial
        ? `pid ${pid} is in the initial user namespace (user:[${INITIAL_USERNS_INODE}] on every Linux): it is not in a pod, and ids are what they are`
        : `pid ${pid} is in your own user namespace; you read its map in the ids of your namespace's PARENT`,
    ],
  };
}

/** Pure: the levels of what was read, each made relative to the one before it. */
export function levelsOfChain(source: MapSource, pid: number, chain: NamespaceChain): LoadedLevels {
  const notes = [
    `the second column of a map is shown in the ids of the reader's namespace (yours), whatever the nesting; the levels between are computed from it`,
  ];
  if (!chain.complete)
    notes.push(
      'the kernel did not let us see every parent of that namespace (NS_GET_PARENT): levels may be missing between',
    );
  const levels: MapLevel[] = [
    {
      level: 0,
      label: chain.own === INITIAL_USERNS_INODE ? 'host' : 'your namespace',
      inode: chain.own,
      uid: undefined,
      gid: undefined,
    },
  ];
  let before: NamespaceLevel | undefined;
  for (const each of chain.levels) {
    if (each.uidMap === undefined || each.gidMap === undefined) {
      notes.push(`no process is in user:[${each.inode ?? '?'}] that we can read, so this level is left out`);
      continue;
    }
    if (hasUntranslated(each.uidMap) || hasUntranslated(each.gidMap))
      notes.push(
        `some lines of user:[${each.inode ?? '?'}] have no id in your namespace (shown as ${INVALID_ID}) and are left out`,
      );
    const isLast = each === chain.levels.at(-1);
    levels.push({
      level: levels.length,
      label: isLast ? `pid ${pid}` : `namespace ${levels.length}`,
      inode: each.inode,
      owner: each.owner,
      uid: relativeTo(before?.uidMap, each.uidMap),
      gid: relativeTo(before?.gidMap, each.gidMap),
    });
    if (each.uidMap.length === 0)
      notes.push(
        `uid_map of ${isLast ? `pid ${pid}` : `user:[${each.inode}]`} is not written: every user id shows as 65534 there`,
      );
    if (each.uidMap.some(({hostId}) => hostId === 0))
      notes.push(rootNote(isLast ? `pid ${pid}` : `level ${levels.length - 1}`, chain.own));
    before = each;
  }
  if (chain.setgroups === 'deny') notes.push('setgroups is denied there: supplementary groups cannot be changed');
  return {source, levels, notes};
}

function rootNote(who: string, own: number | undefined): string {
  const root = own === INITIAL_USERNS_INODE ? "the host's root" : 'root of your namespace';
  return `the map of ${who} holds id 0 of level 0: somebody in there IS ${root}`;
}

function hasUntranslated(map: IdMap): boolean {
  return map.some(({hostId}) => hostId === INVALID_ID);
}

/** A map in our ids made relative to a namespace between, whose own map in our ids is `outer`. */
function relativeTo(outer: IdMap | undefined, map: IdMap): IdMap {
  const named = map.filter(({hostId}) => hostId !== INVALID_ID);
  if (outer === undefined) return named;
  const inverse = outer
    .filter(({hostId}) => hostId !== INVALID_ID)
    .map(({containerId, hostId, size}) => ({containerId: hostId, hostId: containerId, size}));
  return compose(inverse, named);
}
