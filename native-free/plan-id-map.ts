import {findWriteProblem, formatIdMap, type IdMap, type IdMapProblem, type IdMapping} from './id-map.ts';
import {countIds, formatRanges, type IdRange, intersect, subtract} from './id-range.ts';
import {BLOCK_SIZE, INVALID_ID, MAX_EXTENTS} from './ids.ts';
import {mayDelegate, type SubordinateRange, toIdRange} from './subordinate-ids.ts';

/** What the caller may map through newuidmap (or newgidmap). */
export interface OwnedIds {
  /** Real uid (or real gid): it may map this one without any grant. */
  readonly ownId: number;
  /** The user's lines of /etc/subuid (or /etc/subgid), as `rangesOf` returns them. Wrapped ones are left alone. */
  readonly ranges: readonly Pick<SubordinateRange, 'start' | 'count' | 'wrapped'>[];
  /** Whether outside id 0 may be used. Default false: it is host root, unless we run in a container ourselves. */
  readonly allowRoot?: boolean;
}

/** What is wanted inside: so many ids from 0 up, with the own id as 0 or without it; or exactly these lines. */
export type WantedIds =
  | {readonly kind: 'count'; readonly count: number; readonly ownIdAsRoot?: boolean}
  | {readonly kind: 'mappings'; readonly mappings: IdMap};

/** A map that can be written, in the three forms that its users want. */
export type PlannedIdMap = {
  readonly ok: true;
  readonly map: IdMap;
  /** Words for newuidmap behind the pid: inside, outside, count per line, in plain decimal. */
  readonly args: readonly string[];
  /** The text of the one write, for those who write the file themselves. */
  readonly text: string;
};

/** Why there is no plan; `why` is a sentence with the values. */
export type PlanRefusal =
  | {
      readonly ok: false;
      readonly rule: 'plan-not-enough-ids';
      readonly wanted: number;
      readonly owned: number;
      readonly why: string;
    }
  | {
      readonly ok: false;
      readonly rule: 'plan-not-granted';
      readonly wanted: number;
      readonly owned: number;
      /** Outside ids that the user was not given, ascending. */
      readonly missing: readonly IdRange[];
      readonly why: string;
    }
  | {readonly ok: false; readonly rule: 'plan-host-root'; readonly why: string}
  | {readonly ok: false; readonly rule: 'plan-block-size'; readonly blockSize: number; readonly why: string}
  | {
      readonly ok: false;
      readonly rule: 'plan-unwritable';
      readonly problem: IdMapProblem;
      readonly why: string;
    };

/**
 * The map and the newuidmap words for what is wanted out of what is owned, or the refusal that names what is missing. A count is served by the
 * first range that holds all of it, else by the largest ranges in ascending order: the fewest lines. Adjacent and overlapping ranges count as one.
 * The map is writable (340 lines, 4095 bytes) and every line passes `mayDelegate`. Never throws. Source: facts §1.2, §7.
 */
export function planIdMap(request: {readonly wanted: WantedIds; readonly owned: OwnedIds}): PlannedIdMap | PlanRefusal {
  const {wanted, owned} = request;
  return wanted.kind === 'count' ? planCount(wanted, owned) : planMappings(wanted.mappings, owned);
}

function planCount(wanted: WantedIds & {readonly kind: 'count'}, owned: OwnedIds): PlannedIdMap | PlanRefusal {
  const {count, ownIdAsRoot = false} = wanted;
  if (!Number.isInteger(count) || count < 1) return noIdsRefusal(count);
  if (ownIdAsRoot && owned.ownId === 0 && owned.allowRoot !== true) return hostRootRefusal();
  const free = usableRanges(owned, ownIdAsRoot ? [{start: owned.ownId, size: 1}] : []);
  const first: readonly IdMapping[] = ownIdAsRoot ? [{containerId: 0, hostId: owned.ownId, size: 1}] : [];
  const rest = count - first.length;
  const available = countIds(free) + first.length;
  if (count > available) {
    const granted = free.length === 0 ? 'no subordinate ids' : formatRanges(free);
    const why = `${count} ids are wanted and ${available} are owned (${granted}${ownIdAsRoot ? `, and the own id ${owned.ownId}` : ''})`;
    return {ok: false, rule: 'plan-not-enough-ids', wanted: count, owned: available, why};
  }
  return finish([...first, ...layOut(chooseRanges(free, rest), first.length)]);
}

/** The granted ids as ascending merged ranges, without (uid_t)-1, without `taken` and, unless allowed, without 0. */
function usableRanges(owned: OwnedIds, taken: readonly IdRange[]): readonly IdRange[] {
  const possible = owned.allowRoot === true ? {start: 0, size: INVALID_ID} : {start: 1, size: INVALID_ID - 1};
  return subtract(intersect(meantRanges(owned).map(toIdRange), [possible]), taken);
}

