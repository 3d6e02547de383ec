import {printable} from '../../native-free/errors.ts';
import {containerRanges} from '../../native-free/id-map.ts';
import {countIds, formatRanges, type IdRange, intersect} from '../../native-free/id-range.ts';
import {BLOCK_SIZE, MAX_EXTENTS} from '../../native-free/ids.ts';
import {commonBlocks, planPseudoHost} from '../../native-free/plan-id-map.ts';
import {
  findSubordinateConflicts,
  parseSubordinateIds,
  rangesOf,
  type SubordinateOwner,
  toIdRange,
} from '../../native-free/subordinate-ids.ts';
import type {MachineFacts, SubordinateFile} from './facts.ts';
import type {Finding} from './finding.ts';
import {findFreeRange} from './free-range.ts';
import {type IdKind, type IdSpace, judgeIdSpace} from './id-space.ts';
import {shellWord} from './shell-word.ts';

/** A grant for 16 pods. */
const ADVISED_IDS = 16 * BLOCK_SIZE;
const MAX_PROBLEMS_SHOWN = 8;
const MIN_KUBELET_PODS = 110;

/** What newuidmap will grant this user, and what else is wrong in the files. */
export function judgeSubordinateIds(facts: MachineFacts): Finding[] {
  const space = judgeIdSpace(facts.ids);
  const granted = {uid: grantedRanges(facts, 'uid'), gid: grantedRanges(facts, 'gid')};
  return [
    judgeAccount(facts),
    judgePresence(facts, granted),
    ...judgeSize(facts, granted),
    ...judgeFile(facts, facts.ids.subuid, 'subuid'),
    ...judgeFile(facts, facts.ids.subgid, 'subgid'),
    ...judgeFileOwner(facts),
    ...judgeOwnLines(facts),
    ...judgeConflicts(space),
    ...judgePools(space, granted),
    judgeNss(facts),
    judgeKubelet(facts),
  ];
}

type Granted = Readonly<Record<IdKind, readonly IdRange[]>>;

/** The ranges this user may use: of getsubids where another source than the files is set, else of the files as newuidmap reads them. */
export function grantedRanges(facts: MachineFacts, kind: IdKind): readonly IdRange[] {
  const {user, ids, nssRanges} = facts;
  if (ids.subidSource !== 'files') return parseGetsubids(nssRanges[kind] ?? '');
  const name = user.name ?? String(user.uid);
  const aliases = ids.accounts.filter((account) => account.uid === user.uid && account.name !== name);
  const owner: SubordinateOwner = {name, uid: user.uid, aliases: aliases.map((account) => account.name)};
  const {ranges} = parseSubordinateIds((kind === 'uid' ? ids.subuid : ids.subgid).text ?? '', {shadow: ids.shadow});
  return rangesOf(ranges, owner).map(toIdRange);
}

/** The ranges that getsubids(1) prints: `0: anna 100000 65536` per line; other lines are left out. */
export function parseGetsubids(text: string): readonly IdRange[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:\s+\S+\s+(\d+)\s+(\d+)$/.exec(line.trim());
    return match === null ? [] : [{start: Number(match[1]), size: Number(match[2])}];
  });
}

/** The command that grants this user a range which nobody claims, ready to be pasted. */
export function grantCommand(facts: MachineFacts): string {
  const within = containerRanges(facts.selfUidMap);
  const range = findFreeRange(facts.ids, ADVISED_IDS, within) ?? findFreeRange(facts.ids, BLOCK_SIZE, within);
  if (range === undefined)
    return facts.isInitialUserns
      ? 'free some ids first (`subroot ids`): there is no block left that nobody claims'
      : `start the outer container with more ids: of the ${countIds(within)} that our namespace has, no block above the first is free`;
  const {user} = facts;
  const name = user.name ?? String(user.uid);
  if (user.inPasswdFile) {
    const ids = formatRanges([range]);
    return `as root: \`usermod --add-subuids ${ids} --add-subgids ${ids} ${shellWord(name)}\``;
  }
  // usermod refuses accounts that are not in /etc/passwd (LDAP, homed, a bare uid in a container).
  return `as root: \`echo ${shellWord(name)}:${range.start}:${range.size} | tee -a /etc/subuid /etc/subgid\``;
}

