import type {CapabilityName} from './capability.ts';
import {type Credentials, hasCapability} from './credentials.ts';
import {findOverlapWithEarlier, type IdMap, type IdMapping, MAX_MAP_BYTES, type OverlapDomain} from './id-map.ts';
import {type IdRange, subtract} from './id-range.ts';
import {INVALID_ID, MAX_EXTENTS} from './ids.ts';
import type {IdKind, SetgroupsState, UserNamespace} from './user-namespace.ts';

/** The three map files of /proc/PID. */
export type IdMapFile = 'uid_map' | 'gid_map' | 'projid_map';

/** A process's proc file that somebody opens for writing. */
export interface MapOpen {
  readonly file: IdMapFile | 'setgroups';
  readonly opener: Credentials;
  readonly target: UserNamespace;
  /** Who owns the proc inode, in kernel ids: euid and egid of the process, or 0 and 0 (root of its program's namespace) when it is not dumpable. */
  readonly inode: {readonly uid: number; readonly gid: number};
  /** Whether that /proc is mounted read-only. */
  readonly readOnly?: boolean;
}

/** One write(2) to uid_map, gid_map or projid_map. */
export interface MapWrite {
  readonly file: IdMapFile;
  readonly target: UserNamespace;
  /** Credentials at open(2). */
  readonly opener: Credentials;
  /** Credentials of the task that calls write(2); default: the opener's. */
  readonly writer?: Credentials;
  /** The bytes, or their Latin-1 text: one byte per character (a character past U+00FF is refused like any letter). */
  readonly text: string | Uint8Array;
  /** File offset: 0 on a fresh open; a write that succeeded has moved it by its bytes. Default 0. */
  readonly offset?: number;
}

/** One write(2) to setgroups; text and offset as in `MapWrite`. */
export interface SetgroupsWrite {
  readonly target: UserNamespace;
  readonly text: string | Uint8Array;
  readonly offset?: number;
}

interface Refusal {
  readonly ok: false;
}

/** Why the kernel refuses, with the values. `rule` is stable; `line` counts from 1 in the text written. */
export type MapRefusal =
  | (Refusal & {readonly errno: 'EROFS'; readonly rule: 'idmap-open-read-only'})
  | (Refusal & {
      readonly errno: 'EACCES';
      readonly rule: 'idmap-open-owner';
      readonly inode: {readonly uid: number; readonly gid: number};
      readonly fsuid: number;
    })
  | (Refusal & {readonly errno: 'EACCES'; readonly rule: 'setgroups-open-sys-admin'; readonly owner: number})
  | (Refusal & {readonly errno: 'EPERM'; readonly rule: 'idmap-initial-namespace'})
  | (Refusal & {
      readonly errno: 'EPERM';
      readonly rule: 'idmap-opener-namespace';
      readonly openerLevel: number;
      readonly targetLevel: number;
    })
  | (Refusal & {readonly errno: 'EINVAL'; readonly rule: 'idmap-offset' | 'setgroups-offset'; readonly offset: number})
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-too-long' | 'setgroups-too-long';
      readonly bytes: number;
      readonly limit: number;
    })
  | (Refusal & {readonly errno: 'EPERM'; readonly rule: 'idmap-already-written'; readonly extents: number})
  | (Refusal & {
      readonly errno: 'EPERM';
      readonly rule: 'idmap-sys-admin';
      readonly owner: number;
      readonly openerEuid: number;
    })
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-syntax';
      readonly line: number;
      readonly text: string;
    })
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-invalid-id';
      readonly line: number;
      readonly field: 'containerId' | 'hostId';
    })
  | (Refusal & {readonly errno: 'EINVAL'; readonly rule: 'idmap-no-ids'; readonly line: number})
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-past-last-id';
      readonly line: number;
      readonly field: 'containerId' | 'hostId';
      readonly start: number;
      readonly size: number;
    })
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-overlap';
      readonly line: number;
      readonly earlierLine: number;
      readonly domain: OverlapDomain;
      readonly start: number;
      readonly size: number;
    })
  | (Refusal & {
      readonly errno: 'EINVAL';
      readonly rule: 'idmap-too-many-extents';
      readonly lines: number;
      readonly limit: number;
    })
  | (Refusal & {
      readonly errno: 'EPERM';
      readonly rule: 'idmap-setfcap';
      readonly line: number;
      /** Who would have needed CAP_SETFCAP over the parent: the opener, or, for a write from inside, the namespace's creator. */
      readonly lacking: 'opener' | 'creator';
    })
  | (Refusal & {
      readonly errno: 'EPERM';
      readonly rule: 'idmap-setid-capability';
      readonly capability: CapabilityName;
      readonly lacking: 'opener' | 'writer' | 'both';
      readonly single: SingleIdFault;
    })
  | (Refusal & {
      readonly errno: 'EPERM';
      readonly rule: 'idmap-parent-unmapped';
      readonly line: number;
      readonly start: number;
      readonly size: number;
      /** The ids of the line that the parent has not; empty when it has all of them, in more than one line of its map. */
      readonly unmapped: readonly IdRange[];
    })
  | (Refusal & {readonly errno: 'EINVAL'; readonly rule: 'setgroups-word'; readonly text: string})
  | (Refusal & {readonly errno: 'EPERM'; readonly rule: 'setgroups-after-gid-map'})
  | (Refusal & {readonly errno: 'EPERM'; readonly rule: 'setgroups-denied'});

