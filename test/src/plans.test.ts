import test from 'ava';
import fc from 'fast-check';
import {type CapabilityName, capabilityNames, formatCapabilityMask} from '../../native-free/capability.ts';
import type {Step} from '../../src/host/step.ts';
import {
  type Accounting,
  type ContainerPlanInput,
  type ExecPlanInput,
  type PlannedMount,
  type ProgramIdentity,
  planContainer,
  planExec,
  type RootSource,
} from '../../src/runtime/container-plan.ts';
import {type NodeShares, planSandbox, planUserns} from '../../src/runtime/sandbox-plan.ts';
import type {UserlandEntry} from '../../src/runtime/userland.ts';

const userland: readonly UserlandEntry[] = [
  {kind: 'tree', path: '/usr'},
  {kind: 'link', path: '/bin', target: 'usr/bin'},
];

// ── everything a plan can be made of

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const path = fc.array(word, {minLength: 1, maxLength: 3}).map((parts) => `/${parts.join('/')}`);
const id = fc.oneof(fc.constantFrom(0, 1, 1000, 65_535), fc.nat(65_535));
const groups = fc.constantFrom('' as const, '-' as const);

const capabilitySet = fc.subarray([...capabilityNames]).map((names): ReadonlySet<CapabilityName> => new Set(names));
const program: fc.Arbitrary<ProgramIdentity> = fc.record(
  {
    uid: id,
    gid: id,
    groups: fc.array(id, {maxLength: 3}),
    bounding: capabilitySet,
    ambient: fc.oneof({weight: 3, arbitrary: fc.constant(new Set<CapabilityName>())}, capabilitySet),
    noNewPrivs: fc.boolean(),
    seccomp: fc.constant({flags: 0, program: '060000000000ff7f'}),
    cwd: path,
    env: fc.array(fc.tuple(word, fc.string()), {maxLength: 3}),
  },
  {requiredKeys: ['uid', 'gid', 'groups', 'bounding', 'ambient', 'noNewPrivs', 'cwd', 'env']},
);

const mount: fc.Arbitrary<PlannedMount> = fc.record({
  hostPath: path.map((text) => `/host${text}`),
  containerPath: path.map((text) => `/volume${text}`),
  readOnly: fc.constantFrom('no' as const, 'top' as const, 'all' as const),
  propagation: fc.constantFrom('private' as const, 'slave' as const, 'shared' as const),
  isDirectory: fc.boolean(),
  idmapped: fc.boolean(),
  ofHost: fc.boolean(),
});

const root: fc.Arbitrary<RootSource> = fc.oneof(
  fc.record({
    kind: fc.constant('host' as const),
    userland: fc.constant(userland),
    alternatives: fc.constantFrom(undefined, '/state/alternatives'),
  }),
  fc.record({
    kind: fc.constant('directory' as const),
    paths: fc.constant(['/images/one', '/images/two']),
    idmapped: fc.boolean(),
  }),
);

const ownNamespaces: NodeShares = {network: false, pid: false, ipc: false};
const shares: fc.Arbitrary<NodeShares> = fc.oneof(
  fc.constant(ownNamespaces),
  fc.record({network: fc.boolean(), pid: fc.boolean(), ipc: fc.boolean()}),
);
const accounting: fc.Arbitrary<Accounting> = fc.record({
  cgroups: fc.constantFrom([], ['/sys/fs/cgroup/cpu/subroot/a/b', '/sys/fs/cgroup/memory/subroot/a/b']),
  oomScoreAdj: fc.constantFrom(undefined, -997, 1000),
});
/** A pod with a user namespace of its own has its own others too. */
function consistent<Input extends {hasUserns: boolean; shares: NodeShares}>(input: Input): Input {
  return input.hasUserns ? {...input, shares: ownNamespaces} : input;
}

const container: fc.Arbitrary<ContainerPlanInput> = fc
  .record({
    root,
    holderPid: fc.integer({min: 2, max: 4_194_304}),
    hasUserns: fc.boolean(),
    groups,
    ownPid: fc.boolean(),
    shares,
    ownsNode: fc.boolean(),
    cgroup2: fc.boolean(),
    ttyGroup: fc.boolean(),
    etc: fc.dictionary(
      word.map((name) => `/etc/${name}`),
      fc.string(),
    ),
    mounts: fc.array(mount, {maxLength: 4}),
    maskedPaths: fc.array(
      path.map((text) => `/proc${text}`),
      {maxLength: 3},
    ),
    readonlyPaths: fc.array(
      path.map((text) => `/proc${text}`),
      {maxLength: 3},
    ),
    readonlyRoot: fc.boolean(),
    terminal: fc.boolean(),
    accounting,
    program,
    argv: fc.array(fc.string(), {minLength: 1, maxLength: 3}),
  })
  .map(consistent);

