import type {IdMap} from '../../native-free/id-map.ts';
import type {IdRange} from '../../native-free/id-range.ts';

export type Direction = 'to-host' | 'to-container';

/** The ids that a piece has at one level; undefined: none. */
export interface PieceStep {
  readonly level: number;
  readonly range: IdRange | undefined;
}

/** A part of the ids asked for that stays together at every level. */
export interface Piece {
  /** From the level asked from to the last one reached. Never empty. */
  readonly steps: readonly PieceStep[];
  /** The ids at the far end; undefined when a level has none for them. */
  readonly result: IdRange | undefined;
  /** The level that has no id for them. */
  readonly stoppedAt?: number;
}

/**
 * The names of a range of ids at every level of a chain of maps (OUTERMOST FIRST), split where any line of a map begins or ends. Pieces
 * come in the order of the ids asked for and hold all of them.
 */
export function translateRange(maps: readonly IdMap[], range: IdRange, direction: Direction): readonly Piece[] {
  const outward = direction === 'to-host';
  const walk = outward ? maps.toReversed() : maps;
  let pieces: readonly Piece[] = [{steps: [{level: outward ? maps.length : 0, range}], result: range}];
  for (const [index, map] of walk.entries()) {
    const level = outward ? maps.length - 1 - index : index + 1;
    pieces = pieces.flatMap((piece) =>
      piece.result === undefined ? [piece] : splitPiece(piece, piece.result, map, level, outward),
    );
  }
  return pieces;
}

function splitPiece(piece: Piece, current: IdRange, map: IdMap, level: number, outward: boolean): Piece[] {
  const [from, to] = outward ? (['containerId', 'hostId'] as const) : (['hostId', 'containerId'] as const);
  const end = current.start + current.size;
  const parts: Piece[] = [];
  let next = current.start;
  const stopUntil = (id: number) => {
    if (id <= next) return;
    const steps = sliceSteps(piece.steps, next - current.start, id - next);
    parts.push({steps: [...steps, {level, range: undefined}], result: undefined, stoppedAt: level});
  };
  for (const line of [...map].sort((a, b) => a[from] - b[from])) {
    const start = Math.max(next, line[from]);
    const stop = Math.min(end, line[from] + line.size);
    if (start >= stop) continue;
    stopUntil(start);
    const result = {start: line[to] + (start - line[from]), size: stop - start};
    parts.push({
      steps: [...sliceSteps(piece.steps, start - current.start, stop - start), {level, range: result}],
      result,
    });
    next = stop;
  }
  stopUntil(end);
  return parts;
}

function sliceSteps(steps: readonly PieceStep[], offset: number, size: number): PieceStep[] {
  return steps.map(({level, range}) => ({level, range: range && {start: range.start + offset, size}}));
}