/** Why the map is not the one a process may write without privilege: its own id alone, by the namespace's owner, with setgroups denied for gids. */
export type SingleIdFault = 'not-one-id' | 'not-owner' | 'other-id' | 'setgroups-allowed';

/** What write(2) to a map answers. */
export type MapAnswer =
  | {
      readonly ok: true;
      /** As the text says (outside ids are the parent's), in the order kept: as written up to five lines, else sorted by the inside id. */
      readonly map: IdMap;
      /** The same with kernel ids outside: what the namespace then holds. */
      readonly kernelMap: IdMap;
      /** What write(2) returns: all of them. */
      readonly bytes: number;
    }
  | MapRefusal;

/** What write(2) to setgroups answers. */
export type SetgroupsAnswer = {readonly ok: true; readonly state: SetgroupsState; readonly bytes: number} | MapRefusal;

const kindOfFile = {uid_map: 'uid', gid_map: 'gid', projid_map: 'projid'} as const satisfies Record<IdMapFile, IdKind>;
/** Up to here the kernel keeps the order of the lines (UID_GID_MAP_MAX_BASE_EXTENTS). */
const MAX_UNSORTED_EXTENTS = 5;
const SETGROUPS_BYTES = 7;

/**
 * What open(2) for writing answers: a read-only /proc, then the inode's owner (mode 0644), then, for setgroups, CAP_SYS_ADMIN over the target.
 * Undefined: it opens. Source: facts §1.1 step 1, §2; proc_setgroups_open(), 6.18.
 */
export function findOpenRefusal(open: MapOpen): MapRefusal | undefined {
  const {file, opener, target, inode} = open;
  if (open.readOnly === true) return {ok: false, errno: 'EROFS', rule: 'idmap-open-read-only'};
  if (opener.fsuid !== inode.uid && !overridesOwner(opener, inode))
    return {ok: false, errno: 'EACCES', rule: 'idmap-open-owner', inode, fsuid: opener.fsuid};
  if (file === 'setgroups' && !hasCapability(opener, target, 'CAP_SYS_ADMIN'))
    return {ok: false, errno: 'EACCES', rule: 'setgroups-open-sys-admin', owner: target.owner};
  return undefined;
}

/** CAP_DAC_OVERRIDE counts only over files whose both ids are mapped. Source: privileged_wrt_inode_uidgid(), 6.18. */
function overridesOwner(opener: Credentials, inode: MapOpen['inode']): boolean {
  return (
    opener.effective.has('CAP_DAC_OVERRIDE') &&
    opener.userns.fromKernelId('uid', inode.uid) !== undefined &&
    opener.userns.fromKernelId('gid', inode.gid) !== undefined
  );
}

/**
 * What the kernel answers to one write of a map, first failing check first: nothing is stored on failure, and a later write may still succeed.
 * Changes nothing; `writeIdMap` does. Never throws. Source: proc_uid_map_write(), map_write(), new_idmap_permitted(), 6.18; facts §1.
 */
