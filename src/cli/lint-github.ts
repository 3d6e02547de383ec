import {printable} from '../../native-free/errors.ts';
import type {LintFinding, LintSeverity} from '../../sim/lint/finding.ts';
import {sentences} from './lint-sentences.ts';

const commands: Readonly<Record<LintSeverity, string>> = {error: 'error', warning: 'warning', info: 'notice'};

/**
 * One workflow command of GitHub Actions per finding. Nothing in a file name or a message can end the command or begin another.
 * Source: actions/toolkit packages/core/src/command.ts escapeData, escapeProperty.
 */
export function githubAnnotations(findings: readonly LintFinding[]): string {
  return findings.map(annotationOf).join('\n');
}

function annotationOf({severity, file, line, column, endColumn, rule, message, mend}: LintFinding): string {
  const properties = [
    ['file', file],
    ['line', line],
    ['endLine', line],
    ['col', column],
    ...(endColumn === undefined ? [] : [['endColumn', endColumn] as const]),
    ['title', rule],
  ] as const;
  const words = properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`).join(',');
  return `::${commands[severity]} ${words}::${escapeData(`${sentences(message, mend)} [${rule}]`)}`;
}

function escapeData(text: string): string {
  return printable(text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A'));
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
