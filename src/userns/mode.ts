import {accessSync, constants, readFileSync, statSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {delimiter, join} from 'node:path';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {formatIdMap, type IdMap, isIdentity, requireIdMap} from '../../native-free/id-map.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import {commonBlocks, type PlanRefusal, type PseudoHostBlock, planPseudoHost} from '../../native-free/plan-id-map.ts';
import {parseSubordinateIds, rangesOf} from '../../native-free/subordinate-ids.ts';
import {Agent, type AgentEntry, AgentFailure, type ProcessIdentity} from '../host/agent.ts';
import {readIdMapText} from '../host/proc.ts';
import {requireTool, runTool} from '../host/tool.ts';

/**
 * How pods are made here, strongest first: `host` (we are root and write maps directly), `subid` (an outer namespace made with
 * newuidmap acts as the node), `single` (one id only), `simulated` (the model; nothing runs).
 */
export type Mode = 'host' | 'subid' | 'single' | 'simulated';

/** What a mode gives: how the agent starts, and which ids pods may have, as ids of the namespace the agent is root of. */
export interface ModeSetup {
  readonly mode: Exclude<Mode, 'simulated'>;
  /** One line for people: what was chosen and why. */
  readonly reason: string;
  readonly entry: AgentEntry;
  /** `-` where setgroups(2) is denied. */
  readonly groups: '' | '-';
  /** Maps from the agent's ids to those of the namespace we were started in. Identity in `host` mode. */
  readonly outer: {readonly uid: IdMap; readonly gid: IdMap};
  /** Blocks for pods; undefined means "the node's pool", chosen by the kubelet's rules. */
  readonly blocks: readonly PseudoHostBlock[] | undefined;
  /** Tools that map the outer namespace, with PID for its process; for the plan that people read. */
  readonly tools: readonly (readonly string[])[];
}

const identity: IdMap = [{containerId: 0, hostId: 0, size: 4_294_967_295}];

/** Capabilities that `host` mode cannot do without. */
const neededCapabilities: readonly (readonly [name: string, number: number])[] = [
  ['CAP_SYS_ADMIN', 21],
  ['CAP_SETUID', 7],
  ['CAP_SETGID', 6],
  ['CAP_SETPCAP', 8],
  ['CAP_CHOWN', 0],
  ['CAP_KILL', 5],
];

function missingCapabilities(): string[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const effective = BigInt(`0x${/^CapEff:\t([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return neededCapabilities.filter(([, number]) => (effective >> BigInt(number)) % 2n === 0n).map(([name]) => name);
}

/**
 * Whole blocks that our own namespace can give out: undefined when it is the initial one (all of them), none when it has too few
 * ids. Each lies inside one line of both our maps, as the kernel demands of a nested map; only the longest run is used.
 */
function ownBlocks(): PseudoHostBlock[] | undefined {
  const maps = (['uid_map', 'gid_map'] as const).map((file) =>
    requireIdMap(readIdMapText('self', file) ?? '', `/proc/self/${file}`, {untranslated: 'keep'}),
  );
  if (maps.every(isIdentity)) return undefined;
  const [uids = [], gids = []] = maps.map((map) =>
    map.flatMap(({containerId, size}) => blocksWithin(containerId, size)),
  );
  const both = new Set(gids);
  const starts = uids.filter((start) => both.has(start)).sort((a, b) => a - b);
  let run: number[] = [];
  let longest: number[] = [];
  for (const start of starts) {
    run = start === (run.at(-1) ?? -1) + BLOCK_SIZE ? [...run, start] : [start];
    if (run.length > longest.length) longest = run;
  }
  return longest.map((start) => ({start, size: BLOCK_SIZE, reduced: false}));
}

/** First ids of the whole blocks within a range; the node's own ids 0-65535 are none. At most 4096, so that this stays quick. */
function blocksWithin(start: number, size: number): number[] {
  const first = Math.max(1, Math.ceil(start / BLOCK_SIZE));
  const end = Math.floor((start + size) / BLOCK_SIZE);
  return Array.from({length: Math.max(0, Math.min(4096, end - first))}, (_, index) => (first + index) * BLOCK_SIZE);
}

function hostSetup(blocks: PseudoHostBlock[] | undefined): ModeSetup {
  return {
    mode: 'host',
    reason: blocks
      ? `we are root of a user namespace that has ${blocks.length} blocks for pods: maps are written directly`
      : 'we are root: maps are written directly',
    entry: {kind: 'direct'},
    groups: '',
    outer: {uid: identity, gid: identity},
    blocks,
    tools: [],
  };
}

function refuse(refusal: PlanRefusal, user: string, file: string): never {
  if (refusal.rule === 'plan-not-enough-ids')
    throw subrootError('SUBROOT_SUBID_TOO_FEW', {user, file, wanted: refusal.wanted, owned: refusal.owned});
  throw subrootError('SUBROOT_SUBID_UNUSABLE', {user, file, why: refusal.why});
}

/** Who we are. An id without an account has its number for a name, as in /etc/subuid. */
function ownUser(): {name: string; uid: number; gid: number} {
  const ids = {uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1};
  try {
    return {name: userInfo().username, ...ids};
  } catch {
    return {name: String(ids.uid), ...ids};
  }
}

async function ownRanges(
  user: {name: string; uid: number},
  kind: 'uid' | 'gid',
): Promise<{start: number; count: number}[]> {
  const file = kind === 'uid' ? '/etc/subuid' : '/etc/subgid';
  let text: string | undefined;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    text = undefined;
  }
  const parsed = parseSubordinateIds(text ?? '', {shadow: '4.13'});
  const own = rangesOf(parsed.ranges, {name: user.name, uid: user.uid});
  if (own.length > 0) return own.map(({start, count}) => ({start, count}));
  // Ranges may come from NSS (LDAP, FreeIPA, systemd): getsubids knows.
  const result = await runTool('getsubids', kind === 'uid' ? [user.name] : ['-g', user.name]);
  const ranges = [...result.stdout.matchAll(/^\d+:\s+\S+\s+(\d+)\s+(\d+)$/gm)].map(([, start, count]) => ({
    start: Number(start),
    count: Number(count),
  }));
  if (ranges.length > 0) return ranges;
  const lines = (text ?? '').split('\n');
  const problem = parsed.problems.find(({line}) => lines[line - 1]?.trimStart().startsWith(`${user.name}:`));
  if (problem)
    throw subrootError('SUBROOT_SUBID_MALFORMED', {
      file,
      line: problem.line,
      field: problem.field,
      value: problem.value,
      why: problem.why,
      user: user.name,
    });
  throw subrootError('SUBROOT_SUBID_NONE', {user: user.name, file});
}

function whichTool(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '/usr/bin:/bin').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** newuidmap and newgidmap, present and privileged. A file capability cannot be read without a tool: getcap is asked then. */
async function requireMapTools(): Promise<void> {
  for (const tool of ['newuidmap', 'newgidmap']) {
    const path = whichTool(tool);
    if (path === undefined) throw subrootError('SUBROOT_NEWUIDMAP_MISSING', {tool});
    const stat = statSync(path);
    if ((stat.mode & 0o4000) === 0 || stat.uid !== 0) {
      const capabilities = await runTool('getcap', [path]);
      if (!/cap_set[ug]id/.test(capabilities.stdout))
        throw subrootError('SUBROOT_NEWUIDMAP_UNPRIVILEGED', {
          path,
          mode: (stat.mode & 0o7777).toString(8),
          owner: stat.uid,
        });
    }
  }
}

async function subidSetup(blockSize: number): Promise<ModeSetup> {
  await requireMapTools();
  const {name, uid, gid} = ownUser();
  const uidPlan = planPseudoHost({
    ownId: uid,
    ranges: await ownRanges({name, uid}, 'uid'),
    blockSize,
    allowRoot: uid === 0,
  });
  if (!uidPlan.ok) refuse(uidPlan, name, '/etc/subuid');
  const gidPlan = planPseudoHost({
    ownId: gid,
    ranges: await ownRanges({name, uid}, 'gid'),
    blockSize,
    allowRoot: uid === 0,
  });
  if (!gidPlan.ok) refuse(gidPlan, name, '/etc/subgid');
  const blocks = commonBlocks(uidPlan.blocks, gidPlan.blocks);
  if (blocks.length === 0)
    throw subrootError('SUBROOT_SUBID_UNUSABLE', {
      user: name,
      file: '/etc/subuid and /etc/subgid',
      why: 'the two files grant different amounts, so that no block has both uids and gids',
    });
  const reduced = blocks.some((block) => block.reduced);
  return {
    mode: 'subid',
    reason: `${name} owns ${blocks.length} block${blocks.length === 1 ? '' : 's'} of subordinate ids${reduced ? ` (reduced: ${blocks[0]?.size} ids, a pod should have ${blockSize})` : ''}: newuidmap maps an outer namespace that acts as the node`,
    entry: {
      kind: 'outer',
      map: async (pid) => {
        await requireTool('newuidmap', [String(pid), ...uidPlan.args], 'uidmap');
        await requireTool('newgidmap', [String(pid), ...gidPlan.args], 'uidmap');
        return {keepGroups: false};
      },
    },
    groups: '',
    outer: {uid: uidPlan.map, gid: gidPlan.map},
    blocks,
    tools: [
      ['newuidmap', 'PID', ...uidPlan.args],
      ['newgidmap', 'PID', ...gidPlan.args],
    ],
  };
}

function singleSetup(why: string): ModeSetup {
  const {uid, gid} = ownUser();
  const uidMap: IdMap = [{containerId: 0, hostId: uid, size: 1}];
  const gidMap: IdMap = [{containerId: 0, hostId: gid, size: 1}];
  return {
    mode: 'single',
    reason: `one id only: ${why}`,
    entry: {
      kind: 'outer',
      map: async (pid) => {
        writeFileSync(`/proc/${pid}/setgroups`, 'deny');
        writeFileSync(`/proc/${pid}/uid_map`, formatIdMap(uidMap));
        writeFileSync(`/proc/${pid}/gid_map`, formatIdMap(gidMap));
        return {keepGroups: true};
      },
    },
    groups: '-',
    outer: {uid: uidMap, gid: gidMap},
    blocks: [{start: 0, size: 1, reduced: true}],
    tools: [],
  };
}

function requireHost(): ModeSetup {
  const uid = process.geteuid?.() ?? -1;
  if (uid !== 0) throw subrootError('SUBROOT_MODE_HOST_NOT_ROOT', {uid});
  const missing = missingCapabilities();
  if (missing.length > 0) throw subrootError('SUBROOT_MODE_HOST_CAPABILITIES', {missing: missing.join(', ')});
  const blocks = ownBlocks();
  if (blocks?.length === 0)
    throw subrootError('SUBROOT_MODE_HOST_NO_IDS', {
      map: (readIdMapText('self', 'uid_map') ?? '').trim().replace(/\s+/g, ' '),
    });
  return hostSetup(blocks);
}

/**
 * Chooses the strongest mode that works here, or the one asked for. `auto` falls from host to subid to single and says why in
 * `reason`; a mode that was asked for is never replaced by another.
 */
export async function chooseMode(wanted: 'auto' | Mode, options: {blockSize?: number} = {}): Promise<ModeSetup> {
  if (process.platform !== 'linux') throw subrootError('SUBROOT_MODE_NOT_LINUX', {platform: process.platform});
  const blockSize = options.blockSize ?? BLOCK_SIZE;
  if (wanted === 'simulated') throw subrootError('SUBROOT_MODE_SIMULATED', {});
  if (wanted === 'host') return requireHost();
  if (wanted === 'subid') return await subidSetup(blockSize);
  if (wanted === 'single') return singleSetup('asked for');
  if (process.geteuid?.() === 0) {
    try {
      return requireHost();
    } catch (error) {
      if (!(error instanceof SubrootError)) throw error;
      return singleSetup(error.shortMessage);
    }
  }
  try {
    return await subidSetup(blockSize);
  } catch (error) {
    if (!(error instanceof SubrootError)) throw error;
    return singleSetup(error.shortMessage);
  }
}

/**
 * The same setup inside the outer namespace of pods that run already, so that one agent can reach them all. Only when it has the
 * map that the setup would make: a changed grant gets a namespace of its own.
 */
export function joining(
  setup: ModeSetup,
  live: readonly {readonly mode: Mode; readonly holder?: ProcessIdentity; readonly outer?: ModeSetup['outer']}[],
): ModeSetup {
  if (setup.entry.kind !== 'outer') return setup;
  const wanted = JSON.stringify(setup.outer);
  const holder = live.find(({mode, outer}) => mode === setup.mode && JSON.stringify(outer) === wanted)?.holder;
  return holder ? {...setup, entry: {kind: 'join', holder, groups: setup.groups}} : setup;
}

/** Starts the agent of a mode and explains a refusal by its layer: kernel limit, LSM, seccomp, newuidmap's policy. */
export async function startAgent(setup: ModeSetup): Promise<Agent> {
  try {
    return await Agent.start(setup.entry);
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error;
    throw explainUnshare(error);
  }
}

function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

/** Why unshare(CLONE_NEWUSER) failed, in the order of the kernel's own checks. Source: kernel/user_namespace.c create_user_ns(). */
export function explainUnshare(failure: AgentFailure): SubrootError {
  const limit = readSysctl('user/max_user_namespaces');
  if (failure.errno === 'ENOSPC' || failure.errno === 'EUSERS')
    return subrootError('SUBROOT_USERNS_LIMIT', {limit: limit ?? 'unknown', errno: failure.errno}, failure);
  const debian = readSysctl('kernel/unprivileged_userns_clone');
  if (debian === '0') return subrootError('SUBROOT_USERNS_SYSCTL', {errno: failure.errno}, failure);
  const apparmor = readSysctl('kernel/apparmor_restrict_unprivileged_userns');
  if (apparmor === '1') return subrootError('SUBROOT_USERNS_APPARMOR', {errno: failure.errno}, failure);
  const seccomp = /^Seccomp:\t([12])/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  if (seccomp !== undefined) return subrootError('SUBROOT_USERNS_SECCOMP', {errno: failure.errno}, failure);
  return subrootError('SUBROOT_USERNS_REFUSED', {errno: failure.errno, text: failure.text}, failure);
}
