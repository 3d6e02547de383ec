import {chownSync, writeFileSync} from 'node:fs';
import type {Outcome} from '../../src/check/result.ts';
import type {PodRequest, Target, TargetPod} from '../../src/check/target.ts';
import {SubrootTarget} from '../../src/check/targets/subroot.ts';
import {AttackProcess} from '../../src/host/attacker.ts';
import {readIdMapText, startTimeOf} from '../../src/host/proc.ts';
import {statusOf} from '../../src/host/process-view.ts';
import type {Step} from '../../src/host/step.ts';
import type {NodeOptions} from '../../src/node/node-options.ts';

/** A runtime with one fault that a runtime could have, made of ours by changing its plans or what it says it made. */
export interface Mutant {
  readonly id: string;
  /** The fault, as a sentence. */
  readonly fault: string;
  /** Changes the plans of the target's node. */
  readonly breakPlans?: (target: SubrootTarget) => void;
  /** Or what comes of starting a pod. `nth` counts from 0. */
  readonly breakPod?: (pod: TargetPod, request: PodRequest, nth: number) => Promise<TargetPod> | TargetPod;
}

/** Outcomes by which a check has found a fault. */
export const found: readonly Outcome[] = ['not-blocked', 'broken'];

type Part = 'userns' | 'sandbox' | 'container' | 'exec';
type Edit = (steps: readonly Step[]) => readonly Step[];

/** Puts an edit behind the planner of a node; only tests reach it. */
function rewrite(part: Part, edit: Edit): (target: SubrootTarget) => void {
  return ({node: {runtime}}) => {
    const {planner, inventory} = runtime;
    if (part === 'exec') {
      const plan = inventory.planExec.bind(inventory);
      inventory.planExec = (...words) => {
        const request = plan(...words);
        return {...request, steps: [...edit(request.steps)]};
      };
      return;
    }
    const plan = (planner[part] as (...words: never[]) => Step[]).bind(planner);
    Object.assign(planner, {[part]: (...words: never[]) => [...edit(plan(...words))]});
  };
}

function all(...breaks: readonly ((target: SubrootTarget) => void)[]): (target: SubrootTarget) => void {
  return (target) => {
    for (const each of breaks) each(target);
  };
}

const each =
  (name: Step[0], change: (words: readonly string[]) => readonly (readonly string[])[]): Edit =>
  (steps) =>
    steps.flatMap((step) => (step[0] === name ? (change(step.slice(1)) as readonly Step[]) : [step]));

/** Other lines for uid_map and gid_map; `base` is the pod's block. */
function maps(uid: (base: number) => string, gid: (base: number) => string = uid): (target: SubrootTarget) => void {
  const change = ([owner = '', group = '', groups = '']: readonly string[]) => [
    ['newuserns', owner, group, groups, uid(Number(owner)), gid(Number(group))],
  ];
  return rewrite('userns', each('newuserns', change));
}

const identity = () => '0 0 4294967295';
const correct = (base: number) => `0 ${base} 65536`;

/** Joins everything but the user namespace. */
const notUser = each('join', ([types = '']) => [['join', types.replace(/^user,/, '')]]);

/** Groups of the host that are there before the join, and are left alone after it. */
const leftoverGroups: Edit = (steps) => {
  const join = steps.findIndex(([name]) => name === 'join');
  const before: readonly Step[] = [...steps.slice(0, join), ['creds', '0', '0', '42']];
  return [...before, ...each('creds', ([uid = '', gid = '']) => [['creds', uid, gid, '-']])(steps.slice(join))];
};

/** Of volumes; not where they are taken up again in the namespace of the pod. */
const treeFlags = (change: (flags: string) => string): Edit =>
  each('tree', ([key = '', path = '', flags = '']) => [
    ['tree', key, path, key.startsWith('mount:') && !path.startsWith('/dev/') ? change(flags) : flags],
  ]);

const unshareWithout = (types: readonly string[]): Edit =>
  each('unshare', ([flags = '']) => [
    [
      'unshare',
      flags
        .split(',')
        .filter((type) => !types.includes(type))
        .join(','),
    ],
  ]);

