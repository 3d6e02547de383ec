import type {CapabilityName} from '../../native-free/capability.ts';
import {printable} from '../../native-free/errors.ts';
import {containerRanges, formatProcIdMap, isIdentity} from '../../native-free/id-map.ts';
import {countIds, intersect} from '../../native-free/id-range.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import type {MachineFacts} from './facts.ts';
import {type Finding, realModes} from './finding.ts';

/** Host mode refuses to start without these. */
const neededByHost: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_ADMIN',
];

/** Without these it starts, and files or processes of others may be closed to it. */
const usefulToHost: readonly CapabilityName[] = ['CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE'];

/** Who we are and where: namespaces around us, root, capabilities, no_new_privs. */
export function judgeIdentity(facts: MachineFacts): Finding[] {
  return [
    judgePlace(facts),
    judgeRoot(facts),
    ...(facts.user.uid === 0 ? [judgeCapabilities(facts), judgeResource(facts), judgeHostIds(facts)] : []),
    judgeNoNewPrivs(facts),
  ];
}

function judgePlace(facts: MachineFacts): Finding {
  const {isInitialUserns, container, selfUidMap} = facts;
  const base = {
    id: 'already-in-userns',
    layer: 'container',
    expected: 'the initial user namespace',
    affects: realModes,
  } as const;
  const where = container === undefined ? '' : `, in a container (${printable(container)})`;
  if (isInitialUserns) return {...base, severity: 'ok', found: `we are in the initial user namespace${where}`};
  const map = formatProcIdMap(selfUidMap).trim().replaceAll(/ +/g, ' ').replaceAll('\n', '; ') || 'not written';
  const identity = isIdentity(selfUidMap) ? ' (it looks like the host, and it is not)' : '';
  return {
    ...base,
    severity: 'warn',
    found: `we are in a user namespace already${where}: uid_map ${map}${identity}; "host" means this namespace from here on`,
    mend: 'nothing, if that is meant; else run subroot outside. Compare pods with the map above, not with 4294967295',
  };
}

function judgeRoot({user}: MachineFacts): Finding {
  const base = {id: 'host-root', layer: 'kernel', expected: 'effective uid 0', affects: ['host']} as const;
  if (user.uid === 0) return {...base, severity: 'ok', found: 'we are uid 0'};
  const name = user.name === undefined ? '' : ` (${printable(user.name)})`;
  return {
    ...base,
    severity: 'fail',
    found: `we are uid ${user.uid}${name}, who may not write maps for other ids`,
    mend: 'run subroot as root (`sudo subroot …`), or use the mode subid',
  };
}

function judgeCapabilities({effective}: MachineFacts): Finding {
  const base = {
    id: 'host-capabilities',
    layer: 'kernel',
    expected: [...neededByHost, ...usefulToHost].join(' '),
    affects: ['host'],
  } as const;
  const missing = neededByHost.filter((name) => !effective.has(name));
  const lacking = usefulToHost.filter((name) => !effective.has(name));
  if (missing.length + lacking.length === 0)
    return {...base, severity: 'ok', found: 'we have every capability that host mode needs'};
  const all = [...missing, ...lacking];
  const flags = all.map((name) => `--cap-add ${name.slice('CAP_'.length)}`).join(' ');
  return {
    ...base,
    severity: missing.length > 0 ? 'fail' : 'warn',
    found: `uid 0 without ${all.join(' ')}`,
    mend: `give them back: for a container \`${flags}\`; for a systemd service add them to CapabilityBoundingSet=`,
  };
}

function judgeResource({effective}: MachineFacts): Finding {
  const has = effective.has('CAP_SYS_RESOURCE');
  return {
    id: 'sys-resource',
    severity: 'ok',
    layer: 'kernel',
    found: has
      ? 'we have CAP_SYS_RESOURCE'
      : 'no CAP_SYS_RESOURCE: limits (prlimit, oom_score_adj below ours) can be lowered and not raised',
    expected: 'CAP_SYS_RESOURCE, for raising limits only',
    affects: ['host'],
  };
}

function judgeHostIds({selfUidMap, selfGidMap}: MachineFacts): Finding {
  const base = {
    id: 'host-ids',
    layer: 'kernel',
    expected: `at least one block of ${BLOCK_SIZE} ids above the first that our own namespace has`,
    affects: ['host'],
  } as const;
  const above = [{start: BLOCK_SIZE, size: 2 ** 32 - BLOCK_SIZE}];
  const both = intersect(intersect(containerRanges(selfUidMap), containerRanges(selfGidMap)), above);
  const blocks = both.reduce((sum, {start, size}) => {
    const first = Math.ceil(start / BLOCK_SIZE) * BLOCK_SIZE;
    return sum + Math.max(0, Math.floor((start + size - first) / BLOCK_SIZE));
  }, 0);
  if (blocks > 0) return {...base, severity: 'ok', found: `our namespace has ${blocks} whole blocks for pods`};
  return {
    ...base,
    severity: 'fail',
    found: `our own namespace has ${countIds(containerRanges(selfUidMap))} uids and no whole block above 65535: a pod's map would be refused with EPERM`,
    mend: 'start the outer container with more ids (a map of 131072 or more), or run subroot outside of it',
  };
}

function judgeNoNewPrivs({noNewPrivs}: MachineFacts): Finding {
  const base = {id: 'no-new-privs', layer: 'newuidmap policy', expected: 'NoNewPrivs: 0', affects: ['subid']} as const;
  if (!noNewPrivs) return {...base, severity: 'ok', found: 'no_new_privs is not set on us'};
  return {
    ...base,
    severity: 'fail',
    found:
      'no_new_privs is set on us: newuidmap gains nothing from its setuid bit and writing the map fails with EPERM',
    mend: 'start subroot without it (systemd: NoNewPrivileges=no; Docker: no `--security-opt no-new-privileges`; a pod: allowPrivilegeEscalation: true)',
  };
}