/** newuidmap asks the passwd database for its caller before anything else. Source: shadow src/newuidmap.c get_my_pwent(); facts §7. */
function judgeAccount({user}: MachineFacts): Finding {
  const base = {
    id: 'subid-account',
    layer: 'newuidmap policy',
    expected: 'an account for our uid',
    affects: ['subid'],
  } as const;
  if (user.name !== undefined) return {...base, severity: 'ok', found: `uid ${user.uid} is ${printable(user.name)}`};
  return {
    ...base,
    severity: 'fail',
    found: `uid ${user.uid} has no account: newuidmap fails with "Cannot determine your user name"`,
    mend: `as root: \`useradd --uid ${user.uid} --no-create-home NAME\`, or run as a user that has an account`,
  };
}

function judgePresence(facts: MachineFacts, granted: Granted): Finding {
  const name = printable(facts.user.name ?? `uid ${facts.user.uid}`);
  const base = {
    id: 'subid-present',
    layer: 'subordinate ids',
    expected: `ranges for ${name} in both /etc/subuid and /etc/subgid`,
    affects: ['subid'],
  } as const;
  const missing = [
    ...(granted.uid.length === 0 ? ['/etc/subuid'] : []),
    ...(granted.gid.length === 0 ? ['/etc/subgid'] : []),
  ];
  if (missing.length === 0)
    return {
      ...base,
      severity: 'ok',
      found: `${name} has uids ${formatRanges(granted.uid)} and gids ${formatRanges(granted.gid)}`,
    };
  const source = facts.ids.subidSource;
  const where = source === 'files' ? missing.join(' or ') : `source "${printable(source)}" of nsswitch.conf`;
  return {
    ...base,
    severity: 'fail',
    found: `no subordinate ${missing.length === 2 ? 'ids' : missing[0] === '/etc/subuid' ? 'uids' : 'gids'} for ${name} in ${where}`,
    mend:
      source === 'files'
        ? grantCommand(facts)
        : `ask for a range in "${printable(source)}", or set \`subid: files\` in /etc/nsswitch.conf and then ${grantCommand(facts)}`,
  };
}

/** How many pods the grant holds, as `subid` mode itself plans it: each needs a whole block with both uids and gids. */
function judgeSize(facts: MachineFacts, granted: Granted): Finding[] {
  if (granted.uid.length === 0 || granted.gid.length === 0) return [];
  const base = {
    id: 'subid-size',
    layer: 'subordinate ids',
    expected: `${BLOCK_SIZE} uids and gids per pod, for two pods or more`,
    affects: ['subid'],
  } as const;
  const {uid, gid} = facts.user;
  const found = `${countIds(granted.uid)} uids and ${countIds(granted.gid)} gids are granted`;
  const uidPlan = planPseudoHost({ownId: uid, ranges: toGrants(granted.uid), allowRoot: uid === 0});
  const gidPlan = planPseudoHost({ownId: gid, ranges: toGrants(granted.gid), allowRoot: uid === 0});
  const blocks = uidPlan.ok && gidPlan.ok ? commonBlocks(uidPlan.blocks, gidPlan.blocks) : [];
  const [first] = blocks;
  const mend = grantCommand(facts);
  if (first === undefined)
    return [{...base, severity: 'fail', found: `${found}: no block of them has both uids and gids`, mend}];
  if (first.reduced)
    return [{...base, severity: 'warn', found: `${found}: one pod at a time, and with ${first.size} ids only`, mend}];
  if (blocks.length === 1) return [{...base, severity: 'warn', found: `${found}: one pod at a time`, mend}];
  return [{...base, severity: 'ok', found: `${found}: room for ${blocks.length} pods`}];
}

function toGrants(ranges: readonly IdRange[]): {readonly start: number; readonly count: number}[] {
  return ranges.map(({start, size}) => ({start, count: size}));
}

