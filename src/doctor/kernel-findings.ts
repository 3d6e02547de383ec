import {printable} from '../../native-free/errors.ts';
import type {MachineFacts} from './facts.ts';
import {type Finding, realModes} from './finding.ts';

const needed = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;
/** Namespaces still free below which a machine is nearly full. */
const FEW_LEFT = 16;

/** What the kernel is and allows. */
export function judgeKernel(facts: MachineFacts): Finding[] {
  return [
    judgeVersion(facts),
    judgeNamespaces(facts),
    judgeLimit(facts),
    ...judgeClone(facts),
    ...judgeApparmorRestriction(facts),
    ...judgeApparmorLabel(facts),
    judgeSeccomp(facts),
  ];
}

/** Source: mount_setattr(2) and idmapped mounts 5.12 (every plan needs the call), overlay on them 5.19, of tmpfs 6.3 (KEP-127, mount_setattr(2)). */
const steps: readonly (readonly [major: number, minor: number, what: string])[] = [
  [5, 19, 'overlay on idmapped layers (5.19)'],
  [6, 3, 'idmapped tmpfs (6.3)'],
];

function isOlder(release: string, major: number, minor: number): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) < major || (Number(a) === major && Number(b) < minor);
}

function judgeVersion({kernel}: MachineFacts): Finding {
  const base = {
    id: 'kernel-version',
    layer: 'kernel',
    expected: 'Linux 6.3 or later, 5.12 at least',
    affects: realModes,
  } as const;
  const found = `Linux ${printable(kernel)}`;
  if (isOlder(kernel, 5, 12))
    return {
      ...base,
      severity: 'fail',
      found: `${found} has no mount_setattr(2) (5.12), which every plan needs`,
      mend: 'run a newer kernel; Debian 12, Ubuntu 22.04 and RHEL 9 have one',
    };
  const missing = steps.filter(([major, minor]) => isOlder(kernel, major, minor)).map(([, , what]) => what);
  if (missing.length === 0) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found: `${found} has no ${missing.join(', no ')}`,
    mend: 'run Linux 6.3 or later, or keep volumes on file systems that need no idmapped mount',
  };
}

function judgeNamespaces({namespaces}: MachineFacts): Finding {
  const base = {id: 'namespaces', layer: 'kernel', expected: needed.join(' '), affects: realModes} as const;
  const missing = needed.filter((name) => !namespaces.includes(name));
  if (missing.length === 0) return {...base, severity: 'ok', found: 'the kernel has every kind that a pod needs'};
  return {
    ...base,
    severity: 'fail',
    found: `/proc/self/ns has no ${missing.join(', ')}`,
    mend: `run a kernel built with ${missing.map((name) => `CONFIG_${configOf[name]}`).join(', ')}`,
  };
}

const configOf: Readonly<Record<(typeof needed)[number], string>> = {
  user: 'USER_NS',
  mnt: 'NAMESPACES',
  pid: 'PID_NS',
  net: 'NET_NS',
  ipc: 'IPC_NS',
  uts: 'UTS_NS',
  cgroup: 'CGROUPS',
};

function judgeLimit({maxUserNamespaces, ids}: MachineFacts): Finding {
  const live = ids.live.length;
  const base = {
    id: 'max-user-namespaces',
    layer: 'kernel limit',
    expected: `user.max_user_namespaces well above the ${live} in use`,
    affects: realModes,
  } as const;
  if (maxUserNamespaces === undefined)
    return {
      ...base,
      severity: 'warn',
      found: '/proc/sys/user/max_user_namespaces cannot be read',
      mend: 'mount /proc, or run where it is visible',
    };
  if (maxUserNamespaces === 0)
    return {
      ...base,
      severity: 'fail',
      found:
        'user.max_user_namespaces is 0: creating one fails with ENOSPC, "No space left on device", and it is not your disk',
      mend: 'as root: `sysctl -w user.max_user_namespaces=15000` (and the same in /etc/sysctl.d/ to keep it)',
    };
  const found = `user.max_user_namespaces is ${maxUserNamespaces}, ${live} seen in use`;
  if (maxUserNamespaces - live >= FEW_LEFT) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found,
    mend: `as root: \`sysctl -w user.max_user_namespaces=${Math.max(15_000, live * 4)}\``,
  };
}

function isPrivileged({effective}: MachineFacts): boolean {
  return effective.has('CAP_SYS_ADMIN');
}