export function checkMapWrite(write: MapWrite): MapAnswer {
  const {file, target, opener, offset = 0} = write;
  const {parent} = target;
  if (parent === undefined) return {ok: false, errno: 'EPERM', rule: 'idmap-initial-namespace'};
  if (opener.userns !== target && opener.userns !== parent)
    return {
      ok: false,
      errno: 'EPERM',
      rule: 'idmap-opener-namespace',
      openerLevel: opener.userns.level,
      targetLevel: target.level,
    };
  if (offset !== 0) return {ok: false, errno: 'EINVAL', rule: 'idmap-offset', offset};
  const bytes = write.text.length;
  if (bytes > MAX_MAP_BYTES) return {ok: false, errno: 'EINVAL', rule: 'idmap-too-long', bytes, limit: MAX_MAP_BYTES};
  const kind = kindOfFile[file];
  const extents = target.kernelMap(kind).length;
  if (extents !== 0) return {ok: false, errno: 'EPERM', rule: 'idmap-already-written', extents};
  if (kind !== 'projid' && !hasCapability(opener, target, 'CAP_SYS_ADMIN'))
    return {ok: false, errno: 'EPERM', rule: 'idmap-sys-admin', owner: target.owner, openerEuid: opener.euid};
  const parsed = parseMapWrite(latin1(write.text));
  if (!parsed.ok) return parsed;
  const refused = findIdRefusal(write, kind, parsed.map, parent);
  if (refused !== undefined) return refused;
  const translated = translate(parsed.map, kind, parent);
  if ('ok' in translated) return translated;
  return {ok: true, map: asKept(parsed.map), kernelMap: asKept(translated), bytes};
}

/** Checks the write and, when it is ok, gives the target its map. */
export function writeIdMap(write: MapWrite): MapAnswer {
  const answer = checkMapWrite(write);
  if (answer.ok) write.target.installIdMap(kindOfFile[write.file], answer.kernelMap);
  return answer;
}

function latin1(text: string | Uint8Array): string {
  return typeof text === 'string' ? text : Array.from(text, (byte) => String.fromCharCode(byte)).join('');
}

function asKept(map: IdMap): IdMap {
  return map.length <= MAX_UNSORTED_EXTENTS ? map : [...map].sort((a, b) => a.containerId - b.containerId);
}

/**
 * The map that the kernel reads in a text (Latin-1), or its EINVAL. The text ends at the first NUL; white space is space, \t, \v, \f, \r and
 * byte A0; numbers are decimal digits, folded to 32 bits without a word: 4294967296 is 0. Lines keep their order. Source: map_write(); facts §1.2.
 */
export function parseMapWrite(text: string): {readonly ok: true; readonly map: IdMap} | MapRefusal {
  const end = text.indexOf('\0');
  const lines = (end < 0 ? text : text.slice(0, end)).split('\n');
  if (lines.length > 1 && lines.at(-1) === '') lines.pop();
  const map: IdMapping[] = [];
  for (const [index, lineText] of lines.entries()) {
    const line = index + 1;
    const words = lineText.split(/[ \t\v\f\r\xa0]+/).filter((word) => word !== '');
    const [containerId, hostId, size] = words.map(foldedNumber);
    if (words.length !== 3 || containerId === undefined || hostId === undefined || size === undefined)
      return {ok: false, errno: 'EINVAL', rule: 'idmap-syntax', line, text: lineText};
    const mapping = {containerId, hostId, size};
    const fault = findExtentFault(mapping, line);
    if (fault !== undefined) return fault;
    map.push(mapping);
    const overlap = findOverlapWithEarlier(map, index);
    if (overlap !== undefined) {
      const {first, domain, start, size: shared} = overlap;
      const earlierLine = first + 1;
      return {ok: false, errno: 'EINVAL', rule: 'idmap-overlap', line, earlierLine, domain, start, size: shared};
    }
    if (line === MAX_EXTENTS && lines.length > line)
      return {ok: false, errno: 'EINVAL', rule: 'idmap-too-many-extents', lines: lines.length, limit: MAX_EXTENTS};
  }
  return {ok: true, map};
}

/** simple_strtoul() folds at 2^64 and the store to u32 at 2^32, which together is the number modulo 2^32. */
function foldedNumber(word: string): number | undefined {
  let value = 0;
  for (let index = 0; index < word.length; index += 1) {
    const digit = word.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = (value * 10 + digit) % 2 ** 32;
  }
  return value;
}

function findExtentFault(mapping: IdMapping, line: number): MapRefusal | undefined {
  const {size} = mapping;
  for (const field of ['containerId', 'hostId'] as const)
    if (mapping[field] === INVALID_ID) return {ok: false, errno: 'EINVAL', rule: 'idmap-invalid-id', line, field};
  if (size === 0) return {ok: false, errno: 'EINVAL', rule: 'idmap-no-ids', line};
  for (const field of ['containerId', 'hostId'] as const) {
    const start = mapping[field];
    if (start + size > INVALID_ID)
      return {ok: false, errno: 'EINVAL', rule: 'idmap-past-last-id', line, field, start, size};
  }
  return undefined;
}

