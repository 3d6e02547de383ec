import {subrootError} from '../native-free/errors.ts';
import {BLOCK_SIZE, INVALID_ID, MAX_ID} from '../native-free/ids.ts';

/** A contiguous range of host ids from which pods get their blocks. `first + length` is at most 2^32. */
export interface IdPool {
  readonly first: number;
  readonly length: number;
}

/** `maxPods` of a kubelet that is not configured otherwise. */
export const DEFAULT_MAX_PODS = 110;
/** The highest idsPerPod: one block beside block 0 and below the id that cannot be mapped. */
export const MAX_IDS_PER_POD = 4_294_901_760;

/**
 * Throws SUBROOT_POOL_IDS_PER_POD unless the value is a multiple of 65536 from 65536 up.
 * Source: kubernetes pkg/kubelet/apis/config/validation/validation_linux.go, its three checks in its order.
 */
export function checkIdsPerPod(idsPerPod: number): void {
  const refuse = (why: string) => subrootError('SUBROOT_POOL_IDS_PER_POD', {idsPerPod, why});
  if (!(idsPerPod >= BLOCK_SIZE)) throw refuse('it must not be less than 65536');
  if (idsPerPod % BLOCK_SIZE !== 0) throw refuse('it must be a multiple of 65536');
  if (idsPerPod > INVALID_ID) throw refuse('it must not be greater than 4294967295');
}

/**
 * All of the 32-bit id space above the first block, in whole blocks.
 * The kubelet's own default is not whole for an idsPerPod that does not divide 2^32 and then fails to start; ours is cut to fit.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go, 1.36.
 */
export function defaultPool(idsPerPod: number = BLOCK_SIZE): IdPool {
  checkIdsPerPod(idsPerPod);
  return {first: idsPerPod, length: Math.floor((2 ** 32 - idsPerPod) / idsPerPod) * idsPerPod};
}

/** How many blocks of a checked pool may be handed out: one that holds id 4294967295 cannot be mapped and does not count. */
export function usableBlocks(pool: IdPool, idsPerPod: number): number {
  const blocks = pool.length / idsPerPod;
  return pool.first + pool.length - 1 > MAX_ID ? blocks - 1 : blocks;
}

/**
 * The kubelet's checks on a pool, in its order, and two that it lacks: the pool ends at 2^32 at the latest
 * (the kubelet wraps to host id 0), and only blocks that Linux can map are counted.
 * Errors: SUBROOT_POOL_IDS_PER_POD, SUBROOT_POOL_RANGE, SUBROOT_POOL_TOO_SMALL.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go MakeUserNsManager, 1.36; kubernetes#139916, #141345.
 */
export function checkPool(pool: IdPool, idsPerPod: number, maxPods: number): void {
  checkIdsPerPod(idsPerPod);
  const {first, length} = pool;
  const refuse = (why: string) => subrootError('SUBROOT_POOL_RANGE', {first, length, idsPerPod, why});
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(length) || first < 0 || length < 0) {
    throw refuse('ids and lengths are whole numbers from 0 up');
  }
  if (first % idsPerPod !== 0) throw refuse(`assigned ID ${first} is not a multiple of ${idsPerPod}`);
  if (first < idsPerPod) throw refuse(`the first ID ${first} must be greater or equal to ${idsPerPod}`);
  if (length % idsPerPod !== 0) throw refuse(`the IDs length ${length} is not a multiple of ${idsPerPod}`);
  if (first + length > 2 ** 32) {
    throw refuse(
      `its last id would be ${first + length - 1}, past the 32-bit ids (the kubelet would wrap to host id 0)`,
    );
  }
  const blocks = usableBlocks(pool, idsPerPod);
  if (blocks < Math.max(maxPods, 1)) {
    const wanted = Math.max(maxPods, 1) * idsPerPod;
    throw subrootError('SUBROOT_POOL_TOO_SMALL', {first, length, blocks, idsPerPod, maxPods, wanted});
  }
}
