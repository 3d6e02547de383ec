import {subrootError} from './errors.ts';
import {countIds, formatRanges, type IdRange, normalizeRanges} from './id-range.ts';
import {INVALID_ID, MAX_EXTENTS, MAX_ID} from './ids.ts';

/** An extent: the `size` ids from `containerId` inside are those from `hostId` in the namespace outside (its parent). */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

/** The lines of one uid_map, gid_map or projid_map, in any order. Never change an array once it was used as a map: lookups keep an index of it. */
export type IdMap = readonly IdMapping[];

/** Bytes that one write(2) to a map file may carry at most: less than a page. Source: kernel/user_namespace.c map_write(), 6.18. */
export const MAX_MAP_BYTES = 4095;

/** Stable names of what can be wrong with a map. */
export type IdMapProblemRule =
  | 'blank-line'
  | 'field-count'
  | 'not-decimal'
  | 'leading-zero'
  | 'not-an-id'
  | 'no-ids'
  | 'past-last-id'
  | 'overlap'
  | 'too-many-lines'
  | 'too-long'
  | 'empty';

/** What is wrong with a map. `line` counts from 1 (0: the map as a whole); `value` is the offending text; `why` is a sentence. */
export interface IdMapProblem {
  readonly line: number;
  readonly field: keyof IdMapping | 'line';
  readonly value: string;
  readonly rule: IdMapProblemRule;
  readonly why: string;
}

/** What the reader answers: the map in the order of the text, or the first problem. */
export type ParsedIdMap = {readonly ok: true; readonly map: IdMap} | ({readonly ok: false} & IdMapProblem);

/** How a text is read. */
export interface IdMapReading {
  /**
   * `keep` reads what /proc shows: a line whose outside start has no name in the reader's namespace shows 4294967295 there, and only
   * the first id of a line is translated, so the outside column is not checked for overlap or end. `refuse` (default) is for maps to use.
   */
  readonly untranslated?: 'keep' | 'refuse';
}

/** Which column of a map: ids in the container, or ids outside of it. */
export type OverlapDomain = 'inside' | 'outside';

/** Two extents of one map that share ids. `first` < `second` are indexes into the map; the ids shared are `start`, `size`. */
export interface IdMapOverlap {
  readonly first: number;
  readonly second: number;
  readonly domain: OverlapDomain;
  readonly start: number;
  readonly size: number;
}

/** `0 0 4294967295`, the map of the initial user namespace: every id is itself. */
export const IDENTITY_MAP: IdMap = [{containerId: 0, hostId: 0, size: INVALID_ID}];

const fields = ['containerId', 'hostId', 'size'] as const;

/**
 * The map of text as /proc/PID/uid_map shows it or a person writes it: per line three decimal numbers (inside, outside, count) between
 * spaces or tabs, the last newline optional. The empty text is the empty map. The map has at most 340 lines, no overlap, and ids up to 4294967294.
 * Stricter than the kernel on purpose: no leading zeros (newuidmap reads them as octal, the kernel as decimal), no numbers past 2^32
 * (the kernel folds them: 4294967296 is 0), no CR. What the kernel itself accepts is in write-id-map.ts. Never throws.
 */
export function parseIdMap(text: string, reading: IdMapReading = {}): ParsedIdMap {
  if (text === '') return {ok: true, map: []};
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const map: IdMapping[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === MAX_EXTENTS) return tooManyLines(lines.length);
    const mapping = parseLine(line, index + 1);
    if ('rule' in mapping) return {ok: false, ...mapping};
    map.push(mapping);
  }
  const problem = findIdMapProblem(map, reading);
  return problem === undefined ? {ok: true, map} : {ok: false, ...problem};
}

function tooManyLines(count: number): {readonly ok: false} & IdMapProblem {
  return {
    ok: false,
    line: MAX_EXTENTS + 1,
    field: 'line',
    value: String(count),
    rule: 'too-many-lines',
    why: `there are ${count} lines and the kernel takes at most ${MAX_EXTENTS}`,
  };
}

