import {statSync} from 'node:fs';
import {isAbsolute} from 'node:path';
import type {IDMapping, Mount} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {mountOf} from '../host/mount-table.ts';
import type {Mode} from '../userns/mode.ts';
import type {PlannedMount} from './container-plan.ts';
import type {PodMappings} from './mappings.ts';

/** What a mount's plan depends on beside the mount. */
export interface MountContext {
  readonly mode: Mode;
  /** The pod's maps; undefined without a user namespace. */
  readonly mappings: PodMappings | undefined;
  /** Paths in here are mounts of the agent's own. */
  readonly agentFolder: string;
}

function refuse(field: string, why: string): Error {
  return subrootError('SUBROOT_CONFIG_INVALID', {field: `mounts.${field}`, why});
}

/**
 * A mount of a container as planned. Its source must be there, and what it asks for must be possible; whether its ids can be shifted
 * only the kernel knows. Errors: SUBROOT_CONFIG_INVALID.
 * Source: CRI v1 Mount; containerd internal/cri/opts/spec_linux_opts.go WithMounts, 2.1.
 */
export function planMount(mount: Mount, context: MountContext): PlannedMount {
  if (!isAbsolute(mount.containerPath)) throw refuse('container_path', `${mount.containerPath} is not a full path`);
  let isDirectory: boolean;
  try {
    isDirectory = statSync(mount.hostPath).isDirectory();
  } catch {
    throw refuse('host_path', `there is nothing at ${mount.hostPath}`);
  }
  const planned = mountAs(mount, context, isDirectory);
  if (planned.propagation !== 'private') requireSharing(mount, planned, context);
  return planned;
}

/** As planMount, for a source that need not be there: nothing of the machine is looked at. */
export function mountAs(mount: Mount, context: MountContext, isDirectory: boolean): PlannedMount {
  const {readonly = false, recursiveReadOnly = false, propagation = 'PROPAGATION_PRIVATE'} = mount;
  if (recursiveReadOnly && (!readonly || propagation !== 'PROPAGATION_PRIVATE'))
    throw refuse(
      'recursive_read_only',
      `${mount.containerPath} would have to be readonly, with private propagation, for it`,
    );
  return {
    hostPath: mount.hostPath,
    containerPath: mount.containerPath,
    readOnly: recursiveReadOnly ? 'all' : readonly ? 'top' : 'no',
    propagation: propagations[propagation],
    isDirectory,
    idmapped: requireSameIds(mount, context),
    ofHost: context.mode === 'host' && !mount.hostPath.startsWith(`${context.agentFolder}/`),
  };
}

const propagations = {
  PROPAGATION_PRIVATE: 'private',
  PROPAGATION_HOST_TO_CONTAINER: 'slave',
  PROPAGATION_BIDIRECTIONAL: 'shared',
} as const;

/** True when the mount's ids are to be shifted: by the pod's own maps, the only ones that a mount of a pod can have here. */
function requireSameIds({containerPath, uidMappings = [], gidMappings = []}: Mount, {mappings}: MountContext): boolean {
  if (uidMappings.length === 0 && gidMappings.length === 0) return false;
  if (mappings === undefined)
    throw refuse('uid_mappings', `${containerPath} has some, and the pod has no user namespace`);
  for (const [field, list, own] of [
    ['uid_mappings', uidMappings, mappings.uids],
    ['gid_mappings', gidMappings, mappings.gids],
  ] as const) {
    const [first, ...others] = list;
    if (!first || others.length > 0 || !isSame(first, own))
      throw refuse(field, `those of ${containerPath} are not those of the pod's user namespace`);
  }
  return true;
}

function isSame(a: IDMapping, b: IDMapping): boolean {
  return a.hostId === b.hostId && a.containerId === b.containerId && a.length === b.length;
}

function requireSharing({hostPath}: Mount, {propagation, ofHost}: PlannedMount, {mode}: MountContext): void {
  const entry = mountOf(hostPath);
  const point = entry?.point ?? '/';
  if (propagation === 'shared') {
    if (mode !== 'host')
      throw refuse(
        'propagation',
        `mounts of the pod are seen by the machine only in mode host, and this is mode ${mode}`,
      );
    if (!ofHost) throw refuse('propagation', `${hostPath} is a mount of subroot's own, which the machine does not see`);
    if (!entry?.isShared)
      throw refuse('propagation', `path ${hostPath} is mounted on ${point} but it is not a shared mount`);
  } else if (ofHost || mode !== 'host') {
    if (!entry?.isShared && !entry?.isSlave)
      throw refuse('propagation', `path ${hostPath} is mounted on ${point} but it is not a shared or slave mount`);
  }
}