/** Without a user namespace of its own a program cannot have a capability that we lack. */
const noMoreThanWeHave = each('capabilities', ([permitted = '', ...rest]) => {
  const own = BigInt(`0x${statusOf(process.pid)?.effective ?? '0'}`);
  return [['capabilities', (BigInt(`0x${permitted}`) & own).toString(16).padStart(16, '0'), ...rest]];
});

const drop = (name: Step[0]): Edit => each(name, () => []);
const defaultMask = '00000000a80425fb';

/** A pod whose first process is another one, that the mutant has made. */
async function withInit(pod: TargetPod, steps: Parameters<typeof AttackProcess.start>[0]): Promise<TargetPod> {
  const attacker = await AttackProcess.start(steps);
  return replaced(pod, attacker.pid, () => attacker.close());
}

function replaced(pod: TargetPod, pid: number, close: () => Promise<void>): TargetPod {
  return {
    name: pod.name,
    declared: pod.declared,
    exec: (argv, options) => pod.exec(argv, options),
    init: {pid, startTime: startTimeOf(pid) ?? ''},
    remove: async () => {
      await close();
      await pod.remove();
    },
  };
}

export const mutants: readonly Mutant[] = [
  {
    id: 'identity-map',
    fault: 'both maps are the identity: a namespace that changes nothing',
    breakPlans: maps(identity),
  },
  {
    id: 'identity-gid-map',
    fault: 'the uid map is right, the gid map the identity',
    breakPlans: maps(correct, identity),
  },
  {
    id: 'hole-to-root',
    fault: 'one id in the middle of the map is root of the host',
    breakPlans: maps((base) => `0 ${base} 65000\n65000 0 1\n65001 ${base + 65_001} 535`, correct),
  },
  {
    id: 'root-to-root',
    fault: 'the first process is root of the host, all other ids are mapped away',
    breakPlans: maps((base) => `0 0 1\n1 ${base + 1} 65535`),
  },
  {id: 'base-of-users', fault: "the range begins among the host's own users", breakPlans: maps(() => '0 1000 65536')},
  {
    id: 'base-not-aligned',
    fault: 'the range begins beside a multiple of 65536',
    breakPlans: maps((base) => `0 ${base + 1} 65536`),
  },
  {id: 'short-map', fault: 'the range has 1000 ids', breakPlans: maps((base) => `0 ${base} 1000`)},
  {
    id: 'second-range',
    fault: 'a second line gives the pod a range of another',
    breakPlans: maps((base) => `0 ${base} 65536\n65536 ${base + 65_536} 65536`),
  },
  {
    id: 'same-range-twice',
    fault: 'two pods get the same range',
    breakPlans: (target) => {
      let first: Step | undefined;
      rewrite('userns', (steps) =>
        steps.map((step) => {
          if (step[0] !== 'newuserns') return step;
          first ??= step;
          return first;
        }),
      )(target);
    },
  },
  {
    id: 'same-namespace-twice',
    fault: 'the second pod is put into the user namespace of the first',
    breakPod: (() => {
      let first: TargetPod | undefined;
      return (pod, _, nth) => {
        if (nth === 0) first = pod;
        return nth === 1 && first ? replaced(pod, first.init.pid, () => Promise.resolve()) : pod;
      };
    })(),
  },
  {
    id: 'request-ignored',
    fault: 'hostUsers: false is ignored without a word',
    breakPlans: all(
      rewrite('userns', drop('newuserns')),
      rewrite('container', (steps) =>
        treeFlags((flags) => flags.replace(',idmap=pod', ''))(noMoreThanWeHave(notUser(steps))),
      ),
      rewrite('exec', (steps) => noMoreThanWeHave(notUser(steps))),
    ),
  },
  {
    id: 'owned-by-root',
    fault: "root of the host makes the pod's user namespace, so that all pods share its budgets",
    breakPlans: rewrite(
      'userns',
      each('newuserns', ([, , ...rest]) => [['newuserns', '0', '0', ...rest]]),
    ),
  },
  {
    id: 'groups-left-over',
    fault: "the first process keeps a group of the host's",
    breakPlans: rewrite('container', leftoverGroups),
  },
  {id: 'exec-keeps-groups', fault: "exec keeps a group of the host's", breakPlans: rewrite('exec', leftoverGroups)},
  {
    id: 'exec-keeps-ids',
    fault: 'exec joins the user namespace and forgets setresuid(2)',
    breakPlans: rewrite('exec', drop('creds')),
  },
  {
    id: 'exec-stays-outside',
    fault: 'exec joins every namespace but the user namespace',
    breakPlans: rewrite('exec', notUser),
  },
  {id: 'exec-gains-privileges', fault: 'exec forgets no_new_privs', breakPlans: rewrite('exec', drop('nonewprivs'))},
  {
    id: 'exec-keeps-bounding',
    fault: 'exec does not limit the bounding set',
    breakPlans: rewrite('exec', drop('bounding')),
  },
  {
    id: 'capabilities-ignored',
    fault: 'a pod that asked for every capability gets the default ones',
    breakPlans: all(
      ...(['container', 'exec'] as const).map((part) =>
        rewrite(part, (steps) =>
          each('capabilities', ([, ...rest]) => [['capabilities', defaultMask, ...rest]])(
            each('bounding', () => [['bounding', defaultMask]])(steps),
          ),
        ),
      ),
    ),
  },
  {
    id: 'uts-made-outside',
    fault: 'the UTS namespace is made before the user namespace, and belongs to the host',
    breakPlans: all(
      rewrite('userns', (steps) => [['unshare', 'uts'], ...steps]),
      rewrite('sandbox', (steps) => drop('hostname')(unshareWithout(['uts'])(steps))),
    ),
  },
  {
    id: 'uts-of-the-host',
    fault: 'the pod shares the UTS namespace of the host',
    breakPlans: rewrite('sandbox', (steps) => drop('hostname')(unshareWithout(['uts'])(steps))),
  },
  {
    id: 'plain-volume-shifted',
    fault: 'ids are shifted on a volume for which that was not asked',
    breakPlans: rewrite(
      'container',
      treeFlags((flags) => (flags.includes('idmap') ? flags : `${flags},idmap=pod`)),
    ),
  },
  {
    id: 'shifted-volume-plain',
    fault: 'ids are not shifted on a volume for which that was asked',
    breakPlans: rewrite(
      'container',
      treeFlags((flags) => flags.replace(',idmap=pod', '')),
    ),
  },
  {
    id: 'stdio-given-away',
    fault: "the file that is the pod's standard input is given to the pod",
    breakPod: (pod, {stdio}) => {
      const base = pod.declared.uids?.[0]?.hostId;
      if (stdio?.stdin !== undefined && base !== undefined) chownSync(stdio.stdin, base, base);
      return pod;
    },
  },
  {
    id: 'folder-left-open',
    fault: 'a folder of the host is left open in the first process',
    breakPod: (pod) =>
      withInit(pod, [
        ['keep', 'leak', '/etc', '0'],
        ['process', String(pod.init.pid), pod.init.startTime],
        ['join', 'mnt,pid,net,ipc,uts,cgroup'],
        ['user', 'join'],
      ]),
  },
  {
    id: 'setgroups-denied',
    fault: 'setgroups(2) is denied in the pod, as in a namespace that a user maps for itself',
    breakPod: async (pod) => {
      const attacker = await AttackProcess.start([]);
      const held = await attacker.hold([
        ['unshare', '-', '!', String(0x10000000)],
        ['openat', 'file', '!', '-100', 's/proc/self/setgroups', '1', '0'],
        ['write', '-', '!', 'rfile', 'sdeny', '4'],
      ]);
      const pid = held.number ?? -1;
      for (const file of ['uid_map', 'gid_map'] as const)
        writeFileSync(`/proc/${pid}/${file}`, readIdMapText(pod.init.pid, file)?.trim() ?? '');
      return replaced(pod, pid, () => attacker.close());
    },
  },
];

/** The target that a mutant is. */
export async function openMutant(mutant: Mutant, options: NodeOptions): Promise<Target> {
  const target = await SubrootTarget.open(options);
  mutant.breakPlans?.(target);
  const {breakPod} = mutant;
  if (!breakPod) return target;
  let nth = 0;
  return {
    description: target.description,
    existing: [],
    has: (ability) => target.has(ability),
    start: async (request) => await breakPod(await target.start(request), request, nth++),
    close: () => target.close(),
  };
}
