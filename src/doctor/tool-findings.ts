import {printable} from '../../native-free/errors.ts';
import {hostRanges} from '../../native-free/id-map.ts';
import {formatRanges, type IdRange, subtract} from '../../native-free/id-range.ts';
import type {ContainerTool, MachineFacts, ToolFact} from './facts.ts';
import {type Finding, realModes} from './finding.ts';
import {grantedRanges} from './subordinate-findings.ts';

/** The first versions that honour hostUsers: false. Source: KEP-127; containerd, CRI-O, runc and crun release notes. */
const floors: Readonly<Partial<Record<ContainerTool, readonly [major: number, minor: number]>>> = {
  kubelet: [1, 30],
  containerd: [2, 0],
  crio: [1, 25],
  runc: [1, 2],
  crun: [1, 9],
};

/** The other tools on this machine: versions that are too old for user namespaces in Kubernetes, and a podman that remembers. */
export function judgeTools(facts: MachineFacts): Finding[] {
  return [judgeNode(facts), judgeVersions(facts), ...judgePodman(facts)];
}

export function isOlderThan(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(a) < major || (Number(a) === major && Number(b) < minor);
}

function judgeNode({node}: MachineFacts): Finding {
  const base = {id: 'node-version', layer: 'agent', expected: 'Node.js 20.19 or later', affects: realModes} as const;
  const found = `Node.js ${printable(node)}`;
  if (!isOlderThan(node, [20, 19])) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'fail',
    found,
    mend: 'install Node.js 20.19 or later (https://nodejs.org, `nvm install 22`)',
  };
}

/** Tools below the floor, with the floor. */
export function toolsBelowFloor(tools: readonly ToolFact[]): readonly string[] {
  return tools.flatMap(({name, version}) => {
    const floor = floors[name];
    if (floor === undefined || version === undefined || !isOlderThan(version, floor)) return [];
    return [`${name} ${printable(version)} (${floor.join('.')} is needed)`];
  });
}

function judgeVersions({tools}: MachineFacts): Finding {
  const base = {
    id: 'container-tools',
    layer: 'container',
    expected:
      'for hostUsers: false in Kubernetes: kubelet 1.30, containerd 2.0 or CRI-O 1.25, runc 1.2 or crun 1.9; subroot needs none of them',
    affects: [],
  } as const;
  const shown = tools.map(({name, version}) => `${name} ${printable(version ?? '(no version)')}`).join(', ');
  if (tools.length === 0) return {...base, severity: 'ok', found: 'no other container tool is installed'};
  const old = toolsBelowFloor(tools);
  const isNode = tools.some(({name}) => name === 'kubelet');
  if (old.length === 0) return {...base, severity: 'ok', found: shown};
  const found = `${shown}; too old for hostUsers: false: ${old.join(', ')}`;
  if (!isNode) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: 'upgrade them before pods of this node ask for a user namespace'};
}

/** podman joins the namespace of its pause process, which keeps the map that was granted when it began. Source: podman system migrate(1). */
function judgePodman(facts: MachineFacts): Finding[] {
  const {user, ids} = facts;
  if (!facts.tools.some(({name}) => name === 'podman' || name === 'buildah')) return [];
  const kept = ids.live.filter(({command, owner}) => owner === user.uid && /^(?:catatonit|podman)/.test(command));
  const base = {
    id: 'podman-outer-namespace',
    layer: 'subordinate ids',
    expected: "podman's pause process with the ids that /etc/subuid grants now",
    affects: [],
  } as const;
  if (kept.length === 0) return [{...base, severity: 'ok', found: 'no pause process of podman keeps an old map'}];
  const own: IdRange = {start: user.uid, size: 1};
  const granted = grantedRanges(facts, 'uid');
  return kept.map(({pid, uidMap}) => {
    const mapped = subtract(hostRanges(uidMap), [own]);
    const foreign = subtract(mapped, granted);
    const missing = subtract(granted, mapped);
    if (foreign.length + missing.length === 0)
      return {...base, severity: 'ok', found: `pid ${pid} of podman has the map of today's grant`};
    return {
      ...base,
      severity: 'warn',
      found: `pid ${pid} of podman keeps the ids ${formatRanges(mapped) || 'none'}, and ${formatRanges(granted) || 'none'} are granted: new containers get the old ones`,
      mend: '`podman system migrate` (it stops your containers)',
    };
  });
}
