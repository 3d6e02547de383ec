import type {Step} from '../host/step.ts';
import {mappingText, type PodMappings} from './mappings.ts';
import {holdUserland, placeUserland, type UserlandEntry} from './userland.ts';

/** Where a new root is put before pivot_root(2): any folder that exists everywhere; the machine's own is not touched. */
export const rootMountPoint = '/dev';

/** A filter of system calls as the agent loads it: flags of seccomp(2), and the program in hexadecimal. */
export interface SeccompFilter {
  readonly flags: number;
  readonly program: string;
}

/** Namespaces of the node that a pod lives in instead of its own. The host name goes with the network. */
export interface NodeShares {
  readonly network: boolean;
  readonly pid: boolean;
  readonly ipc: boolean;
}

export interface SandboxPlanInput {
  readonly userland: readonly UserlandEntry[];
  readonly hostname: string;
  /** Dies with its agent. */
  readonly bound: boolean;
  readonly shares: NodeShares;
  /** Paths below /proc/sys, of the sandbox's own namespaces, and their values. */
  readonly sysctls: readonly (readonly [path: string, value: string])[];
  /** Of the holder. */
  readonly seccomp?: SeccompFilter;
}

export interface UsernsPlanInput {
  readonly userland: readonly UserlandEntry[];
  /** The maps of the pod's user namespace; undefined shares the node's. */
  readonly mappings: PodMappings | undefined;
  /** `-` where setgroups(2) is denied (a single-id map). */
  readonly groups: '' | '-';
}

/**
 * The first part of a sandbox's plan, which can run ahead of its pod: the userland as detached mounts, and the mapped user
 * namespace, made as the pod's own base id so that its budgets (inotify, namespaces, keys) are its own.
 * Source: kernel/ucount.c, kubernetes-userns facts §9.3.
 */
export function planUserns({userland, mappings, groups}: UsernsPlanInput): Step[] {
  if (mappings === undefined) return [...holdUserland(userland), ['creds', '0', '0', groups]];
  const {uids, gids} = mappings;
  return [
    ...holdUserland(userland),
    ['newuserns', String(uids.hostId), String(gids.hostId), groups, mappingText([uids]), mappingText([gids])],
    ['creds', '0', '0', groups],
  ];
}

/**
 * The rest of a sandbox's plan, up to its holder: the process that keeps the pod's namespaces. It sits in a root of its own (the
 * userland and /dev/shm, nothing else), has no capability, reaps what falls to it, and is pid 1 of the pod: killing it ends the pod.
 */
export function planSandbox(input: SandboxPlanInput): Step[] {
  const {shares, seccomp} = input;
  const own = [
    'mnt',
    ...(shares.pid ? [] : ['pid']),
    ...(shares.network ? [] : ['net']),
    ...(shares.ipc ? [] : ['ipc']),
    ...(shares.network ? [] : ['uts']),
    'cgroup',
  ];
  return [
    ['unshare', own.join(',')],
    // The machine's /proc is still there, and /proc/sys shows the namespaces of who looks.
    ...input.sysctls.map(([path, value]): Step => ['sysctl', path, value]),
    ['mount', '', '/', '', 'rec,private', ''],
    ['fs', 'root', 'tmpfs', 'nosuid,nodev', 'mode=0755', 'size=64k'],
    shares.ipc
      ? ['tree', 'shm', '/dev/shm', 'nosuid,nodev,noexec']
      : ['fs', 'shm', 'tmpfs', 'nosuid,nodev,noexec', 'mode=1777', 'size=65536k'],
    ['attach', 'root', rootMountPoint],
    ['pivot', rootMountPoint],
    ...placeUserland(input.userland),
    ['mkdirs', '/dev/shm', '0755'],
    ['attach', 'shm', '/dev/shm'],
    ...(shares.network ? [] : ([['hostname', input.hostname], ['loopback']] satisfies Step[])),
    ['bounding', '0'],
    ['capabilities', '0', '0', '0'],
    ['nonewprivs'],
    ['fork'],
    // Before it tells its pid, so that an agent that is dead by then is noticed.
    ['pdeathsig', 'KILL'],
    ['whoami'],
    ...(input.bound ? [] : ([['outlive']] satisfies Step[])),
    ['setsid'],
    ['ignorechildren'],
    ['env', 'PATH', '/usr/bin:/bin'],
    ...(seccomp ? ([['seccomp', String(seccomp.flags), seccomp.program]] satisfies Step[]) : []),
    ['exec', 'sleep', 'infinity'],
  ];
}
