import {formatRanges, type IdRange, subtract} from './id-range.ts';
import {INVALID_ID, MAX_ID} from './ids.ts';

/** The two generations of shadow whose reading of the files differs: 4.13 (Debian 12) and 4.20. */
export type ShadowVersion = '4.13' | '4.20';

/** A line of /etc/subuid or /etc/subgid: `count` ids from `start`, all below 2^32, delegated to `owner`. */
export interface SubordinateRange {
  /** As in the file: a login name or a number. */
  readonly owner: string;
  /** The uid that `owner` numbers for this version of shadow; absent when it is a name (or, on 4.13, `01500`). */
  readonly ownerId?: number;
  readonly start: number;
  readonly count: number;
  /** Counts from 1. */
  readonly line: number;
  /** The line grants nearly everything by a count that wraps around: newuidmap honours it, nobody meant it, and no plan uses it. */
  readonly wrapped?: true;
}

/** What the tools then do: skip the line, refuse the whole file, use the line but not all of its ids, never find an owner for it, or grant nearly everything. */
export type SubordinateEffect =
  | 'line ignored'
  | 'file refused'
  | 'ids unusable'
  | 'matches nobody'
  | 'grants more than it says';

/** `why` is a sentence; `value` is the offending text as it is in the file (make it `printable` before showing it). */
export interface SubordinateProblem {
  readonly line: number;
  readonly field: 'owner' | 'start' | 'count' | 'line' | 'file';
  readonly value: string;
  readonly why: string;
  readonly effect: SubordinateEffect;
}

/** What a file says, read by one version of shadow. */
export interface SubordinateIds {
  /** The lines that count, in file order. May overlap; count is at least 1. */
  readonly ranges: readonly SubordinateRange[];
  /** In file order, at most one per line. */
  readonly problems: readonly SubordinateProblem[];
}

/** Ids past this are folded or refused by everything that has 32-bit ids. */
const ID_LIMIT = 2 ** 32;
const MAX_LINE_BYTES = 1023;

/**
 * The ranges and the problems of the text of /etc/subuid or /etc/subgid, as newuidmap of that version of shadow reads it. A bad line never
 * spoils another, except that 4.20 refuses a whole file whose last line has no newline. Numbers are those of strtoul(…, 0): `0x186a0` and
 * `0303240` are 100000. On 4.13 the lines `anna:0:0` and `anna:3:-5` grant all ids from the first on, host root too (measured);
 * a problem tells so. Empty lines and those starting with `#` are no problem. Never throws.
 * Source: shadow lib/subordinateio.c and subuid(5); both versions measured (facts §7).
 */
export function parseSubordinateIds(text: string, options: {readonly shadow: ShadowVersion}): SubordinateIds {
  const lines = text.split('\n');
  const unfinished = lines.pop() ?? '';
  if (unfinished !== '') {
    if (options.shadow === '4.20') {
      const why = 'the last line has no newline at its end, and shadow 4.20 then refuses the whole file';
      const problem = {line: lines.length + 1, field: 'file', value: unfinished, why, effect: 'file refused'} as const;
      return {ranges: [], problems: [problem]};
    }
    lines.push(unfinished);
  }
  const ranges: SubordinateRange[] = [];
  const problems: SubordinateProblem[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const {range, problem} = parseLine(line, index + 1, options.shadow);
    if (range !== undefined) ranges.push(range);
    if (problem !== undefined) problems.push(problem);
  }
  return {ranges, problems};
}

interface ParsedLine {
  readonly range?: SubordinateRange;
  readonly problem?: SubordinateProblem;
}