const exec: fc.Arbitrary<ExecPlanInput> = fc
  .record({
    hasUserns: fc.boolean(),
    shares,
    ownsNode: fc.boolean(),
    groups,
    terminal: fc.boolean(),
    ttyGroup: fc.boolean(),
    ownSession: fc.boolean(),
    accounting,
    program,
    argv: fc.array(fc.string(), {minLength: 1, maxLength: 3}),
  })
  .map(consistent);

// ── what is asked of a plan

function indexesOf(plan: readonly Step[], name: Step[0]): number[] {
  return plan.flatMap((step, index) => (step[0] === name ? [index] : []));
}

function stepsOf<Name extends Step[0]>(
  plan: readonly Step[],
  name: Name,
): Extract<Step, readonly [Name, ...string[]]>[] {
  return plan.filter((step): step is Extract<Step, readonly [Name, ...string[]]> => step[0] === name);
}

/** Every path that a step names, in the root that is current at that step. */
function pathsOf(step: Step): string[] {
  switch (step[0]) {
    case 'mkdir':
    case 'mkdirs':
    case 'chmod':
    case 'file':
    case 'mask':
    case 'readonly':
    case 'chdir':
      return [step[1]];
    case 'attach':
    case 'mount':
    case 'symlink':
    case 'tree':
      return [step[2]];
    default:
      return [];
  }
}

/** Rules that hold for the way from "root, everything allowed" to a program, wherever it runs. */
function checkProgram(
  t: {
    is: (a: unknown, b: unknown, m?: string) => void;
    true: (a: boolean, m?: string) => void;
    deepEqual: (a: unknown, b: unknown, m?: string) => void;
  },
  plan: readonly Step[],
  {program: wanted, groups: groupsWord, argv}: {program: ProgramIdentity; groups: '' | '-'; argv: readonly string[]},
): void {
  const last = plan.length - 1;
  t.deepEqual(plan[last], ['exec', ...argv], 'the exec is last');
  t.is(indexesOf(plan, 'exec').length, 1);

  const creds = stepsOf(plan, 'creds');
  const credsAt = indexesOf(plan, 'creds');
  const [bounding = -1] = indexesOf(plan, 'bounding');
  const [capabilities = -1] = indexesOf(plan, 'capabilities');
  t.true(creds.length >= 1, 'groups are always cleared, and before them nothing else was');
  t.deepEqual(creds[0], ['creds', '0', '0', groupsWord]);
  const final = creds.at(-1);
  t.deepEqual([final?.[1], final?.[2]], [String(wanted.uid), String(wanted.gid)], 'the ids are those asked for');
  // In a map of one id setgroups(2) is denied, and nobody has groups.
  t.is(final?.[3], groupsWord === '-' ? '-' : wanted.groups.join(','), 'the groups are those asked for');

  t.true(bounding < (credsAt.at(-1) ?? -1) || creds.length === 1, 'the bounding set is dropped while we still may');
  t.true((credsAt.at(-1) ?? -1) < capabilities, 'ids before capabilities: a change of ids would give some back');
  t.true(bounding < capabilities);
  const set = formatCapabilityMask(wanted.bounding);
  t.is(stepsOf(plan, 'bounding').length, 1);
  t.is(stepsOf(plan, 'bounding')[0]?.[1], set);
  const ambient = formatCapabilityMask(wanted.ambient);
  const loadsAsAdmin = wanted.seccomp !== undefined && !wanted.noNewPrivs;
  const admin: readonly CapabilityName[] = loadsAsAdmin ? ['CAP_SYS_ADMIN'] : [];
  const permitted = formatCapabilityMask(new Set([...(wanted.uid === 0 ? wanted.bounding : wanted.ambient), ...admin]));
  t.deepEqual(stepsOf(plan, 'capabilities')[0]?.slice(1), [permitted, ambient, ambient]);
  const [keeps] = indexesOf(plan, 'keepcaps');
  t.is(keeps !== undefined, wanted.uid !== 0 && (loadsAsAdmin || wanted.ambient.size > 0));
  if (keeps !== undefined) t.is(keeps, (credsAt.at(-1) ?? -1) - 1, 'kept over the last change of ids');
  t.deepEqual(
    stepsOf(plan, 'seccomp'),
    wanted.seccomp ? [['seccomp', String(wanted.seccomp.flags), wanted.seccomp.program]] : [],
  );
  if (wanted.seccomp) t.is(plan[last - 1]?.[0], 'seccomp', 'nothing of ours but the exec passes the filter');

  const [noNewPrivs] = indexesOf(plan, 'nonewprivs');
  t.is(noNewPrivs !== undefined, wanted.noNewPrivs);
  const deaths = indexesOf(plan, 'pdeathsig');
  t.true((deaths.at(-1) ?? -1) > (credsAt.at(-1) ?? -1), 'the kernel forgets the death signal with a change of ids');
  t.true(
    (indexesOf(plan, 'umask')[0] ?? last) > (indexesOf(plan, 'file').at(-1) ?? -1),
    'files of the root do not pass the program’s umask',
  );
  t.deepEqual(
    stepsOf(plan, 'env').map(([, name, value]) => [name, value]),
    wanted.env.map(([name, value]) => [name, value]),
  );
}

