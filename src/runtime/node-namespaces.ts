import {hostname} from 'node:os';
import type {NamespaceOption, PodSandboxConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {sysctlNamespaceOf, sysctlPathOf} from '../../native-free/sysctl-name.ts';
import {mappingsOf} from './mappings.ts';
import type {NodeShares} from './sandbox-plan.ts';
import type {SandboxRecord} from './state-store.ts';

/** Which namespaces of the node a sandbox lives in. */
export function sharesOf(config: PodSandboxConfig): NodeShares {
  const options = config.linux?.securityContext?.namespaceOptions;
  return {network: options?.network === 'NODE', pid: options?.pid === 'NODE', ipc: options?.ipc === 'NODE'};
}

/** The host name that a sandbox's programs see: the machine's on its network. */
export function hostnameOf(config: PodSandboxConfig): string {
  return sharesOf(config).network ? hostname() : config.hostname || config.metadata.name;
}

/**
 * Refuses modes of namespaces that mean nothing. A pod with a user namespace has no power over the node's namespaces: the kernel would refuse
 * its mounts of /proc and /sys there, and Kubernetes refuses the pod. Throws SUBROOT_CONFIG_INVALID.
 */
export function requireNamespaces(options: NamespaceOption | undefined, hasUserns: boolean): void {
  const refuse = (field: string, why: string) =>
    subrootError('SUBROOT_CONFIG_INVALID', {field: `namespace_options.${field}`, why});
  const modes = {network: options?.network ?? 'POD', ipc: options?.ipc ?? 'POD', pid: options?.pid ?? 'CONTAINER'};
  for (const [field, mode] of Object.entries(modes)) {
    const known = field === 'pid' ? ['POD', 'CONTAINER', 'NODE'] : ['POD', 'NODE'];
    if (!known.includes(mode)) throw refuse(field, `mode ${mode} is not supported; it must be ${known.join(' or ')}`);
    if (mode === 'NODE' && hasUserns)
      throw refuse(field, 'a pod with a user namespace of its own cannot have the namespace of the node (mode NODE)');
  }
}

/** Refuses a container that asks for other namespaces than its sandbox has: it would get the sandbox's. Throws SUBROOT_CONFIG_INVALID. */
export function requireSandboxNamespaces(options: NamespaceOption | undefined, sandbox: PodSandboxConfig): void {
  if (!options) return;
  requireNamespaces(options, mappingsOf(sandbox) !== undefined);
  const pods = sandbox.linux?.securityContext?.namespaceOptions;
  const fields = [
    ['network', options.network, pods?.network ?? 'POD'],
    ['ipc', options.ipc, pods?.ipc ?? 'POD'],
    ['pid', options.pid, pods?.pid ?? 'CONTAINER'],
  ] as const;
  for (const [field, own, shared] of fields) {
    if (own === undefined || own === shared) continue;
    const why = `it is ${own}, and the sandbox has ${shared}; all containers of a pod have the same`;
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: `namespace_options.${field}`, why});
  }
}

/**
 * Paths and values of a sandbox's sysctls, in the order of the request. Throws SUBROOT_CONFIG_INVALID for one that no namespace of the sandbox
 * has for itself: writing it would change the machine.
 */
export function sysctlsOf(config: PodSandboxConfig): (readonly [path: string, value: string])[] {
  const shares = sharesOf(config);
  return Object.entries(config.linux?.sysctls ?? {}).map(([name, value]) => {
    const refuse = (why: string) => subrootError('SUBROOT_CONFIG_INVALID', {field: `linux.sysctls.${name}`, why});
    const path = sysctlPathOf(name);
    if (path === undefined) throw refuse('it is no name of a sysctl');
    const namespace = sysctlNamespaceOf(name);
    if (namespace === undefined)
      throw refuse('it is of no network or IPC namespace, and would change the whole machine');
    if (namespace === 'net' ? shares.network : shares.ipc)
      throw refuse(
        `the pod shares the ${namespace === 'net' ? 'network' : 'IPC'} namespace of the node, and it would be changed for all`,
      );
    return [path, value];
  });
}

/** Whether a sandbox can be one that was made before anybody asked for it. */
export function isPlain(config: PodSandboxConfig): boolean {
  const hasSysctls = Object.keys(config.linux?.sysctls ?? {}).length > 0;
  return mappingsOf(config) !== undefined && !hasSysctls && config.linux?.securityContext?.seccomp === undefined;
}

/** For the agent: root of an outer namespace may not join the node's pid namespace, in which it is already. */
export function pidOptionsOf({mode, config}: Pick<SandboxRecord, 'mode' | 'config'>): Record<string, string> {
  return mode !== 'host' && sharesOf(config).pid ? {nodepid: '1'} : {};
}
