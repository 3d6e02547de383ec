import {printable} from '../../native-free/errors.ts';
import type {Paint} from './paint.ts';
import {columns, textWidth} from './text-layout.ts';

export {columns, pad, textWidth, wrap, wrapAfter} from './text-layout.ts';

/**
 * A table with a heading line. Columns named in `right` (by index) are set flush right. Foreign text is made `printable` here, so cells
 * come without colour; the heading is strong.
 */
export function table(
  heading: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  options: {readonly paint: Paint; readonly width: number; readonly right?: readonly number[]},
): string {
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))));
  const all = [heading.map((cell) => cell.toUpperCase()), ...texts];
  for (const index of options.right ?? []) {
    const widest = Math.max(...all.map((row) => textWidth(row[index] ?? '')));
    for (const row of all) row[index] = ' '.repeat(widest - textWidth(row[index] ?? '')) + (row[index] ?? '');
  }
  const [first = '', ...rest] = columns(all, options.width);
  return [options.paint.strong(first), ...rest].join('\n');
}

/** `65,536`: a count for people. Never used for ids. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 line`, `2 lines`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