function parseLine(text: string, line: number, shadow: ShadowVersion): ParsedLine {
  const ignored = (field: SubordinateProblem['field'], value: string, why: string): ParsedLine => ({
    problem: {line, field, value, why, effect: 'line ignored'},
  });
  if (utf8Length(text) > MAX_LINE_BYTES)
    return ignored('line', text, `the line is longer than ${MAX_LINE_BYTES} bytes`);
  const [owner, startText, countText, ...extra] = text.split(':');
  if (owner === undefined || owner === '') return ignored('owner', '', 'the owner is missing');
  const ownerFault = findOwnerFault(owner);
  if (ownerFault !== undefined) return ignored('owner', owner, ownerFault);
  if (startText === undefined || startText === '') return ignored('start', '', 'the first id is missing');
  if (countText === undefined || countText === '') return ignored('count', '', 'the count is missing');
  if (extra.length > 0 && shadow === '4.20')
    return ignored('line', text, `there are ${3 + extra.length} fields and shadow 4.20 takes 3`);
  const start = parseNumber(startText, shadow);
  if (start === undefined) return ignored('start', startText, numberFault(startText));
  const count = parseNumber(countText, shadow);
  if (count === undefined) return ignored('count', countText, numberFault(countText));
  const wrapsToAll = count === 0n && start === 0n && shadow === '4.13';
  if (count === 0n && !wrapsToAll) return ignored('count', countText, 'a count of 0 delegates nothing');
  if (start > BigInt(MAX_ID))
    return ignored('start', startText, isNegative(startText) ? NEGATIVE : `${start} is not an id: ids are 0-${MAX_ID}`);
  const end = wrapsToAll ? 2n ** 64n : start + count;
  if (end > BigInt(ID_LIMIT) && shadow === '4.20')
    return ignored('count', countText, `${count} ids from ${start} go past 2^32, which shadow 4.20 refuses`);
  if (end > 2n ** 64n)
    return ignored(
      'count',
      countText,
      isNegative(countText) ? NEGATIVE : `${count} ids from ${start} wrap around 2^64 and hold nothing`,
    );
  const ownerId = numericOwner(owner, shadow);
  const range = {
    owner,
    ...(ownerId === undefined ? {} : {ownerId}),
    start: Number(start),
    count: Number(end < ID_LIMIT ? count : BigInt(ID_LIMIT) - start),
    line,
    ...(wrapsToAll || isNegative(countText) ? {wrapped: true as const} : {}),
  };
  const problem = findRangeProblem(range, countText);
  return problem === undefined ? {range} : {range, problem: {line, ...problem}};
}

const NEGATIVE = 'the number is negative';

function isNegative(text: string): boolean {
  return text.trimStart().startsWith('-');
}

/** What is odd about a line that counts all the same. */
function findRangeProblem(range: SubordinateRange, countText: string): Omit<SubordinateProblem, 'line'> | undefined {
  const {owner, ownerId, start, count, wrapped} = range;
  if (ownerId === undefined && /^[0-9]+$/.test(owner)) {
    const why = `"${owner}" is no login name, and ${ownerWhy(owner)}`;
    return {field: 'owner', value: owner, why, effect: 'matches nobody'};
  }
  if (wrapped === true) {
    const why = `shadow 4.13 wraps the count ${countText.trim()} around: the line grants every id from ${start} on`;
    return {field: 'count', value: countText, why, effect: 'grants more than it says'};
  }
  if (start + count > INVALID_ID) {
    const why = 'the range reaches 4294967295, which is (uid_t)-1 and no id: nothing from there on can be mapped';
    return {field: 'count', value: countText, why, effect: 'ids unusable'};
  }
  return undefined;
}

function ownerWhy(owner: string): string {
  return Number(owner) > MAX_ID
    ? `as a number it is past the last uid, ${MAX_ID}`
    : `shadow 4.13 compares numbers as text: write ${Number(owner)}`;
}

/** The file has no groups, wildcards or NIS markers, and spaces are part of the name. */
function findOwnerFault(owner: string): string | undefined {
  if (/\s/.test(owner)) return 'there is white space in the owner, and it counts as part of the name';
  if (/^[+-]/.test(owner)) return `"${owner[0]}" marks a line of NIS, which is skipped`;
  if (/^[%@*]/.test(owner)) return `"${owner[0]}" has no meaning here: only login names and uids own ranges`;
  return undefined;
}

function numericOwner(owner: string, shadow: ShadowVersion): number | undefined {
  if (!/^[0-9]+$/.test(owner)) return undefined;
  if (shadow === '4.13' && owner.length > 1 && owner.startsWith('0')) return undefined;
  const id = Number(owner);
  return id <= MAX_ID ? id : undefined;
}

/**
 * strtoul(3) with base 0 on the whole text: white space and a sign in front, then decimal, 0x hexadecimal or 0 octal, below 2^64.
 * 4.13 lets strtoul wrap a negative number to 2^64 minus it; 4.20 refuses it.
 */
function parseNumber(text: string, shadow: ShadowVersion): bigint | undefined {
  const match =
    /^[ \t\n\v\f\r]*(?<sign>[+-]?)(?:0[xX](?<hex>[0-9a-fA-F]+)|0(?<octal>[0-7]*)|(?<decimal>[1-9][0-9]*))$/.exec(text);
  if (match?.groups === undefined) return undefined;
  const {sign, hex, octal, decimal} = match.groups;
  const value =
    hex !== undefined ? BigInt(`0x${hex}`) : octal !== undefined ? BigInt(`0o0${octal}`) : BigInt(decimal ?? '0');
  if (value >= 2n ** 64n || (sign === '-' && shadow === '4.20')) return undefined;
  return sign === '-' && value > 0n ? 2n ** 64n - value : value;
}

