import {
  type CapabilityName,
  capabilityNames,
  defaultCapabilities,
  parseCapabilities,
} from '../../native-free/capability.ts';
import type {ContainerConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {INVALID_ID} from '../../native-free/ids.ts';
import type {ProgramIdentity} from './container-plan.ts';
import {mappingsOf} from './mappings.ts';
import type {SandboxRecord} from './state-store.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Ids, capabilities and environment of a container's programs: its init and whatever is exec'ed into it. Errors:
 * SUBROOT_CONFIG_INVALID for an unknown capability or an id outside the pod's map. Source: cri-v1 facts §8, §13.
 */
export function programOf(config: ContainerConfig, sandbox: SandboxRecord): ProgramIdentity {
  const context = config.linux?.securityContext;
  const drop = parseCapabilities(context?.capabilities?.dropCapabilities ?? []);
  const add = parseCapabilities(context?.capabilities?.addCapabilities ?? []);
  const unknown = [...drop.unknown, ...add.unknown];
  if (unknown.length > 0)
    throw subrootError('SUBROOT_CONFIG_INVALID', {
      field: 'capabilities',
      why: `there is no capability ${unknown.join(', ')}`,
    });
  const base: ReadonlySet<CapabilityName> = context?.privileged ? new Set(capabilityNames) : defaultCapabilities;
  const bounding = new Set([...base].filter((name) => !drop.capabilities.has(name)));
  for (const name of add.capabilities) bounding.add(name);
  const uid = context?.runAsUser?.value ?? 0;
  const gid = context?.runAsGroup?.value ?? 0;
  const groups = context?.supplementalGroups ?? [];
  requireIds(sandbox, {run_as_user: [uid]}, {run_as_group: [gid], supplemental_groups: groups});
  const env = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOSTNAME', hostnameOf(sandbox)],
    ['HOME', uid === 0 ? '/root' : '/'],
  ]);
  if (config.tty) env.set('TERM', 'xterm');
  for (const {key, value} of config.envs ?? []) env.set(key, value);
  return {
    uid,
    gid,
    groups,
    bounding,
    noNewPrivs: context?.noNewPrivs ?? true,
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

export function hostnameOf({config}: SandboxRecord): string {
  return config.hostname || config.metadata.name;
}

/** Owner of a program's streams, as the agent's ids: `UID:GID`. */
export function ownerOf(sandbox: SandboxRecord, program: ProgramIdentity): string {
  const mappings = mappingsOf(sandbox.config);
  return `${(mappings?.uids.hostId ?? 0) + program.uid}:${(mappings?.gids.hostId ?? 0) + program.gid}`;
}
