import type {IDMapping} from '../../native-free/cri.ts';
import type {IdMap} from '../../native-free/id-map.ts';
import {toHostId} from '../../native-free/id-map.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import type {PodMappings} from '../runtime/mappings.ts';
import type {ModeSetup} from '../userns/mode.ts';

/**
 * How the owners of a layer's files are kept on disk. `shifted`: as in the image, and every pod sees them through idmapped mounts of its
 * own; one tree for all pods. `owned`: by the ids of one block, for those who may not make idmapped mounts of this disk: a tree for each
 * block that pods get. `single`: all files are one id's.
 */
export type LayerView =
  | {readonly kind: 'shifted'; readonly name: string}
  | {readonly kind: 'owned'; readonly name: string; readonly mappings: PodMappings}
  | {readonly kind: 'single'; readonly name: string; readonly mappings: PodMappings};

function outside(map: IdMap, {hostId}: IDMapping): number {
  return toHostId(map, hostId) ?? hostId;
}

export const shiftedView: LayerView = {kind: 'shifted', name: 'shifted'};

/** The view, where the kernel shifts no ids, for pods with these mappings (undefined: the node's own user namespace). */
export function unshiftedViewOf(
  setup: Pick<ModeSetup, 'mode' | 'outer'>,
  mappings: PodMappings | undefined,
): LayerView {
  // The node's root has all ids of the machine, or of its namespace; that of another outer namespace has one below the first block.
  const own: IDMapping = {containerId: 0, hostId: 0, length: setup.mode === 'host' ? BLOCK_SIZE : 1};
  const used = setup.mode === 'single' || !mappings ? {uids: own, gids: own} : mappings;
  const ids = `${outside(setup.outer.uid, used.uids)}-${outside(setup.outer.gid, used.gids)}`;
  return used.uids.length === 1
    ? {kind: 'single', name: `single-${ids}`, mappings: used}
    : {kind: 'owned', name: `owned-${ids}-${used.uids.length}`, mappings: used};
}
