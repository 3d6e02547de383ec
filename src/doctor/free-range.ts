import {type IdRange, intersect, normalizeRanges, subtract} from '../../native-free/id-range.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import {toIdRange} from '../../native-free/subordinate-ids.ts';
import type {IdSpaceFacts} from './facts.ts';
import {type IdSpace, judgeIdSpace} from './id-space.ts';

/** Where search ends: the last block holds 4294967295 and can never be mapped whole. */
const LAST_BLOCK = 2 ** 32 - BLOCK_SIZE;

/**
 * The lowest range of `count` ids, from a multiple of 65536 at or above SUB_UID_MIN, that nobody claims as user or group ids: no account, no
 * subordinate range, no running namespace, no block of ours, no pool of a tool that is installed. Pools give way when nothing else is left.
 * `within`: the ids that our own namespace has.
 */
export function findFreeRange(
  facts: IdSpaceFacts,
  count: number,
  within: readonly IdRange[] = [{start: 0, size: 2 ** 32}],
): IdRange | undefined {
  const space = judgeIdSpace(facts);
  const start = Math.ceil(Math.max(BLOCK_SIZE, facts.loginDefs.subUidMin) / BLOCK_SIZE) * BLOCK_SIZE;
  const pools = space.pools.filter(({name, present}) => present && name !== 'useradd').map(({range}) => range);
  const claimed = claimedRanges(space);
  const room = intersect(within, [{start, size: LAST_BLOCK - start}]);
  return firstFit(room, count, [...claimed, ...pools]) ?? firstFit(room, count, claimed);
}

/** Every id that somebody uses now, as user or as group id; pools of tools are not in it. */
export function claimedRanges(space: IdSpace): readonly IdRange[] {
  const lines = [space.uid, space.gid].flatMap((line) => [
    ...line.accounts.map(({id}) => ({start: id, size: 1})),
    ...line.subordinate.map(toIdRange),
    ...line.namespaces.flatMap(({ranges}) => ranges),
  ]);
  return normalizeRanges([...lines, ...space.blocks.map(({first, size}) => ({start: first, size}))]);
}

function firstFit(room: readonly IdRange[], count: number, taken: readonly IdRange[]): IdRange | undefined {
  for (const hole of subtract(room, taken)) {
    const aligned = Math.ceil(hole.start / BLOCK_SIZE) * BLOCK_SIZE;
    if (intersect([hole], [{start: aligned, size: count}])[0]?.size === count) return {start: aligned, size: count};
  }
  return undefined;
}
