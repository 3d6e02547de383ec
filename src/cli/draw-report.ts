import {printable} from '../../native-free/errors.ts';
import {endWord, observationWords} from '../check/reports/arm-words.ts';
import {rowsOf} from '../check/reports/markdown.ts';
import {arms, type CheckResult, type JudgedPod, type Outcome, type Report} from '../check/result.ts';
import {byGroup, countWords, groupTitles, outcomeSigns, verdictOfAll} from '../check/verdict.ts';
import type {Output} from './output.ts';
import {columns, wrapAfter} from './render.ts';

/** The sign and the words of an outcome, in its colour. */
export function paintOutcome(outcome: Outcome, {paint}: Output, padTo = 0): string {
  const {sign, words} = outcomeSigns[outcome];
  return painterOf(outcome, paint)(`${sign} ${words.padEnd(padTo)}`);
}

function painterOf(outcome: Outcome, paint: Output['paint']): (text: string) => string {
  if (outcome === 'blocked' || outcome === 'works') return paint.good;
  if (outcome === 'not-blocked' || outcome === 'broken') return paint.bad;
  return outcome === 'inconclusive' ? paint.warn : paint.dim;
}

const OUTCOME_WIDTH = 17;

/** A report for a terminal: a line a check, and under what is not as it should be the reason and what each arm came to. */
export function drawReport(report: Report, output: Output, strict: boolean): string {
  const {paint, width} = output;
  const {target, machine, seed} = report;
  const lines = [
    paint.strong(`${printable(target.target)}: ${printable(target.version)}`),
    paint.dim(
      `kernel ${machine.kernel} ${machine.arch}, cgroup ${machine.cgroup}, LSM ${printable(machine.lsm)}, seed ${printable(seed)}`,
    ),
    ...target.notes.flatMap((note) => wrapAfter(`${paint.warn('note')}  `, printable(note), width)),
    ...drawPods(report.pods ?? []),
  ];
  for (const {title, results} of byGroup(report.results)) {
    lines.push('', paint.strong(title));
    const idWidth = Math.max(...results.map(({id}) => id.length));
    for (const result of results) lines.push(...drawResult(result, idWidth, output));
  }
  lines.push('', drawSummary([report], output, strict));
  return lines.join('\n');
}

function drawPods(pods: readonly JudgedPod[]): string[] {
  const rows = pods.map(({name, pid, uids, userNamespace}) => [
    `pod ${printable(name)}`,
    `pid ${pid}`,
    `user namespace ${userNamespace ?? 'not readable'}`,
    uids === undefined || uids.length === 0
      ? 'uids not readable'
      : `uids ${uids.map(({hostId, size}) => `${hostId}-${hostId + size - 1}`).join(', ')}`,
  ]);
  return columns(rows, 200);
}

/** Longer values are cut on a terminal; every other form of the report has them whole. */
const MAX_VALUE = 120;
/** Columns from which on an id and a title stand on one line. */
const WIDE = 110;

function drawResult(result: CheckResult, idWidth: number, output: Output): string[] {
  const {width, paint} = output;
  const sign = `  ${paintOutcome(result.outcome, output, OUTCOME_WIDTH)}  `;
  const indent = ' '.repeat(OUTCOME_WIDTH + 6);
  const title = printable(result.title);
  const isPassed = result.outcome === 'blocked' || result.outcome === 'works';
  // A title that would take many short lines is left to `subroot checks explain`, unless something is the matter.
  const lines =
    width >= WIDE
      ? wrapAfter(`${sign}${printable(result.id).padEnd(idWidth)}  `, title, width)
      : [`${sign}${printable(result.id)}`, ...(isPassed ? [] : wrapAfter(indent, title, width))];
  if (isPassed) return lines;
  lines.push(...wrapAfter(`${indent}${paint.dim('why')}  `, printable(result.reason), width));
  if (result.outcome === 'by-design' || result.outcome === 'not-possible') return lines;
  const rows = arms.flatMap((arm) => {
    const found = result.arms.find((each) => each.arm === arm);
    if (found === undefined) return [];
    const last = found.observations.at(-1);
    return [[`${indent}${arm}`, printable(endWord(found)), last === undefined ? '' : cut(observationWords(last))]];
  });
  const evidence = Object.entries(result.evidence).flatMap(([name, value]) =>
    wrapAfter(`${indent}${printable(name)}: `, cut(printable(value)), width),
  );
  return [...lines, ...columns(rows, width), ...evidence];
}

function cut(text: string): string {
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE - 1)}…`;
}

/** What all of it comes to, in one line. */
export function drawSummary(reports: readonly Report[], output: Output, strict: boolean): string {
  const {paint} = output;
  const verdict = verdictOfAll(reports, strict);
  const counts = reports
    .map((report) =>
      reports.length === 1 ? countWords(report) : `${printable(report.target.target)}: ${countWords(report)}`,
    )
    .join('\n');
  if (verdict === 'passed') return `${paint.good('✔')} ${counts}`;
  if (verdict === 'failed') return `${paint.bad('✘')} ${counts}`;
  return `${paint.warn('?')} nothing could be judged here: ${counts}`;
}

/** Several targets beside each other: a row a check, a column a target, and the reasons of what differs from the first. */
export function drawMatrix(reports: readonly Report[], output: Output, strict: boolean): string {
  const {paint, width} = output;
  const rows = rowsOf(reports);
  const letters = reports.map((_, index) => String.fromCharCode(65 + (index % 26)));
  const lines = reports.flatMap(({target}, index) => [
    ...wrapAfter(
      `${paint.strong(letters[index] ?? '')}  `,
      `${printable(target.target)}: ${printable(target.version)}`,
      width,
    ),
    ...target.notes.flatMap((note) => wrapAfter('     ', printable(note), width)),
  ]);
  for (const group of new Set(rows.map((row) => row.group))) {
    lines.push('', `${letters.join(' ')}  ${paint.strong(groupTitles[group] ?? `Group ${group}`)}`);
    for (const {id, group: own, results} of rows) {
      if (own !== group) continue;
      const signs = results.map((result) =>
        result === undefined ? '·' : painterOf(result.outcome, paint)(outcomeSigns[result.outcome].sign),
      );
      lines.push(`${signs.join(' ')}  ${printable(id)}`);
    }
  }
  const reasons = reports.flatMap(({results}, index) =>
    results
      .filter(({outcome}) => outcome === 'not-blocked' || outcome === 'broken')
      .flatMap(({id, reason}) =>
        wrapAfter(`${paint.bad(`${letters[index]} ✘`)} `, `${printable(id)}: ${printable(reason)}`, width),
      ),
  );
  if (reasons.length > 0) lines.push('', ...reasons);
  lines.push('', drawSummary(reports, output, strict));
  return lines.join('\n');
}
