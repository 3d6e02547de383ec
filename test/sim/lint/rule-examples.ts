import {parseAccounts} from '../../../native-free/subordinate-lint.ts';
import type {LintFinding} from '../../../sim/lint/finding.ts';
import {lintManifest} from '../../../sim/lint/lint-manifest.ts';
import {lintSubordinateFile} from '../../../sim/lint/lint-subordinate.ts';
import type {LintRule, RuleExample} from '../../../sim/lint/rules/rule.ts';

/** What the linter says to an example of a rule, told what the example tells it. */
export function lintExample({about}: LintRule, example: RuleExample): readonly LintFinding[] {
  const {text, kubernetes, kernel, runtime, podSecurity, subgid, passwd} = example;
  if (about === 'subordinate ids') {
    const users = passwd === undefined ? undefined : parseAccounts(passwd);
    return lintSubordinateFile(text, {
      file: 'subuid',
      ...(users ? {users, taken: users} : {}),
      ...(subgid === undefined ? {} : {other: {text: subgid, file: 'subgid'}}),
    });
  }
  return lintManifest(text, {
    file: 'web.yaml',
    cluster: {
      ...(kubernetes === undefined ? {} : {kubernetes}),
      ...(kernel === undefined ? {} : {kernel}),
      ...(runtime === undefined ? {} : {runtime}),
    },
    ...(podSecurity === undefined ? {} : {podSecurity: {level: podSecurity}}),
  });
}