function meantRanges(owned: OwnedIds): OwnedIds['ranges'] {
  return owned.ranges.filter((range) => range.wrapped !== true);
}

function chooseRanges(free: readonly IdRange[], count: number): readonly IdRange[] {
  if (count <= 0) return [];
  const whole = free.find((range) => range.size >= count);
  if (whole !== undefined) return [{start: whole.start, size: count}];
  const chosen: IdRange[] = [];
  let missing = count;
  for (const range of [...free].sort((a, b) => b.size - a.size || a.start - b.start)) {
    if (missing === 0) break;
    const size = Math.min(range.size, missing);
    chosen.push({start: range.start, size});
    missing -= size;
  }
  return chosen.sort((a, b) => a.start - b.start);
}

function layOut(ranges: readonly IdRange[], from: number): IdMapping[] {
  let containerId = from;
  return ranges.map(({start, size}) => {
    const mapping = {containerId, hostId: start, size};
    containerId += size;
    return mapping;
  });
}

function planMappings(mappings: IdMap, owned: OwnedIds): PlannedIdMap | PlanRefusal {
  const planned = finish(mappings);
  if (!planned.ok) return planned;
  if (owned.allowRoot !== true && mappings.some(({hostId}) => hostId === 0)) return hostRootRefusal();
  const missing = mappings.flatMap(({hostId, size}) => {
    const answer = mayDelegate({ranges: meantRanges(owned), ownId: owned.ownId, start: hostId, count: size});
    return answer.ok ? [] : answer.missing;
  });
  if (missing.length === 0) return planned;
  const wanted = mappings.reduce((sum, {size}) => sum + size, 0);
  const ownedCount = countIds([...meantRanges(owned).map(toIdRange), {start: owned.ownId, size: 1}]);
  const why = `the outside ids ${formatRanges(missing)} are not granted; owned are ${formatRanges(usableRanges(owned, [])) || 'no subordinate ids'} and, on a line of its own, ${owned.ownId}`;
  return {ok: false, rule: 'plan-not-granted', wanted, owned: ownedCount, missing, why};
}

function noIdsRefusal(count: number): PlanRefusal {
  const why = `${count} ids are wanted, and a map has 1 or more`;
  return {
    ok: false,
    rule: 'plan-unwritable',
    problem: {line: 0, field: 'size', value: `${count}`, rule: 'no-ids', why},
    why,
  };
}

function hostRootRefusal(): PlanRefusal {
  return {ok: false, rule: 'plan-host-root', why: 'outside id 0 is host root and is never given to a namespace'};
}

function finish(map: IdMap): PlannedIdMap | PlanRefusal {
  const problem = findWriteProblem(map);
  if (problem !== undefined) return {ok: false, rule: 'plan-unwritable', problem, why: problem.why};
  return {ok: true, map, args: newidmapArgs(map), text: formatIdMap(map)};
}

/** The words of a map for newuidmap or newgidmap, to follow the pid: plain decimal, since newuidmap reads a leading 0 as octal. */
export function newidmapArgs(map: IdMap): string[] {
  return map.flatMap(({containerId, hostId, size}) => [String(containerId), String(hostId), String(size)]);
}

/** So that three such blocks and the node's own ids stay below 2^32. */
const MAX_BLOCK_SIZE = 2 ** 30;
/** As many as a whole machine has blocks of 65536: a bound for small ones. */
const MAX_BLOCKS = 65_536;

/** A run of ids inside the pseudo-host that one line of a pod's map may name as its outside. */
export interface PseudoHostBlock {
  /** First id inside the pseudo-host. */
  readonly start: number;
  readonly size: number;
  /** True when it is smaller than the block size asked for: a pod of it does not have the ids a pod should have. */
  readonly reduced: boolean;
}

/** The map of the outer namespace, and the blocks that pods can have in it. */
export type PseudoHostPlan = PlannedIdMap & {
  /** Ascending, disjoint, each inside ONE line of the map; never empty. Those that are not reduced have the size asked for and start at multiples of 65536 when it is one. */
  readonly blocks: readonly PseudoHostBlock[];
  /** The single block is smaller than asked for. */
  readonly reduced: boolean;
  /** Granted ids that the map leaves out, as outside ids, ascending: ends of ranges shorter than a block, and ranges beyond what one write holds. */
  readonly unused: readonly IdRange[];
};

