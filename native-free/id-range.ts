/** `size` ids from `start`: start … start+size-1. Neither a map nor an owner, only numbers. */
export interface IdRange {
  readonly start: number;
  readonly size: number;
}

/**
 * The same ids as ascending ranges that neither overlap nor touch; empty ranges vanish. Never longer than the input.
 * Nothing is thrown.
 */
export function normalizeRanges(ranges: readonly IdRange[]): readonly IdRange[] {
  const sorted = ranges.filter((range) => range.size > 0).sort((a, b) => a.start - b.start);
  const merged: IdRange[] = [];
  let start = 0;
  let end = -1;
  for (const range of sorted) {
    if (end >= 0 && range.start <= end) {
      end = Math.max(end, range.start + range.size);
      continue;
    }
    if (end >= 0) merged.push({start, size: end - start});
    start = range.start;
    end = range.start + range.size;
  }
  if (end >= 0) merged.push({start, size: end - start});
  return merged;
}

/** The ids in both sets, as ascending ranges that neither overlap nor touch. The inputs may be in any order and overlap. */
export function intersect(a: readonly IdRange[], b: readonly IdRange[]): readonly IdRange[] {
  const left = normalizeRanges(a);
  const right = normalizeRanges(b);
  const common: IdRange[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const x = left[i];
    const y = right[j];
    if (x === undefined || y === undefined) return common;
    const start = Math.max(x.start, y.start);
    const end = Math.min(x.start + x.size, y.start + y.size);
    if (start < end) common.push({start, size: end - start});
    if (x.start + x.size < y.start + y.size) i += 1;
    else j += 1;
  }
}

/** The ids of `from` that are in no range of `taken`, as ascending ranges that neither overlap nor touch. */
export function subtract(from: readonly IdRange[], taken: readonly IdRange[]): readonly IdRange[] {
  const holes = normalizeRanges(taken);
  const rest: IdRange[] = [];
  let firstHole = 0;
  for (const range of normalizeRanges(from)) {
    const end = range.start + range.size;
    let start = range.start;
    for (let index = firstHole; index < holes.length; index += 1) {
      const hole = holes[index];
      if (hole === undefined || hole.start >= end) break;
      if (hole.start + hole.size <= start) {
        firstHole = index + 1;
        continue;
      }
      if (hole.start > start) rest.push({start, size: hole.start - start});
      start = hole.start + hole.size;
    }
    if (start < end) rest.push({start, size: end - start});
  }
  return rest;
}

/** How many different ids the ranges hold; overlapping ones are counted once. */
export function countIds(ranges: readonly IdRange[]): number {
  return normalizeRanges(ranges).reduce((sum, range) => sum + range.size, 0);
}

/** `100000-165535, 200000`: first and last id of each range, as messages show it. */
export function formatRanges(ranges: readonly IdRange[]): string {
  return ranges
    .map((range) => (range.size === 1 ? `${range.start}` : `${range.start}-${range.start + range.size - 1}`))
    .join(', ');
}
