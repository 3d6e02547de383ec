import {printable} from '../../native-free/errors.ts';
import {hostRanges, type IdMap} from '../../native-free/id-map.ts';
import {formatRanges, type IdRange, intersect, normalizeRanges} from '../../native-free/id-range.ts';
import {INVALID_ID} from '../../native-free/ids.ts';
import {
  findSubordinateConflicts,
  parseSubordinateIds,
  type SubordinateProblem,
  type SubordinateRange,
  toIdRange,
} from '../../native-free/subordinate-ids.ts';
import type {IdSpaceFacts, LedgerBlock, LiveNamespace} from './facts.ts';
import {type KnownPool, knownPools} from './known-pools.ts';
import {shellWord} from './shell-word.ts';

export type IdKind = 'uid' | 'gid';

export type ConflictRule =
  | 'subid-overlap'
  | 'subid-covers-real-uid'
  | 'subid-covers-real-gid'
  | 'subid-owner-unknown'
  | 'range-touches-uint32-max'
  | 'range-overflows-u32'
  | 'pool-overlap'
  | 'live-namespace-foreign-range';

/** Two claims on the same ids, or one that cannot be. `why` and `mend` are sentences without a full stop, safe to print. */
export interface IdConflict {
  readonly rule: ConflictRule;
  readonly kind: IdKind;
  /** The ids in question, ascending. */
  readonly ids: readonly IdRange[];
  readonly owners: readonly string[];
  readonly why: string;
  readonly mend: string;
}

/** One id line, user or group ids: who claims what. */
export interface IdLine {
  readonly accounts: readonly {readonly name: string; readonly id: number}[];
  readonly subordinate: readonly SubordinateRange[];
  readonly problems: readonly SubordinateProblem[];
  readonly namespaces: readonly {readonly namespace: LiveNamespace; readonly ranges: readonly IdRange[]}[];
}

export interface IdSpace {
  readonly uid: IdLine;
  readonly gid: IdLine;
  readonly blocks: readonly LedgerBlock[];
  readonly pools: readonly KnownPool[];
  readonly conflicts: readonly IdConflict[];
}

/** Accounts whose subordinate ranges exist to be used by root's tools. */
const sharedOwners: ReadonlySet<string> = new Set([
  'root',
  'kubelet',
  'subroot',
  'containers',
  'dockremap',
  'incus',
  'lxd',
]);

/** Who claims which ids, and which claims collide. Pure: facts in, judgement out. */
export function judgeIdSpace(facts: IdSpaceFacts): IdSpace {
  const users = facts.accounts.map(({name, uid}) => ({name, id: uid}));
  const groups = facts.groups.map(({name, gid}) => ({name, id: gid}));
  const uid = lineOf('uid', users, facts);
  const gid = lineOf('gid', groups, facts);
  const pools = knownPools(facts);
  const conflicts = [...judgeLine('uid', uid, facts, pools), ...judgeLine('gid', gid, facts, pools)];
  return {uid, gid, blocks: facts.ledger.blocks, pools, conflicts};
}

function lineOf(kind: IdKind, accounts: IdLine['accounts'], facts: IdSpaceFacts): IdLine {
  const text = (kind === 'uid' ? facts.subuid : facts.subgid).text ?? '';
  // The lenient reading: a line that one version of shadow ignores still says what its writer wanted.
  const {ranges, problems} = parseSubordinateIds(text, {shadow: '4.13'});
  const namespaces = facts.live.map((namespace) => ({
    namespace,
    ranges: namedHostRanges(kind === 'uid' ? namespace.uidMap : namespace.gidMap),
  }));
  return {accounts, subordinate: ranges, problems, namespaces};
}

/** The ids of a map that have a name in our namespace. */
export function namedHostRanges(map: IdMap): readonly IdRange[] {
  return normalizeRanges(hostRanges(map.filter((line) => line.hostId !== INVALID_ID)));
}

function judgeLine(kind: IdKind, line: IdLine, facts: IdSpaceFacts, pools: readonly KnownPool[]): IdConflict[] {
  const file = kind === 'uid' ? facts.subuid.path : facts.subgid.path;
  return [
    ...overlaps(kind, line, facts, file),
    ...unmappable(kind, line, file),
    ...coveredAccounts(kind, line, file),
    ...unknownOwners(kind, line, facts, file),
    ...blockOverlaps(kind, line, facts, pools, file),
    ...foreignNamespaces(kind, line, facts, file),
  ];
}

