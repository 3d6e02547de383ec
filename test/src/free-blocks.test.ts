import test from 'ava';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import {FreeBlocks} from '../../src/check/targets/free-blocks.ts';

const everything = {start: 0, size: 4_294_967_295};

test('blocks are whole, of nobody, and never given twice', (t) => {
  const limit = 12 * BLOCK_SIZE;
  const blocks = new FreeBlocks([{start: 3 * BLOCK_SIZE + 7, size: BLOCK_SIZE}]);
  const starts = Array.from({length: 8}, () => blocks.take(limit).start / BLOCK_SIZE);
  t.deepEqual(
    starts.toSorted((a, b) => a - b),
    [1, 2, 5, 6, 7, 8, 9, 10],
  );
});

test('when every block is claimed, that is said', (t) => {
  const blocks = new FreeBlocks([{start: BLOCK_SIZE, size: 10 * BLOCK_SIZE}]);
  t.throws(() => blocks.take(12 * BLOCK_SIZE), {code: 'SUBROOT_POOL_EXHAUSTED', message: /10 of 10 blocks/});
});

test('a namespace that maps all ids, as a nested node does, owns none of them', (t) => {
  t.is(new FreeBlocks([everything]).take().size, BLOCK_SIZE);
});
