import {formatRanges, type IdRange, intersect, normalizeRanges} from '../../native-free/index.ts';
import type {Paint} from './paint.ts';
import {formatCount, plural, table} from './render.ts';

/** An owner on the ruler, drawn with a letter in the order given. */
export interface RulerOwner {
  readonly label: string;
  readonly ranges: readonly IdRange[];
}

export interface RulerOptions {
  readonly paint: Paint;
  readonly width: number;
  /** The part of the id line to draw; default all 2^32 ids. */
  readonly zoom?: IdRange | undefined;
  /** Ids that must not have several owners and do. */
  readonly collisions?: readonly IdRange[];
}

/** What one cell shows: nobody, one owner, several, or a collision. */
export type Cell =
  | {readonly kind: 'free'}
  | {readonly kind: 'one'; readonly owner: number; readonly full: boolean}
  | {readonly kind: 'several'}
  | {readonly kind: 'collision'};

const WHOLE_LINE: IdRange = {start: 0, size: 2 ** 32};
const MAX_ROWS = 16;
const LABEL_WIDTH = 10;
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The letter of an owner; after 52 owners all are `?`. */
export function ownerLetter(index: number): string {
  return letters[index] ?? '?';
}

export interface RulerGrid {
  readonly start: number;
  readonly idsPerCell: number;
  readonly cellsPerRow: number;
  readonly rows: readonly (readonly Cell[])[];
}

/**
 * The id line folded into rows of cells. A cell holds a power of two of ids, so that 64K blocks fall on cell borders; the line starts at a
 * multiple of a cell at or below the zoom's start. Owners may overlap; ranges past 2^32 are cut.
 */
export function planRuler(
  owners: readonly RulerOwner[],
  zoom: IdRange,
  cellsPerRow: number,
  collisions: readonly IdRange[] = [],
): RulerGrid {
  let idsPerCell = 1;
  while (idsPerCell * cellsPerRow * MAX_ROWS < zoom.size) idsPerCell *= 2;
  let start = zoom.start - (zoom.start % idsPerCell);
  while (start + idsPerCell * cellsPerRow * MAX_ROWS < zoom.start + zoom.size) {
    idsPerCell *= 2;
    start = zoom.start - (zoom.start % idsPerCell);
  }
  const end = zoom.start + zoom.size;
  const sorted = owners.map((owner) => normalizeRanges(owner.ranges));
  const rows: Cell[][] = [];
  for (let rowStart = start; rowStart < end; rowStart += idsPerCell * cellsPerRow) {
    const row: Cell[] = [];
    for (let column = 0; column < cellsPerRow; column += 1) {
      const cellStart = rowStart + column * idsPerCell;
      if (cellStart >= end) break;
      row.push(cellOf(sorted, collisions, {start: cellStart, size: idsPerCell}));
    }
    rows.push(row);
  }
  return {start, idsPerCell, cellsPerRow, rows};
}

function cellOf(owners: readonly (readonly IdRange[])[], collisions: readonly IdRange[], cell: IdRange): Cell {
  if (collisions.some((range) => touches(range, cell))) return {kind: 'collision'};
  const inside = [...owners.keys()].filter((owner) => owners[owner]?.some((range) => touches(range, cell)));
  const [owner, ...others] = inside;
  if (owner === undefined) return {kind: 'free'};
  if (others.length > 0) return {kind: 'several'};
  return {kind: 'one', owner, full: intersect([cell], owners[owner] ?? [])[0]?.size === cell.size};
}

function touches(range: IdRange, cell: IdRange): boolean {
  return range.start < cell.start + cell.size && range.start + range.size > cell.start;
}

/**
 * The ruler as text: rows of cells with the first id of each row, equal neighbours folded, then the scale. Letters tell owners apart
 * without colour; `.` is free, `+` several owners in one cell, `!` a collision. Fits 80 columns and less.
 */
export function drawRuler(owners: readonly RulerOwner[], options: RulerOptions): string {
  const {paint, width} = options;
  const zoom = options.zoom ?? WHOLE_LINE;
  const room = width - LABEL_WIDTH - 3;
  const cellsPerRow = room >= 64 ? 64 : room >= 32 ? 32 : 16;
  const grid = planRuler(owners, zoom, cellsPerRow, options.collisions);
  const lines: string[] = [];
  const rows = grid.rows.map((row) => row.map(cellText).join(''));
  for (let index = 0; index < rows.length; index += 1) {
    const row = grid.rows[index] ?? [];
    const same = countSame(rows, index);
    const label = String(grid.start + index * cellsPerRow * grid.idsPerCell).padStart(LABEL_WIDTH);
    lines.push(`${label} |${row.map((cell) => paintCell(cell, paint)).join('')}|`);
    if (same > 2) {
      lines.push(`${' '.repeat(LABEL_WIDTH)} : ${same - 1} more rows like it`);
      index += same - 1;
    }
  }
  lines.push(
    `One cell is ${plural(grid.idsPerCell, 'id')}${blocksOf(grid.idsPerCell)}, a row ${formatCount(grid.idsPerCell * cellsPerRow)}.`,
  );
  return lines.join('\n');
}

function blocksOf(ids: number): string {
  if (ids < 65_536) return '';
  return ids === 65_536 ? ' (a 64K block)' : ` (${formatCount(ids / 65_536)} blocks of 64K)`;
}

function countSame(rows: readonly string[], from: number): number {
  const first = rows[from] ?? '';
  if (!/^(.)\1*$/.test(first)) return 1;
  let count = 1;
  while (rows[from + count] === first) count += 1;
  return count;
}

function cellText(cell: Cell): string {
  if (cell.kind === 'one') return ownerLetter(cell.owner);
  return {free: '.', several: '+', collision: '!'}[cell.kind];
}

function paintCell(cell: Cell, paint: Paint): string {
  const text = cellText(cell);
  if (cell.kind === 'free') return paint.dim(text);
  if (cell.kind === 'collision') return paint.bad(paint.strong(text));
  if (cell.kind === 'several') return paint.strong(text);
  const colored = paint.owner(cell.owner, text);
  return cell.full ? paint.strong(colored) : colored;
}

/** The low part of the id line that holds all owners, when it is so small that the whole line shows it in a row or two; else undefined. */
export function findUsedPart(owners: readonly RulerOwner[]): IdRange | undefined {
  const end = owners.flatMap(({ranges}) => ranges).reduce((last, {start, size}) => Math.max(last, start + size), 0);
  if (end === 0 || end > 2 ** 29) return undefined;
  let size = 2 ** 17;
  while (size < end) size *= 2;
  return {start: 0, size};
}

/** The ruler's text twin: every owner with its letter and its exact ids, and what the other signs mean. */
export function drawLegend(owners: readonly RulerOwner[], options: RulerOptions): string {
  const rows = owners.map((owner, index) => {
    const ranges = normalizeRanges(owner.ranges);
    const ids = ranges.reduce((sum, range) => sum + range.size, 0);
    const shown = formatRanges(ranges.slice(0, 6));
    const more = ranges.length > 6 ? `, and ${ranges.length - 6} more` : '';
    return [ownerLetter(index), owner.label, formatCount(ids), shown + more];
  });
  const signs = '. free   + several owners in one cell   ! a collision';
  return `${table(['', 'owner', 'count', 'ids'], rows, {...options, right: [2]})}\n${options.paint.dim(signs)}`;
}
