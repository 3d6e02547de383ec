import {
  type CapabilityName,
  capabilityNames,
  defaultCapabilities,
  parseCapability,
} from '../../native-free/capability.ts';
import type {ContainerView} from './pod-view.ts';
import type {Spot} from './spot.ts';

/**
 * What a capability is worth inside a user namespace. `works`: over what belongs to the pod's namespaces it does what it says. `partly`:
 * some of what it stands for is asked of the first user namespace. `void`: all of it is.
 */
export type CapabilityWorth = 'works' | 'partly' | 'void';

export interface CapabilityFacts {
  readonly worth: CapabilityWorth;
  /** What it can and cannot do in there. */
  readonly inside: string;
  /** What it still exposes, when granted in a user namespace; absent: nothing beyond the pod itself. */
  readonly risk?: string;
}

const kernelCode = 'the kernel code behind it is reached from the pod, and a bug there is a bug of the node';

/**
 * All 41. Source: user_namespaces(7) §Interaction, capabilities(7), and capable() against ns_capable() in Linux 6.18: what asks capable()
 * is void, what asks ns_capable() of a namespace that the pod owns works.
 */
export const capabilityFacts: Readonly<Record<CapabilityName, CapabilityFacts>> = {
  CAP_CHOWN: {worth: 'works', inside: 'on files whose owner and group are ids of the pod'},
  CAP_DAC_OVERRIDE: {worth: 'works', inside: 'on files whose owner and group are ids of the pod'},
  CAP_DAC_READ_SEARCH: {
    worth: 'partly',
    inside: "reads files whose ids are of the pod; open_by_handle_at of the node's file systems is refused",
  },
  CAP_FOWNER: {worth: 'works', inside: 'on files whose owner and group are ids of the pod'},
  CAP_FSETID: {worth: 'works', inside: 'on files whose owner and group are ids of the pod'},
  CAP_KILL: {worth: 'works', inside: 'on processes of the pod'},
  CAP_SETGID: {worth: 'works', inside: "to group ids of the pod's block"},
  CAP_SETUID: {worth: 'works', inside: "to user ids of the pod's block"},
  CAP_SETPCAP: {worth: 'works', inside: 'on its own sets'},
  CAP_LINUX_IMMUTABLE: {worth: 'void', inside: 'the flags of a file are asked of the first user namespace'},
  CAP_NET_BIND_SERVICE: {worth: 'works', inside: "in the pod's network"},
  CAP_NET_BROADCAST: {worth: 'works', inside: 'unused by the kernel'},
  CAP_NET_ADMIN: {
    worth: 'works',
    inside: "in the pod's network: interfaces, routes, nftables; nothing on the node's (hostNetwork)",
    risk: `${kernelCode}: nftables and traffic control have had many (CVE-2022-1015, CVE-2024-1086)`,
  },
  CAP_NET_RAW: {
    worth: 'works',
    inside: "in the pod's network",
    risk: 'forged packets (ARP, DNS) towards neighbours on the pod network',
  },
  CAP_IPC_LOCK: {
    worth: 'partly',
    inside: 'SHM_LOCK on shared memory of the pod works; mlock past the limit is asked of the first user namespace',
  },
  CAP_IPC_OWNER: {worth: 'works', inside: 'on IPC objects of the pod'},
  CAP_SYS_MODULE: {worth: 'void', inside: 'kernel modules are loaded for the whole node'},
  CAP_SYS_RAWIO: {worth: 'void', inside: "ports and raw memory are the node's"},
  CAP_SYS_CHROOT: {worth: 'works', inside: "in the pod's mounts"},
  CAP_SYS_PTRACE: {worth: 'works', inside: 'on processes of the pod'},
  CAP_SYS_PACCT: {worth: 'void', inside: "process accounting is the node's"},
  CAP_SYS_ADMIN: {
    worth: 'partly',
    inside:
      "mounts of tmpfs, overlay, bind and (with /dev/fuse) FUSE, proc when it is unmasked, the pod's host name and namespaces of its own; no block devices, no sysctls of the node, no quota, no swap",
    risk: `${kernelCode}: mounting has had several (CVE-2022-0185); seccomp RuntimeDefault then lets mount, unshare and setns through`,
  },
  CAP_SYS_BOOT: {
    worth: 'partly',
    inside: "reboot(2) ends the pod's init, as in every process id namespace; kexec is refused",
  },
  CAP_SYS_NICE: {
    worth: 'partly',
    inside: 'on processes of the pod where the kernel asks their namespace; real-time priorities are refused',
  },
  CAP_SYS_RESOURCE: {
    worth: 'void',
    inside: 'hard limits, quota and reserved space are asked of the first user namespace',
  },
  CAP_SYS_TIME: {worth: 'void', inside: "there is one clock, and it is the node's"},
  CAP_SYS_TTY_CONFIG: {worth: 'void', inside: "virtual terminals are the node's"},
  CAP_MKNOD: {worth: 'void', inside: "device nodes are refused in a user namespace (overlay's whiteouts excepted)"},
  CAP_LEASE: {worth: 'void', inside: 'leases on files of others are asked of the first user namespace'},
  CAP_AUDIT_WRITE: {worth: 'void', inside: "the audit log is the node's"},
  CAP_AUDIT_CONTROL: {worth: 'void', inside: "the audit log is the node's"},
  CAP_SETFCAP: {
    worth: 'works',
    inside: 'capabilities of files that count in this pod only (on volumes with shifted ids: see setuid-on-volume)',
  },
  CAP_MAC_OVERRIDE: {worth: 'void', inside: "policies of the LSM are the node's"},
  CAP_MAC_ADMIN: {worth: 'void', inside: "policies of the LSM are the node's"},
  CAP_SYSLOG: {worth: 'void', inside: "the kernel log is the node's"},
  CAP_WAKE_ALARM: {worth: 'void', inside: "alarms that wake the machine are the node's"},
  CAP_BLOCK_SUSPEND: {worth: 'void', inside: "suspending is the node's"},
  CAP_AUDIT_READ: {worth: 'void', inside: "the audit log is the node's"},
  CAP_PERFMON: {
    worth: 'void',
    inside: 'perf events of more than its own processes are asked of the first user namespace',
  },
  CAP_BPF: {
    worth: 'void',
    inside: 'loading programs is asked of the first user namespace, unless a BPF token is handed in (6.9)',
  },
  CAP_CHECKPOINT_RESTORE: {
    worth: 'partly',
    inside: "process ids of the pod's own namespace can be chosen; map_files and clock offsets are limited",
  },
};