/** The Debian-only switch; where the kernel has none there is nothing to say. */
function judgeClone(facts: MachineFacts): Finding[] {
  const {unprivilegedUsernsClone} = facts;
  if (unprivilegedUsernsClone === undefined) return [];
  const base = {
    id: 'unprivileged-userns-clone',
    layer: 'kernel limit',
    expected: 'kernel.unprivileged_userns_clone = 1',
    affects: ['subid', 'single'],
  } as const;
  const found = `kernel.unprivileged_userns_clone is ${unprivilegedUsernsClone}`;
  if (unprivilegedUsernsClone !== 0 || isPrivileged(facts)) return [{...base, severity: 'ok', found}];
  return [
    {
      ...base,
      severity: 'fail',
      found: `${found}: unshare(2) of a user namespace fails with EPERM for you`,
      mend: 'as root: `sysctl -w kernel.unprivileged_userns_clone=1`, or run subroot as root (host mode)',
    },
  ];
}

/** The profile that lets our agent keep its capabilities, for the perl of this machine. */
export function apparmorProfile(perl: string): readonly string[] {
  const head = `profile subroot-agent ${perl} flags=(unconfined) {`;
  return ['abi <abi/4.0>,', 'include <tunables/global>', head, '  userns,', '}'];
}

function judgeApparmorRestriction(facts: MachineFacts): Finding[] {
  const {apparmor, perl} = facts;
  if (apparmor.restrictUserns === undefined) return [];
  const base = {
    id: 'apparmor-userns',
    layer: 'LSM',
    expected: 'kernel.apparmor_restrict_unprivileged_userns = 0, or a profile of ours that has "userns,"',
    affects: ['subid', 'single'],
  } as const;
  const found = `kernel.apparmor_restrict_unprivileged_userns is ${apparmor.restrictUserns}`;
  if (apparmor.restrictUserns === 0 || isPrivileged(facts)) return [{...base, severity: 'ok', found}];
  const label = apparmor.label ?? 'unknown';
  const unshare = apparmor.unshareProfile
    ? ' (children of unshare(1) may not even mount: profile unshare-userns-restrict)'
    : '';
  if (label.startsWith('subroot'))
    return [{...base, severity: 'ok', found: `${found}, and we run under the profile ${printable(label)}`}];
  const profile = apparmorProfile(perl?.path ?? '/usr/bin/perl')
    .map((line) => `'${line}'`)
    .join(' ');
  return [
    {
      ...base,
      severity: 'fail',
      found: `${found} and our label is ${printable(label)}: user namespaces are made without capabilities${unshare}`,
      mend: `as root, the profile: \`printf '%s\\n' ${profile} > /etc/apparmor.d/subroot-agent && apparmor_parser -r /etc/apparmor.d/subroot-agent\`; or for every program: \`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\``,
    },
  ];
}

function judgeApparmorLabel({apparmor}: MachineFacts): Finding[] {
  const {label} = apparmor;
  if (label === undefined) return [];
  const base = {id: 'apparmor-label', layer: 'LSM', expected: 'unconfined', affects: realModes} as const;
  const name = printable(label);
  if (label.startsWith('unconfined') || label.includes('(unconfined)') || label.startsWith('subroot'))
    return [{...base, severity: 'ok', found: `our AppArmor label is ${name}`}];
  if (/^(?:unprivileged_userns|unshare-userns-restrict|unpriv_\w+)/.test(label))
    return [
      {
        ...base,
        severity: 'fail',
        found: `our AppArmor label is ${name}: capabilities in user namespaces and mounts are denied`,
        mend: 'start subroot from a shell that was not started by unshare(1)',
      },
    ];
  return [
    {
      ...base,
      severity: 'warn',
      found: `our AppArmor label is ${name}, a profile that may deny mounts`,
      mend: 'run outside of that profile (for a container: `--security-opt apparmor=unconfined`), or try it: `subroot doctor --try`',
    },
  ];
}

function judgeSeccomp(facts: MachineFacts): Finding {
  const base = {
    id: 'seccomp',
    layer: 'seccomp',
    expected: 'no filter that denies unshare, setns and mount',
    affects: realModes,
  } as const;
  const {seccomp, container} = facts;
  if (seccomp === 0) return {...base, severity: 'ok', found: 'no seccomp filter on us'};
  if (seccomp === 1)
    return {
      ...base,
      severity: 'fail',
      found: 'we run in strict seccomp mode',
      mend: 'start subroot from an ordinary shell',
    };
  if (isPrivileged(facts) && container === undefined)
    return {
      ...base,
      severity: 'ok',
      found: 'a seccomp filter is on us; we have CAP_SYS_ADMIN, which the usual filters ask for',
    };
  const where = container === undefined ? '' : ` (we are in a container: ${printable(container)})`;
  return {
    ...base,
    severity: 'warn',
    found: `a seccomp filter is on us${where}; the default one of containers denies unshare(2) and mount(2) without CAP_SYS_ADMIN`,
    mend: 'start the container with a profile that allows them (`--security-opt seccomp=unconfined`, or in a pod `seccompProfile: {type: Unconfined}`), or run on the host',
  };
}
