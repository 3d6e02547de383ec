import {printable} from '../../native-free/errors.ts';
import type {LintFinding, LintSeverity} from '../../sim/lint/finding.ts';
import type {RuleExample} from '../../sim/lint/rules/rule.ts';
import {lintRules, type RuleId, ruleIds} from '../../sim/lint/rules.ts';
import type {Output} from './output.ts';
import {plural, table, textWidth, wrapAfter} from './render.ts';

/** Findings for people: place and message, the line of the source with a caret below what is meant, and the mend. */
export function drawFindings(
  findings: readonly LintFinding[],
  texts: ReadonlyMap<string, string>,
  output: Output,
): string {
  const lines = new Map([...texts].map(([file, text]) => [file, text.split('\n')]));
  return findings.map((finding) => drawFinding(finding, lines.get(finding.file) ?? [], output)).join('\n\n');
}

function drawFinding(finding: LintFinding, lines: readonly string[], output: Output): string {
  const {file, line, column, severity, message, mend, rule} = finding;
  const {paint, width} = output;
  const place = paint.strong(printable(`${file}:${line}:${column}`));
  const source = lines[line - 1]?.replace(/\r$/, '');
  return [
    `${place}: ${severityWord(severity, output)} ${paint.dim(`[${rule}]`)}`,
    ...wrapAfter('  ', printable(message), width),
    ...(source === undefined || source.trim() === '' ? [] : drawSource(source, finding, output)),
    ...wrapAfter('  To mend: ', printable(mend), width),
  ].join('\n');
}

export function severityWord(severity: LintSeverity, {paint}: Output): string {
  const color = severity === 'error' ? paint.bad : severity === 'warning' ? paint.warn : paint.dim;
  return color(severity);
}

/** Of a long line a window is shown that begins a little before the place. */
function drawSource(source: string, {line, column, endColumn}: LintFinding, {paint, width}: Output): string[] {
  const gutter = `  ${line} | `;
  const room = Math.max(20, width - gutter.length - 2);
  const from = column - 1 > room - 10 ? Math.max(0, column - 1 - 10) : 0;
  const window = source.slice(from, from + room);
  const head = (from > 0 ? '…' : '') + printable(source.slice(from, column - 1));
  const shown = (from > 0 ? '…' : '') + printable(window) + (from + room < source.length ? '…' : '');
  const meant = printable(source.slice(column - 1, Math.min((endColumn ?? column + 1) - 1, from + room)));
  const carets = '^'.repeat(Math.max(1, textWidth(meant)));
  return [
    paint.dim(gutter) + shown,
    `${paint.dim(`${' '.repeat(gutter.length - 2)}| `)}${' '.repeat(textWidth(head))}${paint.warn(carets)}`,
  ];
}

/** `2 errors, 1 warning and 3 notes in 4 files.` */
export function drawSummary(counts: Readonly<Record<LintSeverity, number>>, files: number): string {
  const where = `in ${plural(files, 'file')}`;
  if (counts.error + counts.warning + counts.info === 0) return `Nothing found ${where}.`;
  return `${plural(counts.error, 'error')}, ${plural(counts.warning, 'warning')} and ${plural(counts.info, 'note')} ${where}.`;
}

/** All rules as a table. */
export function drawRules({paint, width}: Output): string {
  const rows = ruleIds.map((id) => [id, lintRules[id].severity, lintRules[id].title]);
  return table(['rule', 'severity', 'what it finds'], rows, {paint, width});
}

/** One rule in full. */
export function drawRule(id: RuleId, {paint, width}: Output): string {
  const {title, severity, about, versions, text, bad, good} = lintRules[id];
  return [
    `${paint.strong(id)}: ${title}`,
    '',
    `severity  ${severity}`,
    `about     ${about}`,
    ...wrapAfter('versions  ', versions, width),
    '',
    ...wrapAfter('', text, width),
    '',
    paint.strong(`It fires on${toldWith(bad)}`),
    ...indented(bad.text),
    paint.strong(`and not on${toldWith(good)}`),
    ...indented(good.text),
    `Leave it out: --disable ${id}, or in the file # subroot-lint: disable=${id}`,
  ].join('\n');
}

/** What the linter was told beside the file of an example. */
export function toldWith({kubernetes, kernel, runtime, podSecurity, subgid, passwd}: RuleExample): string {
  const flags = Object.entries({kubernetes, runtime, kernel, 'pod-security': podSecurity}).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`],
  );
  const beside = [
    ...(subgid === undefined ? [] : [`subgid ${JSON.stringify(subgid)} beside it`]),
    ...(passwd === undefined ? [] : ['an account ldap with uid 100007, and one anna']),
  ];
  const told = [...flags, ...beside];
  return told.length === 0 ? '' : ` (with ${told.join(', ')})`;
}

function indented(text: string): string[] {
  return [
    ...text
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => `    ${line}`),
    '',
  ];
}
