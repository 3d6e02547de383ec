import {printable} from '../../../native-free/errors.ts';
import type {CheckResult, Report} from '../result.ts';
import {byGroup, outcomeSigns, verdictOf} from '../verdict.ts';
import {armWords, attackerWords, endWord, observationWords, referenceWords} from './arm-words.ts';

/** JUnit's XML, as CI servers read it: a suite a group of a target. What could not be judged and what is by design is `skipped`. */
export function junitReport(reports: readonly Report[], {strict = false} = {}): string {
  const all = reports.flatMap(({results}) => results);
  const suites = reports.flatMap((report) =>
    byGroup(report.results).map(({title, results}) => suite(report, title, results, strict)),
  );
  const totals = `tests="${all.length}" ${counts(all, strict)} time="${seconds(reports)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="subroot" ${totals}>\n${suites.join('')}</testsuites>\n`;
}

function suite(report: Report, title: string, results: readonly CheckResult[], strict: boolean): string {
  const {target, machine, seed, startedAt} = report;
  const properties = {
    target: target.target,
    version: target.version,
    kernel: machine.kernel,
    arch: machine.arch,
    cgroup: machine.cgroup,
    lsm: machine.lsm,
    seed,
    ...Object.fromEntries(target.notes.map((note, index) => [`note ${index + 1}`, note])),
  };
  const lines = [
    `  <testsuite name="${xml(`${target.target}: ${title}`)}" tests="${results.length}" ${counts(results, strict)} errors="0" time="${seconds(results)}" timestamp="${xml(startedAt.replace(/\..*|Z$/, ''))}">`,
    '    <properties>',
    ...Object.entries(properties).map(([name, value]) => `      <property name="${xml(name)}" value="${xml(value)}"/>`),
    '    </properties>',
    ...results.flatMap((result) => testCase(result, target.target, strict)),
    '  </testsuite>',
  ];
  return `${lines.join('\n')}\n`;
}

function testCase(result: CheckResult, target: string, strict: boolean): string[] {
  const verdict = verdictOf(result, strict);
  const {words} = outcomeSigns[result.outcome];
  const open = `    <testcase classname="${xml(`subroot.${target.replaceAll('.', '_')}`)}" name="${xml(`${result.id}: ${result.title}`)}" time="${(result.durationMs / 1000).toFixed(3)}"`;
  const message = xml(`${words}: ${result.reason}`);
  if (verdict === 'failed')
    return [
      `${open}>`,
      `      <failure type="${result.outcome}" message="${message}">${xml(details(result).join('\n'))}</failure>`,
      '    </testcase>',
    ];
  if (verdict === 'passed')
    return [`${open}>`, `      <system-out>${xml(details(result).join('\n'))}</system-out>`, '    </testcase>'];
  return [`${open}>`, `      <skipped message="${message}"/>`, '    </testcase>'];
}

function details(result: CheckResult): string[] {
  const references = referenceWords(result);
  return [
    result.reason,
    ...result.arms.flatMap((arm) => {
      const attacker = attackerWords(arm);
      return [
        `${armWords[arm.arm]}: ${endWord(arm)}`,
        ...(attacker === undefined ? [] : [`  ${attacker}`]),
        ...arm.observations.map((each) => `  ${observationWords(each)}`),
        ...(arm.why === undefined ? [] : [`  ${arm.why}`]),
      ];
    }),
    ...Object.entries(result.evidence).map(([name, value]) => `${name}: ${value}`),
    ...(references === '' ? [] : [`see ${references}`]),
  ];
}

function counts(results: readonly CheckResult[], strict: boolean): string {
  const verdicts = results.map((result) => verdictOf(result, strict));
  const failures = verdicts.filter((verdict) => verdict === 'failed').length;
  const skipped = verdicts.filter((verdict) => verdict === 'unjudged' || verdict === 'shown').length;
  return `failures="${failures}" skipped="${skipped}"`;
}

function seconds(timed: readonly {readonly durationMs: number}[]): string {
  return (timed.reduce((sum, {durationMs}) => sum + durationMs, 0) / 1000).toFixed(3);
}

/** Text for attributes and content. Lines are kept; what XML 1.0 has no character for was made printable. */
function xml(text: string): string {
  return text
    .split('\n')
    .map(printable)
    .join('\n')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\ufffe', '')
    .replaceAll('\uffff', '');
}