test('a container’s plan ends in its program with exactly the ids, groups and capabilities asked for', (t) => {
  fc.assert(
    fc.property(container, (input) => checkProgram(t, planContainer(input), input)),
    {numRuns: 300},
  );
  t.pass();
});

test('so does the plan of a program that joins', (t) => {
  fc.assert(
    fc.property(exec, (input) => checkProgram(t, planExec(input), input)),
    {numRuns: 300},
  );
  t.pass();
});

test('after the pivot every path is inside the new root, and before it nothing outside of the scratch folder is written', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const plan = planContainer(input);
      const [pivot = -1] = indexesOf(plan, 'pivot');
      t.is(indexesOf(plan, 'pivot').length, 1);
      const known = new Set([
        ...Object.keys(input.etc),
        ...input.maskedPaths,
        ...input.readonlyPaths,
        input.program.cwd,
        ...input.mounts.flatMap(({containerPath}) => [containerPath, containerPath.replace(/\/[^/]*$/, '') || '/']),
      ]);
      const own = /^\/($|proc|sys|dev|etc|tmp|run|root|home|mnt|var|usr|bin)/;
      for (const step of plan.slice(pivot + 1)) {
        for (const each of pathsOf(step)) {
          t.true(each.startsWith('/'), `${step.join(' ')}: a full path`);
          t.false(each.startsWith('/host') || each.startsWith('/images') || each.startsWith('/state'), step.join(' '));
          t.true(known.has(each) || own.test(each), step.join(' '));
        }
        t.false(
          ['tree', 'podtree', 'openuserns', 'join', 'unshare', 'fs'].includes(step[0]),
          `${step.join(' ')} after the pivot`,
        );
      }
      for (const step of plan.slice(0, pivot)) {
        if (step[0] !== 'mkdir' && step[0] !== 'file' && step[0] !== 'attach') continue;
        for (const each of pathsOf(step)) t.true(/^\/dev(\/|$)/.test(each), `${step.join(' ')} before the pivot`);
      }
    }),
    {numRuns: 300},
  );
  t.pass();
});

test('no tree of the machine is writable unless a mount asked for it, and no idmapped one shows without its map', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const plan = planContainer(input);
      const writable = new Set(input.mounts.filter((each) => each.readOnly === 'no').map(({hostPath}) => hostPath));
      const [join = -1] = indexesOf(plan, 'join');
      plan.forEach((step, index) => {
        if (step[0] !== 'tree' || index > join) return;
        const [, key, source, text] = step;
        const flags = text.split(',');
        if (key.startsWith('dev:')) {
          t.deepEqual(flags, ['nosuid', 'noexec']);
          return;
        }
        // In the machine's own pid namespace, from an outer user namespace: its /proc as its user has it.
        const isProc = source === '/proc' && input.shares.pid && !input.ownsNode;
        const isReadOnly = flags.includes('ro') || flags.includes('rotop');
        t.true(isReadOnly || writable.has(source) || isProc, step.join(' '));
        const planned = input.mounts[Number(/^mount:(\d+)$/.exec(key)?.[1])];
        const wantsMap =
          planned?.idmapped ?? (input.root.kind === 'directory' && key.startsWith('image:') && input.root.idmapped);
        t.is(flags.includes('idmap=pod'), wantsMap, step.join(' '));
      });
      const usesMap = plan.some((step) => step[0] === 'tree' && step[3].includes('idmap='));
      t.is(indexesOf(plan, 'openuserns').length, usesMap ? 1 : 0);
      if (usesMap) t.is(plan[0]?.[0], 'openuserns');
    }),
    {numRuns: 300},
  );
  t.pass();
});

