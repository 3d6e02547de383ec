import type {RuleId} from './rules.ts';

/** `error`: it fails, or it is not what was asked for. `warning`: it works and is weaker than it looks. `info`: worth knowing. */
export type LintSeverity = 'error' | 'warning' | 'info';

/** From the least to the most severe. */
export const severities: readonly LintSeverity[] = ['info', 'warning', 'error'];

/** A place in a file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Mark {
  readonly line: number;
  readonly column: number;
  /** One past the last character, on the same line; absent when the end is not known. */
  readonly endColumn?: number;
}

/** One thing that a rule has found. `message` and `mend` are sentences without a full stop; make them `printable` before showing them. */
export interface LintFinding extends Mark {
  readonly rule: RuleId;
  readonly severity: LintSeverity;
  readonly file: string;
  /** The field, as the API writes it (`spec.template.spec.hostPID`); empty where there is none. */
  readonly path: string;
  /** `Deployment default/web`; absent when the finding is about the file. */
  readonly workload?: string;
  readonly message: string;
  readonly mend: string;
}

/** What a rule says; the severity is the rule's own unless it is given. */
export interface Report {
  readonly rule: RuleId;
  readonly mark: Mark;
  readonly path: string;
  readonly message: string;
  readonly mend: string;
  readonly severity?: LintSeverity;
}

/** Whether a severity is at least another one. */
export function isAtLeast(severity: LintSeverity, least: LintSeverity): boolean {
  return severities.indexOf(severity) >= severities.indexOf(least);
}

/** Findings in the order of the file: by line, column, rule. */
export function inFileOrder(findings: readonly LintFinding[]): LintFinding[] {
  return [...findings].sort(
    (a, b) => a.line - b.line || a.column - b.column || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0),
  );
}