function judgeFile(facts: MachineFacts, file: SubordinateFile, name: 'subuid' | 'subgid'): Finding[] {
  const text = file.text ?? '';
  const findings: Finding[] = [];
  if (text !== '' && !text.endsWith('\n')) {
    const refuses = facts.ids.shadow === '4.20';
    findings.push({
      id: 'subid-final-newline',
      severity: refuses ? 'fail' : 'warn',
      layer: 'subordinate ids',
      found: `${file.path} has no newline at its end${refuses ? ': this shadow may refuse the whole file' : '; shadow 4.20 refuses such a file'}`,
      expected: 'a newline after the last line',
      mend: `as root: \`echo >> ${file.path}\``,
      affects: ['subid'],
    });
  }
  const {problems} = parseSubordinateIds(text === '' || text.endsWith('\n') ? text : `${text}\n`, {
    shadow: facts.ids.shadow,
  });
  const syntax = problems.filter(({effect}) => effect !== 'ids unusable');
  for (const {line, field, value, why, effect} of syntax.slice(0, MAX_PROBLEMS_SHOWN)) {
    const shown = value === '' ? '' : ` "${printable(value.length > 60 ? `${value.slice(0, 60)}…` : value)}"`;
    findings.push({
      id: 'subid-syntax',
      severity: 'warn',
      layer: 'subordinate ids',
      found: `${file.path}:${line}:${field}${shown}: ${printable(why)} (${effect})`,
      expected: 'owner:first:count, in plain decimal',
      mend: `correct or remove line ${line}: \`sed -i ${line}d ${file.path}\` removes it`,
      affects: ['subid'],
    });
  }
  if (findings.length === 0)
    findings.push({
      id: 'subid-syntax',
      severity: 'ok',
      layer: 'subordinate ids',
      found: file.text === undefined ? `there is no /etc/${name}` : `${file.path} reads without a fault`,
      expected: 'owner:first:count, in plain decimal',
      affects: ['subid'],
    });
  return findings;
}

/** Who may write these files may give himself anybody's ids. In a user namespace the host's root has no name, so nothing is said there. */
function judgeFileOwner({ids, isInitialUserns}: MachineFacts): Finding[] {
  const base = {
    id: 'subid-file-owner',
    layer: 'subordinate ids',
    expected: 'files of root that only root may write',
    affects: ['subid'],
  } as const;
  if (!isInitialUserns) return [];
  const open = [ids.subuid, ids.subgid].filter(
    ({owner}) => owner !== undefined && (owner.uid !== 0 || isWritableByOthers(owner.mode)),
  );
  if (open.length === 0) return [{...base, severity: 'ok', found: 'only root may write the files'}];
  return open.map(({path, owner}) => ({
    ...base,
    severity: 'warn',
    found: `${path} belongs to uid ${owner?.uid} with mode ${owner?.mode.toString(8).padStart(4, '0')}: who writes it takes the ids of others`,
    mend: `as root: \`chown root:root ${path} && chmod 0644 ${path}\``,
  }));
}

function isWritableByOthers(mode: number): boolean {
  return Math.floor(mode / 0o20) % 2 === 1 || Math.floor(mode / 0o2) % 2 === 1;
}

/** Lines of one user that overlap, or are too many for one map: engines hand all of them to newuidmap. */
function judgeOwnLines(facts: MachineFacts): Finding[] {
  const {ids, user} = facts;
  const name = user.name ?? String(user.uid);
  return ([ids.subuid, ids.subgid] as const).flatMap((file) => {
    const {ranges} = parseSubordinateIds(file.text ?? '', {shadow: ids.shadow});
    const own = rangesOf(ranges, {name, uid: user.uid});
    const twice = findSubordinateConflicts(own, () => false);
    const [first] = twice;
    const base = {
      id: 'subid-own-lines',
      severity: 'warn',
      layer: 'subordinate ids',
      expected: `at most ${MAX_EXTENTS} lines for ${printable(name)}, none of which repeats another`,
      affects: ['subid'],
    } as const;
    if (first !== undefined)
      return [
        {
          ...base,
          found: `${file.path} lines ${first.first.line} and ${first.second.line} both grant ${printable(name)} ${formatRanges([{start: first.start, size: first.count}])}: a tool that maps all of them gets EINVAL`,
          mend: `as root: \`sed -i ${first.second.line}d ${file.path}\` removes the second one`,
        },
      ];
    if (own.length <= MAX_EXTENTS) return [];
    return [
      {...base, found: `${file.path} has ${own.length} lines for ${printable(name)}`, mend: 'join them into one range'},
    ];
  });
}

function judgeConflicts(space: IdSpace): Finding[] {
  return space.conflicts.map(({rule, why, mend}) => ({
    id: rule,
    severity: 'warn',
    layer: 'subordinate ids',
    found: why,
    expected: 'every id claimed once',
    mend,
    affects: rule === 'pool-overlap' ? ['host', 'subid'] : ['subid'],
  }));
}

