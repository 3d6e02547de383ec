import {
  allCapabilities,
  type CapabilityName,
  type CapabilitySet,
  capabilityNames,
  defaultCapabilities,
  parseCapabilities,
} from '../../native-free/capability.ts';
import type {LinuxContainerSecurityContext} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {INVALID_ID} from '../../native-free/ids.ts';
import {nearest} from '../../native-free/nearest.ts';
import {oomScoreOf} from '../host/oom-score.ts';
import type {Accounting, ProgramIdentity} from './container-plan.ts';
import {userOf} from './container-user.ts';
import {mappingsOf} from './mappings.ts';
import {hostnameOf} from './node-namespaces.ts';
import type {ContainerRecord, SandboxRecord} from './state-store.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The capabilities of a request by name, with or without CAP_, or ALL. Throws SUBROOT_CONFIG_INVALID for a name that the kernel does not have. */
function namedCapabilities(field: string, names: readonly string[] = []): CapabilitySet {
  const {capabilities, unknown} = parseCapabilities(names);
  const [first] = unknown;
  if (first === undefined) return capabilities;
  const near = nearest(first.toUpperCase().replace(/^(CAP_)?/, 'CAP_'), [...capabilityNames, 'ALL']);
  const why = `there is no capability ${unknown.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`;
  throw subrootError('SUBROOT_CONFIG_INVALID', {field: `capabilities.${field}`, why});
}

/**
 * Bounding and ambient set of a container. `ALL` counts before the names beside it: drop ALL with add X is X alone, add ALL with drop X all
 * but X. Drop counts last. Source: containerd pkg/oci WithCapabilities as called by internal/cri/server/container_create_linux.go, 2.1.
 */
export function capabilitiesOf(context: LinuxContainerSecurityContext | undefined): {
  readonly bounding: CapabilitySet;
  readonly ambient: CapabilitySet;
} {
  const {addCapabilities, dropCapabilities, addAmbientCapabilities} = context?.capabilities ?? {};
  const isAll = (name: string) => name.toUpperCase() === 'ALL';
  const named = (names: readonly string[] = []) => names.filter((name) => !isAll(name));
  const drop = namedCapabilities('drop_capabilities', named(dropCapabilities));
  const add = namedCapabilities('add_capabilities', named(addCapabilities));
  const ambient = namedCapabilities('add_ambient_capabilities', addAmbientCapabilities);
  const bounding = new Set<CapabilityName>(context?.privileged ? allCapabilities : defaultCapabilities);
  if (addCapabilities?.some(isAll)) for (const name of capabilityNames) bounding.add(name);
  if (dropCapabilities?.some(isAll)) bounding.clear();
  for (const name of [...add, ...ambient]) bounding.add(name);
  for (const name of drop) bounding.delete(name);
  return {bounding, ambient: new Set([...ambient].filter((name) => bounding.has(name)))};
}

/** What of a container's record says who its programs are, and how they are counted. */
export type ProgramSource = Pick<ContainerRecord, 'config' | 'user' | 'seccomp' | 'cgroups' | 'resources'>;

/** The control groups and the OOM score of a container's programs. */
export function accountingOf({config, cgroups = [], resources}: ProgramSource): Accounting {
  const {oomScoreAdj} = resources ?? config.linux?.resources ?? {};
  return {cgroups, oomScoreAdj: oomScoreAdj === undefined ? undefined : oomScoreOf(oomScoreAdj)};
}

/**
 * Ids, capabilities, filter and environment of a container's programs: its init and whatever is exec'ed into it. Errors:
 * SUBROOT_CONFIG_INVALID for an unknown capability or user, or an id outside the pod's map. Source: cri-v1 facts §8, §13.
 */
export function programOf(
  {config, user = userOf(config), seccomp}: ProgramSource,
  sandbox: SandboxRecord,
): ProgramIdentity {
  const context = config.linux?.securityContext;
  const {uid, gid, home} = user;
  // With a map of one id no groups can be set.
  const groups = sandbox.mode === 'single' ? (context?.supplementalGroups ?? []) : user.groups;
  requireIds(sandbox, {run_as_user: [uid]}, {run_as_group: [gid], supplemental_groups: groups});
  const env = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOSTNAME', hostnameOf(sandbox.config)],
    ['HOME', home],
  ]);
  if (config.tty) env.set('TERM', 'xterm');
  for (const {key, value} of config.envs ?? []) env.set(key, value);
  return {
    uid,
    gid,
    groups,
    ...capabilitiesOf(context),
    noNewPrivs: context?.noNewPrivs ?? true,
    ...(seccomp ? {seccomp} : {}),
    cwd: config.workingDir || '/',
    env: [...env],
  };
}

type Ids = Readonly<Record<string, readonly number[]>>;

/** Throws SUBROOT_CONFIG_INVALID unless all ids, by field, are in the pod's map. To setresuid(2), -1 would mean "stay root". */
export function requireIds(sandbox: SandboxRecord, uids: Ids, gids: Ids): void {
  const mappings = mappingsOf(sandbox.config);
  for (const [fields, length] of [
    [uids, mappings?.uids.length],
    [gids, mappings?.gids.length],
  ] as const) {
    const last = (length ?? INVALID_ID) - 1;
    for (const [field, ids] of Object.entries(fields)) {
      const id = ids.find((each) => !Number.isInteger(each) || each < 0 || each > last);
      if (id === undefined) continue;
      const why =
        length === undefined ? `${id} is no id` : `id ${id} is not in the pod's map, which has ids 0 to ${last}`;
      throw subrootError('SUBROOT_CONFIG_INVALID', {field, why});
    }
  }
}

/** Owner of a program's streams, as the agent's ids: `UID:GID`. */
export function ownerOf(sandbox: SandboxRecord, program: ProgramIdentity): string {
  const mappings = mappingsOf(sandbox.config);
  return `${(mappings?.uids.hostId ?? 0) + program.uid}:${(mappings?.gids.hostId ?? 0) + program.gid}`;
}
