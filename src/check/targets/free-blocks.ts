import {randomInt} from 'node:crypto';
import {subrootError} from '../../../native-free/errors.ts';
import {type IdRange, intersect} from '../../../native-free/id-range.ts';
import {BLOCK_SIZE} from '../../../native-free/ids.ts';
import {claimedRanges} from '../../doctor/free-range.ts';
import {judgeIdSpace} from '../../doctor/id-space.ts';
import {readIdSpace} from '../../host/machine-ids.ts';
import {stateRoot} from '../../state-root.ts';

/** Blocks begin at multiples of 65536; the first holds the host's ids, the last one 4294967295. */
const BLOCKS = 65_536;

/** Blocks of 65536 ids of this machine that nobody claims: no account, no subordinate range, no running namespace, no pod of subroot. */
export class FreeBlocks {
  readonly #taken: IdRange[];

  constructor(claimed: readonly IdRange[] = claimedRanges(judgeIdSpace(readIdSpace({root: stateRoot(undefined)})))) {
    // A namespace that maps half of all ids or more is a view of the machine, as a nested node has it, and owns none of them.
    this.#taken = claimed.filter(({size}) => size < (BLOCKS / 2) * BLOCK_SIZE);
  }

  /**
   * Another one each time: the first that is free from a random place on, as the kubelet does it, so that what an earlier run left on a disk is
   * nobody's. `limit`: blocks are below that id. Throws SUBROOT_POOL_EXHAUSTED.
   */
  take(limit = BLOCKS * BLOCK_SIZE): IdRange {
    const count = Math.floor(limit / BLOCK_SIZE) - 2;
    const from = randomInt(count);
    for (let i = 0; i < count; i++) {
      const range = {start: (1 + ((from + i) % count)) * BLOCK_SIZE, size: BLOCK_SIZE};
      if (intersect([range], this.#taken).length > 0) continue;
      this.#taken.push(range);
      return range;
    }
    const holders = 'accounts, subordinate ranges, user namespaces and pods of this machine (`subroot ids` shows them)';
    throw subrootError('SUBROOT_POOL_EXHAUSTED', {inUse: count, capacity: count, holders, idsPerPod: BLOCK_SIZE});
  }
}
