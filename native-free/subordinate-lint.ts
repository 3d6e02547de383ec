import {formatRanges} from './id-range.ts';
import {BLOCK_SIZE, INVALID_ID} from './ids.ts';
import {
  parseSubordinateIds,
  type ShadowVersion,
  type SubordinateIds,
  type SubordinateProblem,
  type SubordinateRange,
} from './subordinate-ids.ts';

export type SubordinateLintRule =
  | 'subid-syntax'
  | 'subid-version-difference'
  | 'subid-final-newline'
  | 'subid-wraps'
  | 'subid-past-32-bit'
  | 'subid-reaches-last-id'
  | 'subid-number-notation'
  | 'subid-overlap'
  | 'subid-duplicate'
  | 'subid-host-ids'
  | 'subid-covers-account'
  | 'subid-small'
  | 'subid-owner-unknown'
  | 'subid-owner-numeric'
  | 'subid-kubelet-pool'
  | 'subid-files-differ';

/** One thing that is wrong or odd in a file. Line and columns count from 1; `endColumn` is one past the last character. */
export interface SubordinateLintFinding {
  readonly rule: SubordinateLintRule;
  /** Worse than the rule usually is. */
  readonly severe?: boolean;
  readonly line: number;
  readonly column: number;
  readonly endColumn?: number;
  readonly message: string;
  readonly mend: string;
}

/** An account of the machine: a login name with its uid, or for subgid a group with its gid. */
export interface KnownAccount {
  readonly name: string;
  readonly id: number;
}

export interface SubordinateLintOptions {
  /** Judge by one version of shadow; without it by both, and where they differ that is told. */
  readonly shadow?: ShadowVersion;
  /** Users by uid; owners are users in both files. Without them owners are not looked up. */
  readonly users?: readonly KnownAccount[];
  /** Those whose ids the ranges must not cover: users for subuid, groups for subgid. */
  readonly taken?: readonly KnownAccount[];
}

/**
 * What is wrong in the text of /etc/subuid or /etc/subgid, in file order. Pure, and linear in the size of the file but for sorting.
 * Never throws. Source: shadow lib/subordinateio.c, subuid(5), measured on 4.13 and 4.20; KEP-127 for what a kubelet takes.
 */
export function lintSubordinateIds(
  text: string,
  options: SubordinateLintOptions = {},
): readonly SubordinateLintFinding[] {
  const lines = text.split('\n');
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const readings = readBoth(whole, options.shadow);
  const {ranges} = readings.lenient;
  return [
    ...finalNewline(text, lines, options.shadow),
    ...problems(readings, lines),
    ...notation(ranges, lines),
    ...overlaps(ranges, lines, sameOwner(options.users)),
    ...hostIds(ranges, lines),
    ...accounts(ranges, lines, options.taken ?? []),
    ...small(ranges, lines),
    ...owners(ranges, lines, options.users),
    ...kubeletPool(ranges, lines),
  ].sort((a, b) => a.line - b.line || a.column - b.column);
}

interface Readings {
  /** As 4.13 reads it, which takes more lines; as the version asked for when there is one. */
  readonly lenient: SubordinateIds;
  readonly old: SubordinateIds | undefined;
  readonly new: SubordinateIds | undefined;
}

function readBoth(text: string, shadow: ShadowVersion | undefined): Readings {
  const old = shadow === '4.20' ? undefined : parseSubordinateIds(text, {shadow: '4.13'});
  const recent = shadow === '4.13' ? undefined : parseSubordinateIds(text, {shadow: '4.20'});
  return {lenient: old ?? recent ?? {ranges: [], problems: []}, old, new: recent};
}

const plainLine = 'write `owner:first:count` in plain decimal, without spaces';

function finalNewline(
  text: string,
  lines: readonly string[],
  shadow: ShadowVersion | undefined,
): SubordinateLintFinding[] {
  const last = lines.at(-1) ?? '';
  if (last === '' || shadow === '4.13') return [];
  return [
    {
      rule: 'subid-final-newline',
      line: lines.length,
      column: last.length + 1,
      message: `the last line has no newline at its end: shadow 4.20 then refuses the whole file, ${text.split('\n').length === 1 ? 'this line' : 'every line of it'}`,
      mend: 'end the file with a newline: `echo >> FILE`',
    },
  ];
}

/** Where a field of a line stands. */
function fieldMark(
  lines: readonly string[],
  line: number,
  field: SubordinateProblem['field'],
): Pick<SubordinateLintFinding, 'line' | 'column' | 'endColumn'> {
  const text = (lines[line - 1] ?? '').replace(/\r$/, '');
  const parts = text.split(':');
  const index = {owner: 0, start: 1, count: 2}[field as 'owner' | 'start' | 'count'];
  if (index === undefined || parts[index] === undefined) return span(line, 1, text.length + 1);
  const column = parts.slice(0, index).reduce((sum, part) => sum + part.length + 1, 1);
  return span(line, column, column + parts[index].length);
}