function parseLine(line: string, number: number): IdMapping | IdMapProblem {
  const words = line.split(/[ \t]+/).filter((word) => word !== '');
  if (words.length === 0)
    return {line: number, field: 'line', value: line, rule: 'blank-line', why: 'the line is blank'};
  const values: number[] = [];
  for (const [index, field] of fields.entries()) {
    const word = words[index];
    if (word === undefined) break;
    const problem = findNumberProblem(word, number, field);
    if (problem !== undefined) return problem;
    values.push(Number(word));
  }
  const [containerId, hostId, size] = values;
  if (words.length !== 3 || containerId === undefined || hostId === undefined || size === undefined)
    return {
      line: number,
      field: 'line',
      value: line,
      rule: 'field-count',
      why: `a line has three numbers (inside, outside, count) and this one has ${words.length} words`,
    };
  return {containerId, hostId, size};
}

function findNumberProblem(word: string, line: number, field: keyof IdMapping): IdMapProblem | undefined {
  if (!/^[0-9]+$/.test(word))
    return {line, field, value: word, rule: 'not-decimal', why: `"${word}" is not a decimal number`};
  if (word.length > 1 && word.startsWith('0'))
    return {
      line,
      field,
      value: word,
      rule: 'leading-zero',
      why: `"${word}" has a leading zero: octal for newuidmap, decimal for the kernel`,
    };
  return undefined;
}

/**
 * The first thing that makes this map unusable, or undefined: a number that is no id, a size below 1, an end past 4294967294, more than
 * 340 lines, or two lines that overlap. `line` is the index in the map plus 1. The empty map has no problem.
 */
export function findIdMapProblem(map: IdMap, reading: IdMapReading = {}): IdMapProblem | undefined {
  if (map.length > MAX_EXTENTS) return withoutTag(tooManyLines(map.length));
  const keep = reading.untranslated === 'keep';
  for (const [index, mapping] of map.entries()) {
    const problem = findMappingProblem(mapping, index + 1, keep);
    if (problem !== undefined) return problem;
  }
  const overlap = findOverlap(map, keep ? ['inside'] : ['inside', 'outside']);
  if (overlap === undefined) return undefined;
  const ids = formatRanges([overlap]);
  return {
    line: overlap.second + 1,
    field: columnOf[overlap.domain],
    value: ids,
    rule: 'overlap',
    why: `lines ${overlap.first + 1} and ${overlap.second + 1} share the ${overlap.domain} ids ${ids}`,
  };
}

function withoutTag(problem: {readonly ok: false} & IdMapProblem): IdMapProblem {
  const {ok: _, ...rest} = problem;
  return rest;
}

function findMappingProblem(mapping: IdMapping, line: number, keep: boolean): IdMapProblem | undefined {
  const {size} = mapping;
  for (const field of ['containerId', 'hostId'] as const) {
    const start = mapping[field];
    const value = String(start);
    if (keep && field === 'hostId' && start === INVALID_ID) continue;
    if (!Number.isInteger(start) || start < 0 || start > MAX_ID)
      return {line, field, value, rule: 'not-an-id', why: `${value} is not an id: ids are 0-${MAX_ID}`};
  }
  if (!Number.isInteger(size) || size < 1)
    return {line, field: 'size', value: String(size), rule: 'no-ids', why: `a count of ${size} maps nothing`};
  for (const field of keep ? (['containerId'] as const) : (['containerId', 'hostId'] as const)) {
    const start = mapping[field];
    if (start + size <= INVALID_ID) continue;
    const why = `${size} ids from ${start} end at ${start + size - 1}, past ${MAX_ID}, the last one there is`;
    return {line, field: 'size', value: String(size), rule: 'past-last-id', why};
  }
  return undefined;
}

/**
 * The map of the text, as `parseIdMap` reads it. `source` is how a message calls the text, such as `/proc/42/uid_map`.
 * Throws SUBROOT_IDMAP_TEXT (ConfigError) with line, field and reason.
 */
export function requireIdMap(text: string, source: string, reading: IdMapReading = {}): IdMap {
  const parsed = parseIdMap(text, reading);
  if (parsed.ok) return parsed.map;
  const {line, field, why} = parsed;
  throw subrootError('SUBROOT_IDMAP_TEXT', {source, line, field, why});
}