/** A capability that a container has, and why. */
export interface ReviewedCapability {
  readonly capability: CapabilityName;
  readonly from: 'added' | 'default' | 'privileged';
  readonly worth: CapabilityWorth;
  readonly inside: string;
  readonly risk?: string;
  /** Absent when there is no reason to drop it. */
  readonly drop?: string;
}

/** A name in `add` or `drop`, with its place. */
export interface WrittenCapability {
  readonly spot: Spot;
  readonly text: string;
  /** Undefined when no capability has that name; `ALL` has none and is told by its text. */
  readonly capability: CapabilityName | undefined;
}

/** The names written in `capabilities.add` or `.drop`. */
export function writtenCapabilities(
  {securityContext}: ContainerView,
  list: 'add' | 'drop',
): readonly WrittenCapability[] {
  return (securityContext?.at('capabilities', list)?.items ?? []).flatMap((spot) =>
    spot.text === undefined ? [] : [{spot, text: spot.text, capability: parseCapability(spot.text)}],
  );
}

export const isAll = (text: string): boolean => text.toUpperCase() === 'ALL';

/** Every capability that the container would have, with what it is worth in a user namespace. In the kernel's order. */
export function reviewCapabilities(container: ContainerView): readonly ReviewedCapability[] {
  const privileged = container.securityContext?.get('privileged')?.value === true;
  const add = writtenCapabilities(container, 'add');
  const drop = writtenCapabilities(container, 'drop');
  const addsAll = add.some(({text}) => isAll(text));
  const dropsAll = drop.some(({text}) => isAll(text));
  return capabilityNames.flatMap((capability): ReviewedCapability[] => {
    const added = (addsAll && !dropsAll) || add.some((each) => each.capability === capability);
    const dropped = dropsAll || drop.some((each) => each.capability === capability);
    // ALL counts first, then names are added, then names are dropped. Source: containerd internal/cri/opts WithCapabilities, 2.0.
    const dropsName = drop.some((each) => each.capability === capability);
    const byDefault = defaultCapabilities.has(capability) && !dropped;
    const has = privileged || (added && !dropsName) || byDefault;
    if (!has) return [];
    const from = privileged ? 'privileged' : added && !dropsName ? 'added' : 'default';
    const {worth, inside, risk} = capabilityFacts[capability];
    const advice = dropAdvice(from, worth, risk);
    return [
      {
        capability,
        from,
        worth,
        inside,
        ...(risk === undefined ? {} : {risk}),
        ...(advice === undefined ? {} : {drop: advice}),
      },
    ];
  });
}

function dropAdvice(
  from: ReviewedCapability['from'],
  worth: CapabilityWorth,
  risk: string | undefined,
): string | undefined {
  if (worth === 'void') {
    return from === 'added'
      ? 'it does nothing in a user namespace: take it out of `add`, or keep hostUsers: true when the program cannot do without'
      : 'it does nothing in a user namespace: put it in `drop`';
  }
  if (risk !== undefined) return 'take it out unless the program uses it';
  return undefined;
}