/**
 * The map of an outer namespace that acts as the node: inside 0 is the own id, and from 65536 (or the block size, if that is more) on come the
 * granted ranges in ascending order, whole blocks only, one line per range; the smallest are left out when one write cannot hold all. So a
 * pod's single line `0 BLOCK SIZE` always lies inside one line of this map, as the kernel demands of a nested map. A grant smaller than one
 * block gives one `reduced` block: its largest range. Refused when nothing is granted (`plan-not-enough-ids`) and for a block size outside
 * 1…2^30 (`plan-block-size`). At most 65536 blocks. Never throws. Source: map_id_range_down(); facts §1.1 step 9.
 */
export function planPseudoHost(request: {
  readonly ownId: number;
  readonly ranges: OwnedIds['ranges'];
  /** Default 65536. */
  readonly blockSize?: number;
  readonly allowRoot?: boolean;
}): PseudoHostPlan | PlanRefusal {
  const {ownId, ranges, blockSize = BLOCK_SIZE, allowRoot = false} = request;
  if (ownId === 0 && !allowRoot) return hostRootRefusal();
  if (!Number.isInteger(blockSize) || blockSize < 1 || blockSize > MAX_BLOCK_SIZE) {
    const why = `a block of ${blockSize} ids cannot be: blocks have 1 to ${MAX_BLOCK_SIZE} ids`;
    return {ok: false, rule: 'plan-block-size', blockSize, why};
  }
  const own = {containerId: 0, hostId: ownId, size: 1};
  const from = Math.max(BLOCK_SIZE, blockSize);
  const free = usableRanges({ownId, ranges, allowRoot}, [{start: ownId, size: 1}]);
  const [largest] = [...free].sort((a, b) => b.size - a.size || a.start - b.start);
  if (largest === undefined) {
    const why = `a pod of ${blockSize} ids is wanted and no subordinate ids are granted, only the own id ${ownId}`;
    return {ok: false, rule: 'plan-not-enough-ids', wanted: blockSize + 1, owned: 1, why};
  }
  const whole = free.map(({start, size}) => ({start, size: size - (size % blockSize)})).filter(({size}) => size > 0);
  const reduced = whole.length === 0;
  const chosen = reduced ? [largest] : fitInOneWrite(whole, own, from, blockSize);
  const map = [own, ...layOut(chosen, from)];
  const planned = finish(map);
  if (!planned.ok) return planned;
  const blocks = reduced ? [{start: from, size: largest.size, reduced}] : wholeBlocks(map.slice(1), blockSize);
  return {...planned, blocks, reduced, unused: subtract(free, chosen)};
}

/** The largest ranges that fit in one write, below 2^32 and in 65536 blocks, ascending. */
function fitInOneWrite(
  ranges: readonly IdRange[],
  own: IdMapping,
  from: number,
  blockSize: number,
): readonly IdRange[] {
  let kept = [...ranges].sort((a, b) => b.size - a.size || a.start - b.start).slice(0, MAX_EXTENTS - 1);
  kept = withinIdSpace(kept, from, blockSize);
  for (;;) {
    const ascending = [...kept].sort((a, b) => a.start - b.start);
    if (kept.length <= 1 || findWriteProblem([own, ...layOut(ascending, from)]) === undefined) return ascending;
    kept.pop();
  }
}

function withinIdSpace(ranges: readonly IdRange[], from: number, blockSize: number): IdRange[] {
  let room = Math.min(INVALID_ID - from, MAX_BLOCKS * blockSize);
  return ranges.flatMap(({start, size}) => {
    const fitting = Math.min(size, room - (room % blockSize));
    room -= fitting;
    return fitting > 0 ? [{start, size: fitting}] : [];
  });
}

function wholeBlocks(map: IdMap, blockSize: number): readonly PseudoHostBlock[] {
  return map.flatMap(({containerId, size}) =>
    Array.from({length: size / blockSize}, (_, index) => ({
      start: containerId + index * blockSize,
      size: blockSize,
      reduced: false,
    })),
  );
}

/**
 * The blocks that a pod can have for uids and gids alike: same start, the smaller size of the two. Give it the blocks of the uid plan and of
 * the gid plan, made with the same block size.
 */
export function commonBlocks(
  uids: readonly PseudoHostBlock[],
  gids: readonly PseudoHostBlock[],
): readonly PseudoHostBlock[] {
  const gidBlocks = new Map(gids.map((block) => [block.start, block]));
  return uids.flatMap((uid) => {
    const gid = gidBlocks.get(uid.start);
    if (gid === undefined) return [];
    return [{start: uid.start, size: Math.min(uid.size, gid.size), reduced: uid.reduced || gid.reduced}];
  });
}