/** Who may map what. Source: verify_root_map(), new_idmap_permitted(), 6.18; facts §1.3. */
function findIdRefusal(write: MapWrite, kind: IdKind, map: IdMap, parent: UserNamespace): MapRefusal | undefined {
  const {target, opener, writer = opener} = write;
  if (kind === 'projid') return undefined;
  const rootLine = map.findIndex((mapping) => mapping.hostId === 0);
  if (kind === 'uid' && rootLine >= 0) {
    const isInside = opener.userns === target;
    if (!(isInside ? target.creatorHadSetfcap : hasCapability(opener, parent, 'CAP_SETFCAP')))
      return {
        ok: false,
        errno: 'EPERM',
        rule: 'idmap-setfcap',
        line: rootLine + 1,
        lacking: isInside ? 'creator' : 'opener',
      };
  }
  const single = findSingleIdFault(target, opener, kind, map, parent);
  if (single === undefined) return undefined;
  const capability = kind === 'uid' ? 'CAP_SETUID' : 'CAP_SETGID';
  const openerHas = hasCapability(opener, parent, capability);
  const writerHas = hasCapability(writer, parent, capability);
  if (openerHas && writerHas) return undefined;
  const lacking = openerHas ? 'writer' : writerHas ? 'opener' : 'both';
  return {ok: false, errno: 'EPERM', rule: 'idmap-setid-capability', capability, lacking, single};
}

function findSingleIdFault(
  target: UserNamespace,
  opener: Credentials,
  kind: 'uid' | 'gid',
  map: IdMap,
  parent: UserNamespace,
): SingleIdFault | undefined {
  const [only] = map;
  if (map.length !== 1 || only === undefined || only.size !== 1) return 'not-one-id';
  if (target.owner !== opener.euid) return 'not-owner';
  const own = kind === 'uid' ? opener.euid : opener.egid;
  if (parent.toKernelId(kind, only.hostId) !== own) return 'other-id';
  return kind === 'gid' && target.setgroups === 'allow' ? 'setgroups-allowed' : undefined;
}

/** Each line must lie inside one line of the parent's map. Source: map_id_range_down(), 6.18. */
function translate(map: IdMap, kind: IdKind, parent: UserNamespace): IdMap | MapRefusal {
  const parentMap = parent.kernelMap(kind);
  const kernelMap: IdMapping[] = [];
  for (const [index, {containerId, hostId, size}] of map.entries()) {
    const around = parentMap.find(
      (line) => hostId >= line.containerId && hostId + size <= line.containerId + line.size,
    );
    if (around === undefined) {
      const mapped = parentMap.map((line) => ({start: line.containerId, size: line.size}));
      const unmapped = subtract([{start: hostId, size}], mapped);
      const line = index + 1;
      return {ok: false, errno: 'EPERM', rule: 'idmap-parent-unmapped', line, start: hostId, size, unmapped};
    }
    kernelMap.push({containerId, hostId: around.hostId + (hostId - around.containerId), size});
  }
  return kernelMap;
}

/**
 * What the kernel answers to one write of `allow` or `deny` to setgroups (opened before, see `findOpenRefusal`). Denied stays denied, and
 * deny comes before gid_map or never. Changes nothing; `writeSetgroups` does. Source: proc_setgroups_write(), 6.18; facts §2.
 */
export function checkSetgroupsWrite(write: SetgroupsWrite): SetgroupsAnswer {
  const {target, offset = 0} = write;
  if (offset !== 0) return {ok: false, errno: 'EINVAL', rule: 'setgroups-offset', offset};
  const bytes = write.text.length;
  if (bytes > SETGROUPS_BYTES)
    return {ok: false, errno: 'EINVAL', rule: 'setgroups-too-long', bytes, limit: SETGROUPS_BYTES};
  const text = latin1(write.text);
  const word = /^(allow|deny)[ \t\n\v\f\r\xa0]*(?:\0|$)/.exec(text)?.[1];
  if (word === undefined) return {ok: false, errno: 'EINVAL', rule: 'setgroups-word', text};
  if (word === 'deny') {
    if (target.kernelMap('gid').length > 0) return {ok: false, errno: 'EPERM', rule: 'setgroups-after-gid-map'};
    return {ok: true, state: 'deny', bytes};
  }
  if (target.setgroups === 'deny') return {ok: false, errno: 'EPERM', rule: 'setgroups-denied'};
  return {ok: true, state: 'allow', bytes};
}

/** Checks the write and, when it is ok, sets the state. */
export function writeSetgroups(write: SetgroupsWrite): SetgroupsAnswer {
  const answer = checkSetgroupsWrite(write);
  if (answer.ok) write.target.installSetgroups(answer.state);
  return answer;
}