function span(
  line: number,
  column: number,
  endColumn: number,
): Pick<SubordinateLintFinding, 'line' | 'column' | 'endColumn'> {
  return endColumn > column ? {line, column, endColumn} : {line, column};
}

/** All of a line's range: first id and count. */
export function rangeMark(
  lines: readonly string[],
  line: number,
): Pick<SubordinateLintFinding, 'line' | 'column' | 'endColumn'> {
  const start = fieldMark(lines, line, 'start');
  const count = fieldMark(lines, line, 'count');
  return span(line, start.column, count.endColumn ?? count.column);
}

function problems({old, new: recent}: Readings, lines: readonly string[]): SubordinateLintFinding[] {
  const byLine = (ids: SubordinateIds | undefined) => new Map((ids?.problems ?? []).map((each) => [each.line, each]));
  const before = byLine(old);
  const after = byLine(recent);
  const numbers = [...new Set([...before.keys(), ...after.keys()])];
  return numbers.flatMap((line) => {
    const found = judge(before.get(line), after.get(line), old !== undefined && recent !== undefined);
    if (!found) return [];
    const {problem, ...finding} = found;
    return [{...finding, ...fieldMark(lines, line, problem.field)}];
  });
}

interface Judged {
  readonly rule: SubordinateLintRule;
  readonly problem: SubordinateProblem;
  readonly message: string;
  readonly mend: string;
}

/** One finding for what the two versions make of a line. */
function judge(
  old: SubordinateProblem | undefined,
  recent: SubordinateProblem | undefined,
  both: boolean,
): Judged | undefined {
  const problem = old ?? recent;
  if (!problem) return undefined;
  const {why} = problem;
  if (old?.effect === 'grants more than it says') {
    const mend = 'write the count that is meant, from 1 up: until then the owner can map the ids of everybody';
    return {rule: 'subid-wraps', problem: old, message: why, mend};
  }
  if (problem.effect === 'ids unusable') {
    return {
      rule: recent !== undefined && recent.effect === 'line ignored' ? 'subid-past-32-bit' : 'subid-reaches-last-id',
      problem,
      message: recent?.effect === 'line ignored' ? recent.why : why,
      mend: `let the range end at ${INVALID_ID - 1} at the latest`,
    };
  }
  if (recent?.effect === 'line ignored' && /2\^32/.test(recent.why)) {
    return {
      rule: 'subid-past-32-bit',
      problem: recent,
      message: recent.why,
      mend: `let the range end at ${INVALID_ID - 1} at the latest`,
    };
  }
  if (both && (old === undefined || recent === undefined)) {
    const [does, other] = old === undefined ? ['4.20', '4.13'] : ['4.13', '4.20'];
    return {
      rule: 'subid-version-difference',
      problem,
      message: `shadow ${does} does not take this line as ${other} does: ${why} (${problem.effect})`,
      mend: plainLine,
    };
  }
  if (problem.effect === 'matches nobody') {
    return {rule: 'subid-owner-unknown', problem, message: why, mend: 'write the login name of the owner'};
  }
  return {rule: 'subid-syntax', problem, message: `${why}: the line is ignored`, mend: plainLine};
}

function notation(ranges: readonly SubordinateRange[], lines: readonly string[]): SubordinateLintFinding[] {
  return ranges.flatMap(({line, start, count, wrapped}) =>
    (['start', 'count'] as const).flatMap((field) => {
      const mark = fieldMark(lines, line, field);
      const text = (lines[line - 1] ?? '').slice(mark.column - 1, (mark.endColumn ?? mark.column) - 1);
      if (wrapped === true || /^(0|[1-9][0-9]*)$/.test(text)) return [];
      const value = field === 'start' ? start : count;
      const kind = /^\s*\+?0[xX]/.test(text)
        ? 'hexadecimal'
        : /^\s*\+?0[0-7]+$/.test(text)
          ? 'octal'
          : 'with more than digits';
      return [
        {
          rule: 'subid-number-notation' as const,
          ...mark,
          message: `${JSON.stringify(text)} is ${kind === 'with more than digits' ? `a number ${kind}` : kind}: shadow takes it for ${value}, and other readers do not`,
          mend: `write ${value} when that is meant`,
        },
      ];
    }),
  );
}

type SameOwner = (a: SubordinateRange, b: SubordinateRange) => boolean;

/** `anna` and `1000` are one when the accounts say so. */
function sameOwner(users: readonly KnownAccount[] | undefined): SameOwner {
  const uids = new Map((users ?? []).map(({name, id}) => [name, id]));
  const keyOf = ({owner, ownerId}: SubordinateRange) => ownerId ?? uids.get(owner) ?? owner;
  return (a, b) => keyOf(a) === keyOf(b);
}