/**
 * The text for the ONE write(2) that the kernel allows: `0 100000 65536\n`, terse, in the order of the map.
 * Throws SUBROOT_IDMAP_UNWRITABLE (UsageError) for what `findIdMapProblem` finds, an empty map, and text past 4095 bytes: nothing is ever cut off.
 */
export function formatIdMap(map: IdMap): string {
  const problem = findWriteProblem(map);
  if (problem !== undefined) throw subrootError('SUBROOT_IDMAP_UNWRITABLE', {line: problem.line, why: problem.why});
  return terseText(map);
}

/** As `findIdMapProblem`, and what the write itself forbids: an empty map, and text of more than 4095 bytes. Never throws. */
export function findWriteProblem(map: IdMap): IdMapProblem | undefined {
  if (map.length === 0) return {line: 0, field: 'line', value: '', rule: 'empty', why: 'there is no line in it'};
  const problem = findIdMapProblem(map);
  if (problem !== undefined) return problem;
  const {length} = terseText(map);
  if (length <= MAX_MAP_BYTES) return undefined;
  const why = `its text is ${length} bytes and one write takes at most ${MAX_MAP_BYTES}`;
  return {line: 0, field: 'line', value: String(length), rule: 'too-long', why};
}

function terseText(map: IdMap): string {
  return map.map(({containerId, hostId, size}) => `${containerId} ${hostId} ${size}\n`).join('');
}

/** The text as /proc shows it: `%10u %10u %10u\n` per line, the empty string for no map. Checks nothing. Source: uid_m_show(), 6.18. */
export function formatProcIdMap(map: IdMap): string {
  const column = (value: number) => String(value).padStart(10);
  return map
    .map(({containerId, hostId, size}) => `${column(containerId)} ${column(hostId)} ${column(size)}\n`)
    .join('');
}

interface SortedColumn {
  readonly starts: Float64Array;
  readonly extents: readonly IdMapping[];
}

/** Maps up to this long are searched line by line, as the kernel does (UID_GID_MAP_MAX_BASE_EXTENTS). */
const MAX_LINEAR_EXTENTS = 5;
const columns = {containerId: new WeakMap<IdMap, SortedColumn>(), hostId: new WeakMap<IdMap, SortedColumn>()};

function sortedColumn(map: IdMap, field: 'containerId' | 'hostId'): SortedColumn {
  const known = columns[field].get(map);
  if (known !== undefined && known.extents.length === map.length) return known;
  const extents = [...map].sort((a, b) => a[field] - b[field]);
  const column = {starts: Float64Array.from(extents, (extent) => extent[field]), extents};
  columns[field].set(map, column);
  return column;
}

function findExtent(map: IdMap, field: 'containerId' | 'hostId', id: number): IdMapping | undefined {
  const {starts, extents} = sortedColumn(map, field);
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((starts[middle] ?? 0) <= id) low = middle + 1;
    else high = middle;
  }
  const extent = extents[low - 1];
  return extent !== undefined && id - extent[field] < extent.size ? extent : undefined;
}

/**
 * Id outside that an id inside appears as, or undefined when it is unmapped (setuid and chown then fail with EINVAL).
 * `map` may be in any order but must not overlap; nothing is thrown. Source: user_namespaces(7); kernel/user_namespace.c map_id_down().
 */
export function toHostId(map: IdMap, containerId: number): number | undefined {
  if (map.length > MAX_LINEAR_EXTENTS) {
    const extent = findExtent(map, 'containerId', containerId);
    return extent && hostIdIn(extent, containerId);
  }
  for (let index = 0; index < map.length; index += 1) {
    const extent = map[index];
    if (extent !== undefined && containerId >= extent.containerId && containerId - extent.containerId < extent.size)
      return hostIdIn(extent, containerId);
  }
  return undefined;
}

/**
 * Id inside that an id outside appears as, or undefined when it is unmapped (stat and getuid then show 65534).
 * `map` may be in any order but must not overlap; nothing is thrown. Source: kernel/user_namespace.c map_id_up().
 */
export function toContainerId(map: IdMap, hostId: number): number | undefined {
  if (map.length > MAX_LINEAR_EXTENTS) {
    const extent = findExtent(map, 'hostId', hostId);
    return extent && containerIdIn(extent, hostId);
  }
  for (let index = 0; index < map.length; index += 1) {
    const extent = map[index];
    if (extent !== undefined && hostId >= extent.hostId && hostId - extent.hostId < extent.size)
      return containerIdIn(extent, hostId);
  }
  return undefined;
}