function judgePools(space: IdSpace, granted: Granted): Finding[] {
  return space.pools
    .filter(({name, present}) => present && name !== 'useradd' && name !== 'kubelet default')
    .flatMap(({name, range, source}) => {
      const ids = intersect([...granted.uid, ...granted.gid], [range]);
      if (ids.length === 0) return [];
      return [
        {
          id: 'subid-pool-collision',
          severity: 'warn',
          layer: 'subordinate ids',
          found: `your ids ${formatRanges(ids)} lie in the pool that ${name} takes from (${formatRanges([range])}; ${source}), and it is installed here`,
          expected: 'ranges of your own',
          mend: `move one of them: give yourself other ids, or configure ${name}`,
          affects: ['subid'],
        } satisfies Finding,
      ];
    });
}

function judgeNss({nss, ids}: MachineFacts): Finding {
  const base = {
    id: 'nss-tools',
    layer: 'subordinate ids',
    expected: 'getent (accounts of every source) and getsubids (ranges of every source)',
    affects: ['subid'],
  } as const;
  const missing = [...(nss.getent ? [] : ['getent']), ...(nss.getsubids ? [] : ['getsubids'])];
  const source = `subordinate ids come from "${printable(ids.subidSource)}"`;
  if (missing.length === 0) return {...base, severity: 'ok', found: `both are here; ${source}`};
  return {
    ...base,
    severity: ids.subidSource !== 'files' && !nss.getsubids ? 'fail' : 'warn',
    found: `no ${missing.join(' and no ')}; ${source}${nss.getent ? '' : ', and accounts of /etc/passwd only are seen'}`,
    mend: 'install them: `apt-get install uidmap libc-bin` (Debian, Ubuntu), `dnf install shadow-utils-subid glibc-common` (Fedora)',
  };
}

/** The kubelet's rules for the range of its account, and which range it would use. Source: facts kubernetes-userns §3.2, §3.3. */
function judgeKubelet({kubelet, nss}: MachineFacts): Finding {
  const base = {
    id: 'kubelet-range',
    layer: 'allocator',
    expected: 'no account kubelet, or one range for it, the same in both files, in whole blocks from 65536 up',
    affects: ['host'],
  } as const;
  const refused = (found: string, mend: string): Finding => ({...base, severity: 'warn', found, mend});
  if (!kubelet.account)
    return {...base, severity: 'ok', found: 'no account kubelet: the default pool is used, 65536-4294901759'};
  const example = '`echo kubelet:65536:7208960 | tee -a /etc/subuid /etc/subgid` gives 110 pods';
  if (!nss.getsubids)
    return refused(
      'account kubelet exists and getsubids does not: a kubelet fails to start',
      'install getsubids (package uidmap or shadow-utils-subid)',
    );
  const {uidOutput, gidOutput} = kubelet;
  if (uidOutput === undefined || gidOutput === undefined)
    return refused(
      `account kubelet has no ${uidOutput === undefined ? 'subuid' : 'subgid'} range: a kubelet fails to start`,
      `as root: ${example}, or remove the account`,
    );
  if (uidOutput !== gidOutput)
    return refused(
      `getsubids tells other ranges for kubelet's uids (${printable(uidOutput.trim())}) than for its gids (${printable(gidOutput.trim())})`,
      'make both lines equal',
    );
  const ranges = parseGetsubids(uidOutput);
  const [range] = ranges;
  if (range === undefined || ranges.length !== 1)
    return refused(`kubelet has ${ranges.length} ranges and takes exactly one`, 'leave one line for it in each file');
  const shown = formatRanges([range]);
  if (range.start % BLOCK_SIZE !== 0 || range.size % BLOCK_SIZE !== 0 || range.start < BLOCK_SIZE)
    return refused(`kubelet's range ${shown} is not made of whole 64K blocks from 65536 up`, `as root: ${example}`);
  if (range.start + range.size > 2 ** 32)
    return refused(
      `kubelet's range ${shown} goes past 2^32, and a kubelet wraps it to host id 0`,
      `as root: ${example}`,
    );
  const pods = range.size / BLOCK_SIZE;
  if (pods < MIN_KUBELET_PODS)
    return refused(
      `kubelet's range ${shown} has ${pods} blocks, and a kubelet with maxPods 110 fails to start`,
      `as root: ${example}`,
    );
  return {...base, severity: 'ok', found: `account kubelet: pods take from ${shown} (${pods} blocks)`};
}
