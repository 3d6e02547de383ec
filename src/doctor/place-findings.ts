import type {CapabilityName} from '../../native-free/capability.ts';
import {printable} from '../../native-free/errors.ts';
import {containerRanges} from '../../native-free/id-map.ts';
import {intersect} from '../../native-free/id-range.ts';
import type {MachineFacts} from './facts.ts';
import {type Finding, realModes} from './finding.ts';

const MAX_SHOWN = 8;
/** What a setuid-root newuidmap without libcap needs in the bounding set to write a map. Source: shadow 4.13 to 4.20, measured. */
const neededByHelper: readonly CapabilityName[] = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE'];

/** Where we stand: what our own process brings with it into every pod. */
export function judgeStanding(facts: MachineFacts): Finding[] {
  return [
    judgeChroot(facts),
    judgeSetgroups(facts),
    judgeGroups(facts),
    judgeBounding(facts),
    judgeOtherLimits(facts),
    judgeSelinux(facts),
    judgeYama(facts),
  ];
}

/** Source: kernel/user_namespace.c create_user_ns() → current_chrooted(), 6.18. */
function judgeChroot({chroot}: MachineFacts): Finding {
  const base = {
    id: 'chroot',
    layer: 'kernel',
    expected: '/ is the root of our mount namespace',
    affects: realModes,
  } as const;
  if (chroot !== true)
    return {
      ...base,
      severity: 'ok',
      found: chroot === false ? 'we are in no chroot' : 'nothing says that we are in a chroot',
    };
  return {
    ...base,
    severity: 'fail',
    found: 'we are in a chroot: unshare(2) of a user namespace fails with EPERM there',
    mend: 'enter that root with pivot_root(8) in a mount namespace of its own (`unshare --mount`), or run outside of it',
  };
}

function judgeSetgroups({setgroups}: MachineFacts): Finding {
  const base = {
    id: 'setgroups',
    layer: 'kernel',
    expected: 'setgroups allowed in our user namespace',
    affects: ['host', 'subid'],
  } as const;
  if (setgroups !== 'deny')
    return {
      ...base,
      severity: 'ok',
      found: setgroups === 'allow' ? 'setgroups is allowed' : '/proc/self/setgroups cannot be read',
    };
  return {
    ...base,
    severity: 'fail',
    found:
      'setgroups is denied in our user namespace, and every namespace below inherits that: a pod cannot drop the groups of its starter',
    mend: 'start the outer namespace with a range of gids (newgidmap), so that setgroups stays allowed; or use --mode single',
  };
}

/** A note: files that are open to us by a group are closed to pods. */
function judgeGroups({groups, user, ids}: MachineFacts): Finding {
  const others = groups.filter((gid) => gid !== user.gid);
  const names = others.slice(0, MAX_SHOWN).map((gid) => {
    const name = ids.groups.find((group) => group.gid === gid)?.name;
    return name === undefined ? String(gid) : printable(name);
  });
  const more = others.length > MAX_SHOWN ? ` and ${others.length - MAX_SHOWN} more` : '';
  return {
    id: 'supplementary-groups',
    severity: 'ok',
    layer: 'kernel',
    found:
      others.length === 0
        ? 'we have no supplementary groups'
        : `we are in the groups ${names.join(', ')}${more}: a pod is in none of them, and what they open to us is closed to it`,
    expected: 'files of pods that are not open by a group of ours only',
    affects: [],
  };
}

function judgeBounding({bounding, newuidmap}: MachineFacts): Finding {
  const base = {
    id: 'bounding-set',
    layer: 'newuidmap policy',
    expected: `${neededByHelper.join(' ')} in the bounding set`,
    affects: ['subid'],
  } as const;
  const missing = neededByHelper.filter((name) => !bounding.has(name));
  if (missing.length === 0) return {...base, severity: 'ok', found: 'the bounding set has all that newuidmap needs'};
  const hasFileCapability = newuidmap?.fileCapabilities?.has('CAP_SETUID') === true;
  return {
    ...base,
    severity: hasFileCapability ? 'warn' : 'fail',
    found: `the bounding set has no ${missing.join(', no ')}: a setuid newuidmap cannot write a map then`,
    mend: `give them back: \`${missing.map((name) => `--cap-add ${name.slice('CAP_'.length)}`).join(' ')}\` for a container, CapabilityBoundingSet= for a service`,
  };
}

function judgeOtherLimits({namespaceLimits}: MachineFacts): Finding {
  const base = {
    id: 'namespace-limits',
    layer: 'kernel limit',
    expected: 'user.max_mnt_namespaces, max_pid_namespaces and the like above 0',
    affects: realModes,
  } as const;
  const shown = Object.entries(namespaceLimits).map(([kind, limit]) => `${kind} ${limit}`);
  const none = Object.entries(namespaceLimits).filter(([, limit]) => limit < 16);
  if (none.length === 0)
    return {
      ...base,
      severity: 'ok',
      found: shown.length === 0 ? 'the limits cannot be read' : `the limits are ${shown.join(', ')}`,
    };
  const names = none.map(([kind, limit]) => `user.max_${kind}_namespaces is ${limit}`);
  return {
    ...base,
    severity: none.some(([, limit]) => limit === 0) ? 'fail' : 'warn',
    found: `${names.join(', ')}: one more fails with ENOSPC`,
    mend: `as root: \`sysctl -w ${none.map(([kind]) => `user.max_${kind}_namespaces=15000`).join(' ')}\``,
  };
}

function judgeSelinux({selinux}: MachineFacts): Finding {
  return {
    id: 'selinux',
    severity: 'ok',
    layer: 'LSM',
    found:
      selinux === undefined
        ? 'no SELinux here'
        : selinux === 'permissive'
          ? 'SELinux is permissive: it denies nothing'
          : 'SELinux is enforcing: what it denies is in `ausearch -m avc -ts recent` (volumes want a label, Linux 6.1 has a class user_namespace)',
    expected: 'a policy that lets this domain create user namespaces',
    affects: realModes,
  };
}

/** A note: subroot attaches to no process, other tools in pods do. */
function judgeYama({yamaPtraceScope}: MachineFacts): Finding {
  const meaning = [
    'attach to any process of yours',
    'attach to children',
    'attach with CAP_SYS_PTRACE',
    'attach to nothing',
  ];
  return {
    id: 'yama-ptrace',
    severity: 'ok',
    layer: 'LSM',
    found:
      yamaPtraceScope === undefined
        ? 'no Yama here'
        : `kernel.yama.ptrace_scope is ${yamaPtraceScope}: debuggers may ${meaning[yamaPtraceScope] ?? 'do what it says'}; subroot needs none of it`,
    expected: 'any: strace and gdb need 0 or 1',
    affects: [],
  };
}

/** Whether our own uid and gid have a name in our user namespace: without, none can be made below it. */
export function isOwnIdMapped({user, selfUidMap, selfGidMap}: MachineFacts): boolean {
  const has = (map: MachineFacts['selfUidMap'], id: number) =>
    intersect(containerRanges(map), [{start: id, size: 1}]).length > 0;
  return has(selfUidMap, user.uid) && has(selfGidMap, user.gid);
}