test('what is taken hold of is attached, once, and nothing else is', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const made = new Map<string, number>();
      for (const [index, step] of planContainer(input).entries()) {
        if (step[0] === 'tree' || step[0] === 'podtree' || step[0] === 'fs') {
          t.false(made.has(step[1]), `${step[1]} is there already`);
          made.set(step[1], index);
        }
        if (step[0] === 'attach') t.true(made.delete(step[1]), `step ${index} attaches ${step[1]}, which nobody made`);
      }
      t.deepEqual([...made.keys()], [], 'left detached');
    }),
    {numRuns: 300},
  );
  t.pass();
});

test('machine paths are taken hold of before the pod’s namespaces are joined, as the machine’s root', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const plan = planContainer(input);
      // Nothing is joined where all that could be is the node's, and its own.
      const join = (indexesOf(plan, 'creds')[0] ?? -1) - 1;
      const isAllNodes = !input.ownsNode && input.shares.network && input.shares.ipc;
      for (const [index, step] of plan.entries())
        if (step[0] === 'tree' && (step[2].startsWith('/host') || step[2].startsWith('/images') || step[2] === '/usr'))
          t.true(index < join + (isAllNodes ? 1 : 0), step.join(' '));
      t.is(stepsOf(plan, 'join')[0]?.[1].startsWith('user,') ?? false, input.hasUserns);
      t.is(stepsOf(plan, 'join').length, isAllNodes ? 0 : 1);
      if (!isAllNodes)
        t.is(plan[join]?.[0], 'join', 'ids at once: nothing is done with ids that the namespace does not have');
      const [fork] = indexesOf(plan, 'fork');
      t.is(fork !== undefined, input.ownPid);
      const [whoami = -1] = indexesOf(plan, 'whoami');
      t.true(whoami > (fork ?? 0));
      t.true(
        (indexesOf(plan, 'pdeathsig')[0] ?? whoami) < whoami,
        'it dies with its supervisor before it says that it is there',
      );
    }),
    {numRuns: 300},
  );
  t.pass();
});

test('read-only and masked paths come after all mounts, and the read-only root after them', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const plan = planContainer(input);
      const attached = indexesOf(plan, 'attach').at(-1) ?? -1;
      for (const index of [...indexesOf(plan, 'readonly'), ...indexesOf(plan, 'mask')]) t.true(index > attached);
      const remount = plan.findIndex((step) => step[0] === 'mount' && step[4].includes('remount,ro'));
      t.is(remount >= 0, input.readonlyRoot);
      if (remount >= 0)
        for (const name of ['mkdirs', 'file', 'symlink', 'mask'] as const)
          for (const index of indexesOf(plan, name)) t.true(index < remount, name);
      t.deepEqual(
        stepsOf(plan, 'mask').map(([, each]) => each),
        [...input.maskedPaths],
      );
      t.deepEqual(
        stepsOf(plan, 'readonly').map(([, each]) => each),
        [...input.readonlyPaths],
      );
    }),
    {numRuns: 200},
  );
  t.pass();
});

test('deeper mounts are placed after those that they lie in', (t) => {
  const mounts = ['/a/b/c', '/a', '/a/b', '/x'].map(
    (containerPath): PlannedMount => ({
      containerPath,
      hostPath: `/host${containerPath}`,
      readOnly: 'no',
      propagation: 'private',
      isDirectory: true,
      idmapped: false,
      ofHost: true,
    }),
  );
  const [input] = fc.sample(container, {numRuns: 1, seed: 7});
  if (!input) return t.fail();
  const places = stepsOf(planContainer({...input, mounts}), 'attach')
    .filter(([, key]) => key.startsWith('mount:'))
    .map(([, , place]) => place);
  t.deepEqual(places, ['/a', '/x', '/a/b', '/a/b/c']);
});

// ── the sandbox