function uidOfOwner(range: SubordinateRange, facts: IdSpaceFacts): number | string {
  return facts.accounts.find((account) => account.name === range.owner)?.uid ?? range.ownerId ?? range.owner;
}

function overlaps(kind: IdKind, line: IdLine, facts: IdSpaceFacts, file: string): IdConflict[] {
  const isSameOwner = (a: SubordinateRange, b: SubordinateRange) => uidOfOwner(a, facts) === uidOfOwner(b, facts);
  return findSubordinateConflicts(line.subordinate, isSameOwner).map(({first, second, start, count}) => {
    const ids = [{start, size: count}];
    const owners = [printable(first.owner), printable(second.owner)];
    return {
      rule: 'subid-overlap',
      kind,
      ids,
      owners,
      why: `${file} lines ${first.line} (${owners[0]}) and ${second.line} (${owners[1]}) both grant ${formatRanges(ids)}: each can act on the other's containers`,
      mend: `give one of them other ids: \`usermod ${removal(kind, second)} ${shellWord(second.owner)}\`, then add a free range`,
    };
  });
}

function removal(kind: IdKind, range: SubordinateRange): string {
  return `--del-sub${kind}s ${range.start}-${range.start + range.count - 1}`;
}

function unmappable(kind: IdKind, line: IdLine, file: string): IdConflict[] {
  return line.subordinate.flatMap((range) => {
    const end = range.start + range.count;
    if (end <= INVALID_ID) return [];
    const problem = line.problems.find((each) => each.line === range.line && each.effect === 'ids unusable');
    const count = problem === undefined ? range.count : numberOf(problem.value);
    const overflows = range.start + count > 2 ** 32;
    const owner = printable(range.owner);
    const upTo = INVALID_ID - range.start;
    return [
      {
        rule: overflows ? 'range-overflows-u32' : 'range-touches-uint32-max',
        kind,
        ids: [{start: range.start, size: range.count}],
        owners: [owner],
        why: overflows
          ? `${file} line ${range.line} (${owner}): ${printable(problem?.value ?? '')} ids from ${range.start} go past 2^32; 32-bit arithmetic wraps them to host id 0`
          : `${file} line ${range.line} (${owner}) reaches 4294967295, which is (uid_t)-1 and can never be mapped`,
        mend: `shorten the line to ${owner}:${range.start}:${upTo}`,
      } satisfies IdConflict,
    ];
  });
}

function numberOf(text: string): number {
  return Number(/^0[0-7]+$/.test(text) ? `0o${text}` : text);
}

function coveredAccounts(kind: IdKind, line: IdLine, file: string): IdConflict[] {
  return line.subordinate.flatMap((range) => {
    const covered = line.accounts.filter(({id}) => id >= range.start && id < range.start + range.count);
    if (covered.length === 0) return [];
    const names = covered.slice(0, 5).map(({name, id}) => `${printable(name)} (${id})`);
    const more = covered.length > 5 ? ` and ${covered.length - 5} more` : '';
    const owner = printable(range.owner);
    const what = kind === 'uid' ? 'account' : 'group';
    const ranges = normalizeRanges(covered.map(({id}) => ({start: id, size: 1})));
    return [
      {
        rule: kind === 'uid' ? 'subid-covers-real-uid' : 'subid-covers-real-gid',
        kind,
        ids: ranges,
        owners: [owner, ...covered.slice(0, 5).map(({name}) => printable(name))],
        why: `${file} line ${range.line} lets ${owner} act as the real ${what}${covered.length === 1 ? '' : 's'} ${names.join(', ')}${more}`,
        mend: `\`usermod ${removal(kind, range)} ${shellWord(range.owner)}\`, then add a range without real ${what}s`,
      } satisfies IdConflict,
    ];
  });
}

function unknownOwners(kind: IdKind, line: IdLine, facts: IdSpaceFacts, file: string): IdConflict[] {
  const isKnown = (range: SubordinateRange) =>
    facts.accounts.some(({name, uid}) => name === range.owner || uid === range.ownerId);
  return line.subordinate
    .filter((range) => !isKnown(range))
    .map((range) => {
      const owner = printable(range.owner);
      return {
        rule: 'subid-owner-unknown',
        kind,
        ids: [toIdRange(range)],
        owners: [owner],
        why: `${file} line ${range.line} grants ids to "${owner}", and there is no such account: shadow 4.20 and later finds no range for it`,
        mend: `create the account (\`useradd --system --no-create-home ${shellWord(range.owner)}\`), or remove the line`,
      };
    });
}