/** A line read from /proc may have 4294967295 outside, or run past the last id there: those ids have no name. */
function hostIdIn(extent: IdMapping, containerId: number): number | undefined {
  if (extent.hostId === INVALID_ID) return undefined;
  const hostId = extent.hostId + (containerId - extent.containerId);
  return hostId <= MAX_ID ? hostId : undefined;
}

function containerIdIn(extent: IdMapping, hostId: number): number | undefined {
  return extent.hostId === INVALID_ID ? undefined : extent.containerId + (hostId - extent.hostId);
}

/**
 * The pair of extents at which the kernel stops: the lowest `second` that overlaps an earlier extent, then the lowest `first`, inside before
 * outside. Undefined when none overlap; adjacent is no overlap. The kernel only says EINVAL. Source: mappings_overlap(), 6.18.
 */
export function findOverlap(
  map: IdMap,
  domains: readonly OverlapDomain[] = ['inside', 'outside'],
): IdMapOverlap | undefined {
  if (domains.every((domain) => isSurelyDisjoint(map, columnOf[domain]))) return undefined;
  for (const second of map.keys()) {
    const overlap = findOverlapWithEarlier(map, second, domains);
    if (overlap !== undefined) return overlap;
  }
  return undefined;
}

const columnOf = {inside: 'containerId', outside: 'hostId'} as const;

/** By sorting: the common case, in which no pair has to be looked for. */
function isSurelyDisjoint(map: IdMap, field: 'containerId' | 'hostId'): boolean {
  let end = Number.NEGATIVE_INFINITY;
  for (const extent of [...map].sort((a, b) => a[field] - b[field])) {
    if (extent[field] < end) return false;
    end = Math.max(end, extent[field] + extent.size);
  }
  return true;
}

/** As `findOverlap`, for the extent at index `second` and those before it only. */
export function findOverlapWithEarlier(
  map: IdMap,
  second: number,
  domains: readonly OverlapDomain[] = ['inside', 'outside'],
): IdMapOverlap | undefined {
  const b = map[second];
  if (b === undefined) return undefined;
  for (let first = 0; first < second; first += 1) {
    const a = map[first];
    if (a === undefined) continue;
    for (const domain of domains) {
      const field = columnOf[domain];
      const start = Math.max(a[field], b[field]);
      const size = Math.min(a[field] + a.size, b[field] + b.size) - start;
      if (size > 0) return {first, second, domain, start, size};
    }
  }
  return undefined;
}

/**
 * The map of a nested namespace seen from two levels up: `inner` maps container ids to parent ids, `outer` parent ids to host ids.
 * Extents are split where a line of `outer` ends, in the order of `inner`; ids whose parent id is unmapped are left out
 * (`composeStrict` says which). The kernel never installs such a map (EPERM): it is for reading maps of several levels.
 */
export function compose(outer: IdMap, inner: IdMap): IdMap {
  return composeParts(outer, inner).map;
}

/** As `compose`; not ok when ids were left out, with those container ids in `unmapped` (ascending, merged) beside the rest of the map. */
export function composeStrict(
  outer: IdMap,
  inner: IdMap,
):
  | {readonly ok: true; readonly map: IdMap}
  | {readonly ok: false; readonly map: IdMap; readonly unmapped: readonly IdRange[]} {
  const {map, unmapped} = composeParts(outer, inner);
  return unmapped.length === 0 ? {ok: true, map} : {ok: false, map, unmapped};
}

function composeParts(outer: IdMap, inner: IdMap): {readonly map: IdMap; readonly unmapped: readonly IdRange[]} {
  const {extents} = sortedColumn(outer, 'containerId');
  const map: IdMapping[] = [];
  const unmapped: IdRange[] = [];
  for (const {containerId, hostId: parentId, size} of inner) {
    const end = parentId + size;
    let next = parentId;
    const skipTo = (id: number) => {
      if (id > next) unmapped.push({start: containerId + (next - parentId), size: id - next});
    };
    for (const extent of extents) {
      const start = Math.max(next, extent.containerId);
      const stop = Math.min(end, extent.containerId + extent.size);
      if (start >= stop) continue;
      skipTo(start);
      map.push({
        containerId: containerId + (start - parentId),
        hostId: extent.hostId + (start - extent.containerId),
        size: stop - start,
      });
      next = stop;
    }
    skipTo(end);
  }
  return {map, unmapped: normalizeRanges(unmapped)};
}