const mappings = fc.record({
  hostId: fc.integer({min: 65_536, max: 4_000_000_000}),
  length: fc.integer({min: 1, max: 131_072}),
});

test('a sandbox’s holder keeps nothing: no capability, no privilege to come, no folder of the machine', (t) => {
  fc.assert(
    fc.property(
      fc.boolean(),
      word,
      groups,
      fc.option(mappings, {nil: undefined}),
      shares,
      fc.boolean(),
      (bound, hostname, groupsWord, mapping, wished, filtered) => {
        const map = mapping && {...mapping, containerId: 0};
        const first = planUserns({userland, mappings: map && {uids: map, gids: map}, groups: groupsWord});
        const shares = map ? ownNamespaces : wished;
        const filter = {flags: 0, program: '060000000000ff7f'};
        const rest = planSandbox({
          userland,
          hostname,
          bound,
          shares,
          sysctls: [['net/a', '1']],
          ...(filtered ? {seccomp: filter} : {}),
        });
        const plan = [...first, ...rest];
        for (const [, , source, flags] of stepsOf(first, 'tree')) {
          t.is(source, '/usr');
          t.true(flags.split(',').includes('ro'));
        }
        t.deepEqual(stepsOf(plan, 'creds'), [['creds', '0', '0', groupsWord]]);
        if (map) {
          const [userns] = stepsOf(first, 'newuserns');
          const text = `0 ${map.hostId} ${map.length}`;
          t.deepEqual(userns, ['newuserns', String(map.hostId), String(map.hostId), groupsWord, text, text]);
          t.true((indexesOf(plan, 'newuserns')[0] ?? -1) < (indexesOf(plan, 'creds')[0] ?? -1));
        } else t.deepEqual(stepsOf(first, 'newuserns'), []);
        const own = [
          'mnt',
          ...(shares.pid ? [] : ['pid']),
          ...(shares.network ? [] : ['net']),
          ...(shares.ipc ? [] : ['ipc']),
          ...(shares.network ? [] : ['uts']),
          'cgroup',
        ];
        t.deepEqual(stepsOf(rest, 'unshare'), [['unshare', own.join(',')]]);
        t.true(
          (indexesOf(rest, 'sysctl')[0] ?? -1) < (indexesOf(rest, 'pivot')[0] ?? -1),
          'written while the machine’s /proc is there',
        );
        t.true((indexesOf(rest, 'sysctl')[0] ?? -1) > (indexesOf(rest, 'unshare')[0] ?? -1), 'and never before');
        t.deepEqual(stepsOf(rest, 'seccomp'), filtered ? [['seccomp', '0', filter.program]] : []);
        if (filtered) t.is(rest.at(-2)?.[0], 'seccomp');
        t.deepEqual(stepsOf(rest, 'bounding'), [['bounding', '0']]);
        t.deepEqual(stepsOf(rest, 'capabilities'), [['capabilities', '0', '0', '0']]);
        t.is(indexesOf(rest, 'nonewprivs').length, 1);
        t.deepEqual(rest.at(-1), ['exec', 'sleep', 'infinity']);
        const [fork = -1] = indexesOf(rest, 'fork');
        const [death = -1] = indexesOf(rest, 'pdeathsig');
        const [whoami = -1] = indexesOf(rest, 'whoami');
        const [outlive] = indexesOf(rest, 'outlive');
        t.true(fork < death && death < whoami, 'dies with the agent before it says that it is there');
        t.is(outlive !== undefined, !bound);
        if (outlive !== undefined) t.true(outlive > whoami, 'lives on only when its pid is on record');
        t.deepEqual(stepsOf(rest, 'hostname'), shares.network ? [] : [['hostname', hostname]]);
        t.is(stepsOf(rest, 'loopback').length, shares.network ? 0 : 1);
        const [pivot = -1] = indexesOf(rest, 'pivot');
        for (const step of rest.slice(pivot + 1)) for (const each of pathsOf(step)) t.regex(each, /^\/(usr|bin|dev)/);
      },
    ),
    {numRuns: 200},
  );
  t.pass();
});

test('plans are plain data: words without a NUL, that survive JSON', (t) => {
  fc.assert(
    fc.property(container, (input) => {
      const plan = planContainer(input);
      t.deepEqual(JSON.parse(JSON.stringify(plan)), plan as unknown as unknown[]);
      for (const step of plan) for (const each of step) t.is(typeof each, 'string');
    }),
    {numRuns: 100},
  );
  t.pass();
});
