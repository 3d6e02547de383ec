import type {Errno} from '../../native-free/errno.ts';
import {printable} from '../../native-free/errors.ts';
import type {Explanation} from '../../native-free/explain/explanation.ts';
import type {MachineFacts} from '../doctor/facts.ts';
import {checkCause, type Observed} from '../doctor/hypotheses.ts';
import type {Output} from './output.ts';
import {wrapAfter} from './render.ts';

/** An explanation, and what this machine says to it; null: nothing can be seen of it here, or nobody looked. */
export interface CheckedExplanation extends Explanation {
  readonly here: Observed | null;
}

/** What was asked and what is known of it. */
export interface ExplainReport {
  readonly kind: 'text' | 'errno' | 'code';
  readonly asked: string;
  /** The best first. */
  readonly explanations: readonly CheckedExplanation[];
  /** When nothing fits: what was looked for, and what to do next. */
  readonly unknown: UnknownReport | null;
}

export interface UnknownReport {
  /** One sentence. */
  readonly why: string;
  readonly errnos: readonly Errno[];
  readonly lookedFor: {readonly messages: number; readonly operations: number} | null;
  readonly next: readonly string[];
}

const order = {confirmed: 0, open: 1, refuted: 2} as const;

/** Holds every explanation against the machine: what is so here comes first, what is not so comes last. */
export function checkAll(
  explanations: readonly Explanation[],
  facts: MachineFacts | undefined,
): readonly CheckedExplanation[] {
  const checked = explanations.map((each) => ({
    ...each,
    here: facts === undefined ? null : (checkCause(each.id, facts, each.values) ?? null),
  }));
  return checked.toSorted((a, b) => order[a.here?.verdict ?? 'open'] - order[b.here?.verdict ?? 'open']);
}

/** The report as `-o json` prints it. */
export function reportValue({kind, asked, explanations, unknown}: ExplainReport): object {
  return {
    kind,
    asked,
    explained: explanations.length > 0,
    explanations: explanations.map(({id, layer, why, mend, look, confidence, foundBy, here}) => ({
      id,
      layer,
      why,
      mend,
      look,
      confidence,
      foundBy,
      here,
    })),
    unknown,
  };
}

const hereWords = {confirmed: 'and here it is so', open: 'here', refuted: 'here it is not the cause'} as const;

export function drawReport(report: ExplainReport, output: Output): string {
  const {explanations, unknown} = report;
  const lines: string[] = [];
  for (const [index, each] of explanations.entries()) {
    if (index > 0) lines.push('');
    lines.push(...drawExplanation(each, index, explanations.length, output));
  }
  if (unknown !== null) lines.push(...drawUnknown(unknown, output));
  return lines.join('\n');
}

function drawExplanation(
  {id, layer, why, mend, look, confidence, foundBy, here}: CheckedExplanation,
  index: number,
  count: number,
  {paint, width}: Output,
): string[] {
  const isRefuted = here?.verdict === 'refuted';
  const number = count === 1 ? '' : `${index + 1}. `;
  const head = `${number}${id}${confidence === 'sure' ? '' : ` (${confidence})`}`;
  const lines = [isRefuted ? paint.dim(head) : paint.strong(head)];
  const add = (label: string, text: string) => lines.push(...wrapAfter(`  ${label.padEnd(9)}`, text, width));
  add('said', foundBy);
  add('layer', layer);
  add('why', why);
  if (here !== null) {
    const color = here.verdict === 'confirmed' ? paint.bad : here.verdict === 'refuted' ? paint.good : paint.dim;
    const before = lines.length;
    add('here', `${hereWords[here.verdict]}: ${here.observed}`);
    for (let at = before; at < lines.length; at += 1) lines[at] = color(lines[at] ?? '');
  }
  if (isRefuted) return lines;
  add('to mend', mend);
  for (const command of look) add('look', `\`${command}\``);
  return lines;
}

function drawUnknown({why, errnos, lookedFor, next}: UnknownReport, {paint, width}: Output): string[] {
  const lines = [paint.strong('no explanation is known'), ...wrapAfter('  ', why, width)];
  if (errnos.length > 0) lines.push(...wrapAfter('  it names  ', errnos.join(', '), width));
  if (lookedFor !== null)
    lines.push(
      ...wrapAfter(
        '  looked for  ',
        `${lookedFor.messages} messages, refused calls of ${lookedFor.operations} operations, codes of subroot`,
        width,
      ),
    );
  for (const step of next) lines.push(...wrapAfter('  next  ', printable(step), width));
  return lines;
}