function numberFault(text: string): string {
  if (text.endsWith('\r')) return 'the line ends with a carriage return (CRLF)';
  if (/\s$/.test(text)) return 'there is white space behind the number';
  if (/#/.test(text)) return 'a comment cannot follow on the same line';
  if (isNegative(text)) return NEGATIVE;
  if (/^\s*0[0-9]+$/.test(text)) return 'a number with a leading 0 is octal and has no digit above 7';
  if (/^\s*\+?(?:0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text)) return 'the number is past 2^64';
  return `"${text}" is not a number`;
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

/** A user as the passwd database tells: the login name, its uid, and other login names with the same uid. */
export interface SubordinateOwner {
  readonly name: string;
  readonly uid: number;
  readonly aliases?: readonly string[];
}

/**
 * The ranges that newuidmap lets this user use, both for subuid and subgid (owners are users in both): first the lines with exactly that
 * name, then those that name or number the same uid; each part in file order. Source: shadow find_range(); facts §7.
 */
export function rangesOf(ranges: readonly SubordinateRange[], user: SubordinateOwner): readonly SubordinateRange[] {
  const {name, uid, aliases = []} = user;
  const byName = ranges.filter((range) => range.owner === name);
  const byUid = ranges.filter(
    (range) => range.owner !== name && (range.ownerId === uid || aliases.includes(range.owner)),
  );
  return [...byName, ...byUid];
}

/** The question that newuidmap answers. */
export interface Delegation {
  /** What the user was given, as `rangesOf` returns it. */
  readonly ranges: readonly Pick<SubordinateRange, 'start' | 'count'>[];
  /** The real uid (subuid) or real gid (subgid) of the user: it may map this one without any line. */
  readonly ownId: number;
  readonly start: number;
  readonly count: number;
}

/** By which right the range may be mapped, or why it may not. */
export type DelegationAnswer =
  | {readonly ok: true; readonly by: 'subordinate' | 'own-id'}
  | {
      readonly ok: false;
      readonly rule: 'range-empty' | 'range-overflow' | 'range-not-granted';
      /** The ids that nobody granted, ascending; empty for the other two rules. */
      readonly missing: readonly IdRange[];
    };

/**
 * Whether newuidmap or newgidmap lets the user map `count` outside ids from `start`: all of them covered by the user's ranges, where
 * adjacent and overlapping ones are joined in any order, or the own id alone. Never throws. Source: shadow src/newuidmap.c verify_range(),
 * have_range(); facts §7.
 */
export function mayDelegate(delegation: Delegation): DelegationAnswer {
  const {ranges, ownId, start, count} = delegation;
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || start > MAX_ID || start + count > INVALID_ID)
    return {ok: false, rule: 'range-overflow', missing: []};
  if (count < 1) return {ok: false, rule: 'range-empty', missing: []};
  const missing = subtract([{start, size: count}], ranges.map(toIdRange));
  if (missing.length === 0) return {ok: true, by: 'subordinate'};
  if (count === 1 && start === ownId) return {ok: true, by: 'own-id'};
  return {ok: false, rule: 'range-not-granted', missing};
}

/** The range without its owner, in the words of the id-range functions. */
export function toIdRange(range: Pick<SubordinateRange, 'start' | 'count'>): IdRange {
  return {start: range.start, size: range.count};
}

/** Ids that two owners were given; `first` is on the earlier line. newuidmap allows it, and the two can then act on each other's pods. */
export interface SubordinateConflict {
  readonly first: SubordinateRange;
  readonly second: SubordinateRange;
  readonly start: number;
  readonly count: number;
  /** A sentence with both owners, lines and the shared ids. */
  readonly why: string;
}

/**
 * Every pair of ranges of different owners that share ids, by line. Owners are compared as text and by number, so pass `isSameOwner` to
 * know that `anna` and `1000` are one. Empty when there is none.
 */
export function findSubordinateConflicts(
  ranges: readonly SubordinateRange[],
  isSameOwner: (a: SubordinateRange, b: SubordinateRange) => boolean = hasSameOwner,
): readonly SubordinateConflict[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  const conflicts: SubordinateConflict[] = [];
  for (const [index, low] of sorted.entries()) {
    for (let next = index + 1; next < sorted.length; next += 1) {
      const high = sorted[next];
      if (high === undefined || high.start >= low.start + low.count) break;
      if (isSameOwner(low, high)) continue;
      const [first, second] = low.line <= high.line ? [low, high] : [high, low];
      const {start} = high;
      const count = Math.min(low.start + low.count, high.start + high.count) - start;
      const ids = formatRanges([{start, size: count}]);
      const why = `line ${first.line} (${first.owner}) and line ${second.line} (${second.owner}) both grant ${ids}`;
      conflicts.push({first, second, start, count, why});
    }
  }
  return conflicts.sort((a, b) => a.first.line - b.first.line || a.second.line - b.second.line);
}

function hasSameOwner(a: SubordinateRange, b: SubordinateRange): boolean {
  return a.owner === b.owner || (a.ownerId !== undefined && a.ownerId === b.ownerId);
}
