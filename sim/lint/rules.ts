import {nearest} from '../field-reader.ts';
import type {Directives} from './directives.ts';
import type {LintFinding, LintSeverity, Report} from './finding.ts';
import {fileRules} from './rules/file-rules.ts';
import {hostUsersRules} from './rules/hostusers-rules.ts';
import type {LintRule} from './rules/rule.ts';
import {securityRules} from './rules/security-rules.ts';
import {subordinateRules} from './rules/subordinate-rules.ts';
import {volumeRules} from './rules/volume-rules.ts';

const table = {...fileRules, ...hostUsersRules, ...volumeRules, ...securityRules, ...subordinateRules};

/** A rule's id never changes its meaning. */
export type RuleId = keyof typeof table;

/** Every rule by its id, in the order of the documentation. */
export const lintRules: Readonly<Record<RuleId, LintRule>> = table;
export const ruleIds: readonly RuleId[] = Object.keys(table) as RuleId[];

export function isRuleId(text: string): text is RuleId {
  return Object.hasOwn(table, text);
}

/** The severity a rule has unless a report says otherwise. */
export function severityOf(rule: RuleId): LintSeverity {
  return lintRules[rule].severity;
}

/** Makes a finding of a report. */
export function findingOf(report: Report, file: string, workload?: string): LintFinding {
  const {rule, mark, path, message, mend, severity = severityOf(rule)} = report;
  return {rule, severity, file, ...mark, path, ...(workload === undefined ? {} : {workload}), message, mend};
}

/** What is wrong with the comments for the linter themselves. */
export function directiveFindings({disabled, malformed}: Directives, file: string): LintFinding[] {
  const report = (mark: Report['mark'], message: string, mend: string) =>
    findingOf({rule: 'lint-directive', mark, path: '', message, mend}, file);
  const form = 'write `# subroot-lint: disable=RULE` or `# subroot-lint: disable-file=RULE`';
  return [
    ...malformed.map((mark) => report(mark, 'this comment for the linter is not of a form that it knows', form)),
    ...disabled.flatMap(({rules, line, column, endColumn}) =>
      rules
        .filter((id) => id !== 'all' && !isRuleId(id))
        .map((id) => {
          const near = nearest(id, ruleIds);
          const mark = {line, column, ...(endColumn === undefined ? {} : {endColumn})};
          return report(
            mark,
            `there is no rule ${id}`,
            near === undefined ? '`subroot lint --list-rules` has them all' : `write ${near}`,
          );
        }),
    ),
  ];
}