/**
 * The map from the innermost container to the outermost host of a chain, OUTERMOST FIRST: `[pod, nested]`, each from its own ids to its
 * parent's. No maps at all: the identity. What is unmapped at any level is left out.
 */
export function composeChain(maps: readonly IdMap[]): IdMap {
  return maps.reduce(compose, IDENTITY_MAP);
}

/** Id at one level of a chain: level 0 is outside of all maps, level n inside the n-th. Undefined: this level has no id for it. */
export interface ChainStep {
  readonly level: number;
  readonly id: number | undefined;
}

/** One id on its way through a chain of maps. */
export interface ChainTranslation {
  /** From the level of the given id to the end, or to the level that has none. Never empty. */
  readonly steps: readonly ChainStep[];
  readonly id: number | undefined;
  /** The level that has no id for it; absent when all have. */
  readonly stoppedAt?: number;
}

/**
 * Every level's name of one id, through maps OUTERMOST FIRST. `to-host` starts from an id inside the last map, `to-container` from an id
 * outside the first. Stops at the first level where the id is unmapped and says which.
 */
export function translateChain(
  maps: readonly IdMap[],
  id: number,
  direction: 'to-host' | 'to-container',
): ChainTranslation {
  const outward = direction === 'to-host';
  const walk = outward ? maps.toReversed() : maps;
  let current = id;
  const steps: ChainStep[] = [{level: outward ? maps.length : 0, id}];
  for (const [index, map] of walk.entries()) {
    const level = outward ? maps.length - 1 - index : index + 1;
    const next = outward ? toHostId(map, current) : toContainerId(map, current);
    steps.push({level, id: next});
    if (next === undefined) return {steps, id: undefined, stoppedAt: level};
    current = next;
  }
  return {steps, id: current};
}

/** True for the one line `0 0 4294967295`: the initial user namespace, or one mapped to look like it. */
export function isIdentity(map: IdMap): boolean {
  const [line] = map;
  return (
    map.length === 1 && line !== undefined && line.containerId === 0 && line.hostId === 0 && line.size === INVALID_ID
  );
}

/** How many ids the map has inside. */
export function idCount(map: IdMap): number {
  return map.reduce((sum, extent) => sum + extent.size, 0);
}

/** Ids inside, one range per extent, in the order of the map. */
export function containerRanges(map: IdMap): IdRange[] {
  return map.map(({containerId, size}) => ({start: containerId, size}));
}

/** Ids outside, one range per extent, in the order of the map. */
export function hostRanges(map: IdMap): IdRange[] {
  return map.map(({hostId, size}) => ({start: hostId, size}));
}

/** A map at a glance. */
export interface IdMapFacts {
  readonly extentCount: number;
  readonly idCount: number;
  /** No line: the namespace is not mapped yet and every id in it shows as 65534. */
  readonly isEmpty: boolean;
  readonly isIdentity: boolean;
  /** What root inside is outside; undefined when 0 is unmapped inside. */
  readonly hostIdOfRoot: number | undefined;
  /** What root outside is inside; undefined when it is unmapped, as it should be. */
  readonly containerIdOfHostRoot: number | undefined;
  /** Bytes of the terse text, as `formatIdMap` writes it. */
  readonly textBytes: number;
}

/** What a reader wants to know of a map at a glance. Nothing is thrown, whatever the map. */
export function describeIdMap(map: IdMap): IdMapFacts {
  return {
    extentCount: map.length,
    idCount: countIds(containerRanges(map)),
    isEmpty: map.length === 0,
    isIdentity: isIdentity(map),
    hostIdOfRoot: toHostId(map, 0),
    containerIdOfHostRoot: toContainerId(map, 0),
    textBytes: terseText(map).length,
  };
}
