import {randomInt} from 'node:crypto';
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

  constructor() {
    this.#taken = [...claimedRanges(judgeIdSpace(readIdSpace({root: stateRoot(undefined)})))];
  }

  /**
   * Another one each time, at random as the kubelet does it, so that what an earlier run left on a disk is nobody's. `limit`: blocks are below
   * that id.
   */
  take(limit = BLOCKS * BLOCK_SIZE): IdRange {
    let range: IdRange;
    do range = {start: randomInt(1, Math.floor(limit / BLOCK_SIZE) - 1) * BLOCK_SIZE, size: BLOCK_SIZE};
    while (intersect([range], this.#taken).length > 0);
    this.#taken.push(range);
    return range;
  }
}
