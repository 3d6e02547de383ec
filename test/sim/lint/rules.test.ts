import test from 'ava';
import {lintRules, ruleIds} from '../../../sim/lint/rules.ts';
import {lintExample} from './rule-examples.ts';

for (const id of ruleIds) {
  const rule = lintRules[id];
  test(`${id} fires on its example, at its place, and is silent on the counter-example`, (t) => {
    const fired = lintExample(rule, rule.bad).filter((finding) => finding.rule === id);
    t.true(fired.length > 0, JSON.stringify(lintExample(rule, rule.bad)));
    const lines = rule.bad.text.split('\n');
    for (const {line, column, endColumn, message, mend} of fired) {
      t.true(line >= 1 && line <= lines.length);
      t.true(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1);
      if (endColumn !== undefined) t.true(endColumn > column && endColumn <= (lines[line - 1]?.length ?? 0) + 1);
      t.regex(message, /^\S.*[^.\s]$/s);
      t.regex(mend, /^\S.*[^.\s]$/s);
    }
    t.deepEqual(
      lintExample(rule, rule.good).filter((finding) => finding.rule === id),
      [],
    );
  });

  test(`${id} is described in sentences`, (t) => {
    t.regex(rule.title, /^\S.*[^.\s]$/);
    t.regex(rule.text, /\.$|`\.$/);
    t.regex(id, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  });
}
