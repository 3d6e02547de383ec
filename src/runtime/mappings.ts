import type {IDMapping, NamespaceOption, PodSandboxConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {composeChain, type IdMap} from '../../native-free/id-map.ts';
import type {SandboxRecord} from './state-store.ts';

export interface PodMappings {
  readonly uids: IDMapping;
  readonly gids: IDMapping;
}

/**
 * Checks userns options as every CRI runtime does; undefined means the node's own namespace. Source: cri-v1 §7, containerd
 * internal/cri/server, cri-tools pkg/validate/security_context_linux.go.
 */
export function requireMappings(options: NamespaceOption | undefined): PodMappings | undefined {
  const userns = options?.usernsOptions;
  if (userns === undefined) return undefined;
  const refuse = (why: string) =>
    subrootError('SUBROOT_CONFIG_INVALID', {field: 'namespace_options.userns_options', why});
  if (userns.mode === 'NODE') {
    if (userns.uids.length > 0 || userns.gids.length > 0) throw refuse('mode NODE takes no mappings');
    return undefined;
  }
  if (userns.mode !== 'POD') throw refuse(`mode ${userns.mode} is not supported; it must be POD or NODE`);
  for (const [kind, list] of [
    ['uids', userns.uids],
    ['gids', userns.gids],
  ] as const) {
    if (list.length !== 1) throw refuse(`mode POD takes exactly one mapping in ${kind}, not ${list.length}`);
    for (const {containerId, hostId, length} of list) {
      if (containerId !== 0) throw refuse(`${kind} must map container id 0, not start at ${containerId}`);
      if (!Number.isInteger(length) || length < 1) throw refuse(`${kind} has length ${length}`);
      // Checked here because the kernel folds numbers past 2^32 and would install host root.
      if (!Number.isInteger(hostId) || hostId < 0 || hostId + length > 4_294_967_295)
        throw refuse(`${kind} reaches past 4294967294: ${hostId} + ${length}`);
    }
  }
  const [uids] = userns.uids;
  const [gids] = userns.gids;
  return uids && gids ? {uids, gids} : undefined;
}

/** The mappings a sandbox was made with. */
export function mappingsOf(config: PodSandboxConfig): PodMappings | undefined {
  return requireMappings(config.linux?.securityContext?.namespaceOptions);
}

/** Lines of a map as uid_map takes them. */
export function mappingText(mappings: readonly IDMapping[]): string {
  return mappings.map(({containerId, hostId, length}) => `${containerId} ${hostId} ${length}`).join('\n');
}

/** Maps from a pod's ids through the node's to those of the namespace subroot was started in, outermost first. Empty without a user namespace. */
export function chainOf(record: SandboxRecord, kind: 'uid' | 'gid'): IdMap[] {
  const mappings = mappingsOf(record.config);
  if (!mappings) return [];
  const {containerId, hostId, length} = kind === 'uid' ? mappings.uids : mappings.gids;
  const own: IdMap = [{containerId, hostId, size: length}];
  return record.outer ? [record.outer[kind], own] : [own];
}

/** The pod's map as its starter sees it: container ids → ids of the starter's namespace. */
export function mapOf(record: SandboxRecord, kind: 'uid' | 'gid'): IdMap {
  const chain = chainOf(record, kind);
  return chain.length === 0 ? [] : composeChain(chain);
}
