import {loadavg} from 'node:os';
import {quietMisses, type Row} from './measure.ts';

const asJson = process.argv.includes('--json');
/** Fewer rounds: for looking, not for the record. */
export const isQuick = process.argv.includes('--quick');

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/** Prints rows as they come: a table for people, JSON lines for programs. */
export function report(rows: readonly Row[]): void {
  for (const row of rows) {
    const line = {
      ...row,
      p50: rounded(row.p50),
      p99: rounded(row.p99),
      ...(row.ratio === undefined ? {} : {ratio: rounded(row.ratio)}),
    };
    if (asJson) console.log(JSON.stringify(line));
    else {
      const beside = row.ratio === undefined ? '' : `  ${rounded(row.ratio)} x ${row.peer}`;
      console.log(
        `${row.bench.padEnd(24)} ${row.case.padEnd(46)} n ${String(row.n).padStart(4)}  p50 ${String(line.p50).padStart(7)}  p99 ${String(line.p99).padStart(7)} ${row.unit}${beside}`,
      );
    }
  }
}

/** A word for people while it runs; never on standard output, which is for rows. */
export function say(text: string): void {
  console.error(text);
}

/** What a reader must know of the machine to weigh the rows. */
export function sayConditions(): void {
  say(
    `load ${loadavg()
      .map((value) => value.toFixed(2))
      .join(
        ' ',
      )}, ${Math.round(process.memoryUsage.rss() / 1e6)} MB in this process, ${quietMisses()} runs without a quiet window`,
  );
}