function overlaps(
  ranges: readonly SubordinateRange[],
  lines: readonly string[],
  isSame: SameOwner,
): SubordinateLintFinding[] {
  const sorted = ranges.filter(({wrapped}) => wrapped !== true).sort((a, b) => a.start - b.start || a.line - b.line);
  const end = ({start, count}: SubordinateRange) => start + count;
  const findings: SubordinateLintFinding[] = [];
  // The range that reaches furthest so far, and the one that does among those of other owners: enough to see whether the next is free.
  let far: SubordinateRange | undefined;
  let other: SubordinateRange | undefined;
  for (const range of sorted) {
    const covering = [far, other].filter((each) => each !== undefined && end(each) > range.start);
    const before = covering.find((each) => each !== undefined && !isSame(each, range)) ?? covering[0];
    if (before) findings.push(overlapOf(before, range, lines, isSame(before, range)));
    if (!far || end(range) > end(far)) {
      if (far && !isSame(far, range)) other = far;
      far = range;
    } else if (!isSame(far, range) && (!other || end(range) > end(other))) other = range;
  }
  return findings;
}

function overlapOf(
  before: SubordinateRange,
  range: SubordinateRange,
  lines: readonly string[],
  isSame: boolean,
): SubordinateLintFinding {
  const [first, second] = before.line < range.line ? [before, range] : [range, before];
  const last = Math.min(before.start + before.count, range.start + range.count);
  const shared = formatRanges([{start: range.start, size: last - range.start}]);
  const at = rangeMark(lines, second.line);
  if (isSame) {
    return {
      rule: 'subid-duplicate',
      ...at,
      message: `${second.owner} has ${shared} already, from line ${first.line}`,
      mend: 'keep one of the two lines',
    };
  }
  return {
    rule: 'subid-overlap',
    ...at,
    message: `${second.owner} and ${first.owner} (line ${first.line}) are both granted ${shared}: each can then act on the files and processes of the other's pods`,
    mend: `give ${second.owner} a range of its own`,
  };
}

function hostIds(ranges: readonly SubordinateRange[], lines: readonly string[]): SubordinateLintFinding[] {
  return ranges
    .filter(({start, wrapped}) => start < BLOCK_SIZE && wrapped !== true)
    .map(({owner, start, count, line}) => {
      const ids = formatRanges([{start, size: Math.min(count, BLOCK_SIZE - start)}]);
      return {
        rule: 'subid-host-ids' as const,
        ...(start === 0 ? {severe: true} : {}),
        ...rangeMark(lines, line),
        message:
          start === 0
            ? `${owner} is granted host id 0: a user namespace of ${owner} can have the node's root in it`
            : `${owner} is granted ${ids}, ids of the host's own users and system accounts`,
        mend: `begin at ${BLOCK_SIZE} or above, as useradd does (100000)`,
      };
    });
}

function accounts(
  ranges: readonly SubordinateRange[],
  lines: readonly string[],
  taken: readonly KnownAccount[],
): SubordinateLintFinding[] {
  const sorted = [...taken].sort((a, b) => a.id - b.id);
  return ranges.flatMap(({owner, start, count, line, wrapped}) => {
    if (wrapped === true) return [];
    const inside = sorted.filter(({name, id}) => id >= start && id < start + count && !(count === 1 && name === owner));
    const [first] = inside;
    if (!first) return [];
    const others = inside.length > 1 ? ` and ${inside.length - 1} more` : '';
    return [
      {
        rule: 'subid-covers-account' as const,
        ...rangeMark(lines, line),
        message: `the ids of ${owner} include ${first.id}, which is ${first.name}${others}: a pod of ${owner} can act as that account`,
        mend: 'move the range to ids that no account has',
      },
    ];
  });
}

function small(ranges: readonly SubordinateRange[], lines: readonly string[]): SubordinateLintFinding[] {
  const totals = new Map<string, {count: number; line: number}>();
  for (const {owner, count, line} of ranges) {
    const before = totals.get(owner);
    totals.set(owner, {count: (before?.count ?? 0) + count, line: before?.line ?? line});
  }
  return [...totals]
    .filter(([, {count}]) => count < BLOCK_SIZE)
    .map(([owner, {count, line}]) => ({
      rule: 'subid-small' as const,
      ...fieldMark(lines, line, 'count'),
      message: `${owner} has ${count} ids, and a pod takes ${BLOCK_SIZE}: ids such as 65534 (nobody) do not exist in its containers`,
      mend: `grant ${BLOCK_SIZE} or a multiple of it`,
    }));
}

/** podman's `--userns=auto` takes from a line of this name, which need not be an account. Source: containers-storage.conf(5). */
const noAccountNeeded: ReadonlySet<string> = new Set(['containers']);

