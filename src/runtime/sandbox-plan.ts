import type {Step} from '../host/step.ts';
import {holdUserland, placeUserland, type UserlandEntry} from './userland.ts';

/** Where a new root is put before pivot_root(2): any folder that exists everywhere; the machine's own is not touched. */
export const rootMountPoint = '/dev';

export interface SandboxPlanInput {
  readonly userland: readonly UserlandEntry[];
  /** The agent's key of the prepared user namespace; undefined shares the node's. */
  readonly usernsKey: string | undefined;
  readonly hostname: string;
  /** `-` where setgroups(2) is denied (a single-id map). */
  readonly groups: '' | '-';
  /** Dies with its agent. */
  readonly bound: boolean;
}

/**
 * The plan of a sandbox's holder: the process that keeps the pod's namespaces. It sits in a root of its own (the userland and
 * /dev/shm, nothing else), has no capability, reaps what falls to it, and is pid 1 of the pod: killing it ends the pod.
 */
export function planSandbox(input: SandboxPlanInput): Step[] {
  const namespaces = 'mnt,pid,net,ipc,uts,cgroup';
  return [
    ...holdUserland(input.userland),
    ...(input.usernsKey === undefined
      ? []
      : ([
          ['joinheld', 'user', input.usernsKey],
          ['creds', '0', '0', input.groups],
        ] satisfies Step[])),
    ['unshare', namespaces],
    ['mount', '', '/', '', 'rec,private', ''],
    ['fs', 'root', 'tmpfs', 'nosuid,nodev', 'mode=0755', 'size=64k'],
    ['fs', 'shm', 'tmpfs', 'nosuid,nodev,noexec', 'mode=1777', 'size=65536k'],
    ['attach', 'root', rootMountPoint],
    ['pivot', rootMountPoint],
    ...placeUserland(input.userland),
    ['mkdirs', '/dev/shm', '0755'],
    ['attach', 'shm', '/dev/shm'],
    ['hostname', input.hostname],
    ['loopback'],
    ['fork'],
    ['whoami'],
    ...(input.bound ? ([['pdeathsig', 'KILL']] satisfies Step[]) : []),
    ['setsid'],
    ['bounding', '0'],
    ['capabilities', '0', '0', '0'],
    ['nonewprivs'],
    ['ignorechildren'],
    ['env', 'PATH', '/usr/bin:/bin'],
    ['exec', 'sleep', 'infinity'],
  ];
}