function blockOverlaps(
  kind: IdKind,
  line: IdLine,
  facts: IdSpaceFacts,
  pools: readonly KnownPool[],
  file: string,
): IdConflict[] {
  const {blocks, ownerUid} = facts.ledger;
  const ours = blocks.map(({first, size}) => ({start: first, size}));
  const conflict = (ids: readonly IdRange[], owner: string, why: string): IdConflict[] =>
    ids.length === 0
      ? []
      : [
          {
            rule: 'pool-overlap',
            kind,
            ids,
            owners: ['subroot', owner],
            why: `blocks of subroot (${formatRanges(ids)}) ${why}`,
            mend: 'remove those pods and start them with a pool of their own (give account kubelet or subroot a range in /etc/subuid and /etc/subgid)',
          },
        ];
  const mayUse = (range: SubordinateRange) =>
    uidOfOwner(range, facts) === ownerUid || (ownerUid === 0 && sharedOwners.has(range.owner));
  return [
    ...line.subordinate
      .filter((range) => !mayUse(range))
      .flatMap((range) => {
        const owner = printable(range.owner);
        return conflict(
          intersect(ours, [toIdRange(range)]),
          owner,
          `lie in the range of ${owner} (${file} line ${range.line})`,
        );
      }),
    ...line.accounts.flatMap(({name, id}) =>
      conflict(
        intersect(ours, [{start: id, size: 1}]),
        printable(name),
        `contain the real ${kind === 'uid' ? 'account' : 'group'} ${printable(name)}`,
      ),
    ),
    ...pools
      .filter(({name, present}) => present && name !== 'useradd')
      .flatMap(({name, range}) =>
        conflict(
          intersect(ours, [range]),
          name,
          `lie in the pool of ${name} (${formatRanges([range])}), which is installed here`,
        ),
      ),
  ];
}

function foreignNamespaces(kind: IdKind, line: IdLine, facts: IdSpaceFacts, file: string): IdConflict[] {
  const ours = facts.ledger.blocks.map(({first, size}) => ({start: first, size}));
  return line.namespaces.flatMap(({namespace, ranges}) => {
    const {owner} = namespace;
    // A namespace of one id maps its owner alone, and one whose owner cannot be asked proves nothing.
    if (owner === undefined || (ranges.length === 1 && ranges[0]?.size === 1)) return [];
    if (intersect(ours, ranges).length > 0) return [];
    const person = personOf(owner, facts);
    return line.subordinate.flatMap((range) => {
      const ids = intersect(ranges, [toIdRange(range)]);
      const rangeOwner = uidOfOwner(range, facts);
      if (ids.length === 0 || rangeOwner === person || (person === 0 && sharedOwners.has(range.owner))) return [];
      const name = printable(range.owner);
      const by = nameOf(person, facts);
      return [
        {
          rule: 'live-namespace-foreign-range',
          kind,
          ids,
          owners: [by, name],
          why: `a user namespace of ${by} (pid ${namespace.pid}, ${printable(namespace.command)}) uses ${formatRanges(ids)}, which ${file} line ${range.line} grants to ${name}`,
          mend: `stop pid ${namespace.pid}, or give ${name} other ids`,
        } satisfies IdConflict,
      ];
    });
  });
}

/** Who stands behind the uid that made a namespace: the account itself, or the one whose subordinate range the uid is in. */
function personOf(uid: number, facts: IdSpaceFacts): number | string {
  if (facts.accounts.some((account) => account.uid === uid)) return uid;
  const {ranges} = parseSubordinateIds(facts.subuid.text ?? '', {shadow: '4.13'});
  const range = ranges.find(({start, count}) => uid >= start && uid < start + count);
  return range === undefined ? uid : uidOfOwner(range, facts);
}

function nameOf(person: number | string, facts: IdSpaceFacts): string {
  const account = facts.accounts.find(({uid}) => uid === person);
  return account === undefined ? `uid ${printable(String(person))}` : printable(account.name);
}