function owners(
  ranges: readonly SubordinateRange[],
  lines: readonly string[],
  users: readonly KnownAccount[] | undefined,
): SubordinateLintFinding[] {
  const names = new Set((users ?? []).map(({name}) => name));
  const ids = new Map((users ?? []).map(({name, id}) => [id, name]));
  return ranges.flatMap(({owner, ownerId, line}): SubordinateLintFinding[] => {
    const at = fieldMark(lines, line, 'owner');
    if (users && !names.has(owner) && !noAccountNeeded.has(owner) && (ownerId === undefined || !ids.has(ownerId))) {
      return [
        {
          rule: 'subid-owner-unknown',
          ...at,
          message: `there is no account ${owner}: nobody gets these ids, and an account of that name made later would`,
          mend: 'remove the line, or make the account',
        },
      ];
    }
    if (ownerId === undefined) return [];
    const name = ids.get(ownerId);
    return [
      {
        rule: 'subid-owner-numeric',
        ...at,
        message: `the owner is a number${name === undefined ? '' : ` (${name})`}: newuidmap takes it, and usermod and useradd do not see it`,
        mend: `write ${name ?? 'the login name'}`,
      },
    ];
  });
}

/** Without a range of its own a kubelet takes blocks from everything above the first 65536 ids. Source: KEP-127; userns_manager.go, 1.36. */
function kubeletPool(ranges: readonly SubordinateRange[], lines: readonly string[]): SubordinateLintFinding[] {
  if (ranges.some(({owner}) => owner === 'kubelet')) return [];
  const inPool = ranges.filter(({start, count, wrapped}) => wrapped !== true && start + count > BLOCK_SIZE);
  const [first] = inPool;
  if (!first) return [];
  const names = [...new Set(inPool.map(({owner}) => owner))];
  return [
    {
      rule: 'subid-kubelet-pool',
      ...rangeMark(lines, first.line),
      message: `a kubelet on this machine would take the ids of its pods from all above 65535, those of ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''} included`,
      mend: 'where a kubelet runs, give account kubelet a range of its own in both files, such as `kubelet:1879048192:7208960`',
    },
  ];
}

/** What differs between subuid and subgid, told at the lines of `text` (one of the two). `kubelet` is severe: it does not start then. */
export function lintSubordinatePair(
  text: string,
  other: string,
  names: {readonly here: string; readonly there: string},
): readonly SubordinateLintFinding[] {
  const read = (each: string) => parseSubordinateIds(each.endsWith('\n') ? each : `${each}\n`, {shadow: '4.13'}).ranges;
  const lines = text.split('\n');
  const here = groupByOwner(read(text));
  const there = groupByOwner(read(other));
  const missing = [...there.keys()].filter((owner) => !here.has(owner));
  const findings = [...here].flatMap(([owner, ranges]): SubordinateLintFinding[] => {
    const [first] = ranges;
    const rest = there.get(owner) ?? [];
    if (!first || shown(ranges) === shown(rest)) return [];
    return [
      {
        rule: 'subid-files-differ',
        ...(owner === 'kubelet' ? {severe: true} : {}),
        ...rangeMark(lines, first.line),
        message: `${owner} has ${shown(ranges)} here and ${rest.length === 0 ? 'nothing' : shown(rest)} in ${names.there}${owner === 'kubelet' ? ': a kubelet does not start then' : ''}`,
        mend: 'give the owner the same range in both files',
      },
    ];
  });
  return [
    ...findings,
    ...missing.map(
      (owner): SubordinateLintFinding => ({
        rule: 'subid-files-differ',
        ...(owner === 'kubelet' ? {severe: true} : {}),
        line: 1,
        column: 1,
        message: `${owner} has ${shown(there.get(owner) ?? [])} in ${names.there} and nothing here${owner === 'kubelet' ? ': a kubelet does not start then' : ''}`,
        mend: 'give the owner the same range in both files',
      }),
    ),
  ];
}

function groupByOwner(ranges: readonly SubordinateRange[]): ReadonlyMap<string, readonly SubordinateRange[]> {
  const groups = new Map<string, SubordinateRange[]>();
  for (const range of ranges) {
    const group = groups.get(range.owner);
    if (group) group.push(range);
    else groups.set(range.owner, [range]);
  }
  return groups;
}

const shown = (ranges: readonly SubordinateRange[]): string =>
  ranges
    .map(({start, count}) => `${start}:${count}`)
    .sort()
    .join(', ');

/** The accounts of the text of /etc/passwd or /etc/group: name and id, the first and third field. Lines that are neither are left out. */
export function parseAccounts(text: string): readonly KnownAccount[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = ''] = line.split(':');
    return name !== '' && /^[0-9]{1,10}$/.test(id) && !/^[#+-]/.test(name) ? [{name, id: Number(id)}] : [];
  });
}
