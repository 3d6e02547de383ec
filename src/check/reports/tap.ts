import {printable} from '../../../native-free/errors.ts';
import type {CheckResult, Report} from '../result.ts';
import {outcomeSigns, verdictOf, verdictOfAll} from '../verdict.ts';
import {attackerWords, observationWords, referenceWords} from './arm-words.ts';

/**
 * TAP version 14: a test point a check, with YAML diagnostics; a subtest a target when there are several. What could not be judged, and what
 * no user namespace blocks, is skipped with its reason, never passed.
 */
export function tapReport(reports: readonly Report[], {strict = false} = {}): string {
  const lines = ['TAP version 14'];
  const [only] = reports;
  if (reports.length === 1 && only !== undefined) lines.push(...tests(only, strict));
  else {
    lines.push(`1..${reports.length}`);
    for (const [index, report] of reports.entries()) {
      const name = escaped(report.target.target);
      lines.push(`# Subtest: ${name}`, ...tests(report, strict).map((line) => `    ${line}`));
      const verdict = verdictOfAll([report], strict);
      const skip = verdict === 'unjudged' ? ' # SKIP nothing could be judged here' : '';
      lines.push(`${verdict === 'failed' ? 'not ok' : 'ok'} ${index + 1} - ${name}${skip}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function tests(report: Report, strict: boolean): string[] {
  const {results, target, machine, seed} = report;
  const plan = results.length === 0 ? '1..0 # SKIP no check was run' : `1..${results.length}`;
  const about = [
    `# target ${target.target}: ${target.version}`,
    `# kernel ${machine.kernel}, ${machine.arch}, cgroup ${machine.cgroup}, lsm ${machine.lsm}, seed ${seed}`,
    ...target.notes.map((note) => `# note: ${note}`),
  ];
  return [
    plan,
    ...about.map((line) => printable(line)),
    ...results.flatMap((result, index) => test(result, index + 1, strict)),
  ];
}

function test(result: CheckResult, number: number, strict: boolean): string[] {
  const verdict = verdictOf(result, strict);
  const {words} = outcomeSigns[result.outcome];
  const directive = verdict === 'unjudged' || verdict === 'shown' ? ` # SKIP ${words}: ${escaped(result.reason)}` : '';
  const ok = verdict === 'failed' ? 'not ok' : 'ok';
  return [`${ok} ${number} - ${escaped(`${result.id}: ${result.title}`)}${directive}`, ...diagnostics(result)];
}

/** `#` begins a directive in a description. Source: TAP 14, escaping. */
function escaped(text: string): string {
  return printable(text).replaceAll('\\', '\\\\').replaceAll('#', '\\#');
}

type Yaml = string | number | boolean | undefined | readonly Yaml[] | {readonly [key: string]: Yaml};

function diagnostics(result: CheckResult): string[] {
  const references = referenceWords(result);
  const value: Yaml = {
    outcome: result.outcome,
    reason: result.reason,
    class: result.class,
    group: result.group,
    expected: result.expected as {readonly [key: string]: string},
    arms: Object.fromEntries(
      result.arms.map((arm) => [
        arm.arm,
        {
          ended: arm.ended,
          errno: arm.errno,
          reached: arm.reached,
          why: arm.why,
          attacker: attackerWords(arm),
          observations: arm.observations.map(observationWords),
        },
      ]),
    ),
    evidence: result.evidence as {readonly [key: string]: string},
    references: references === '' ? undefined : references,
    duration_ms: Math.round(result.durationMs),
  };
  return ['  ---', ...yaml(value).map((line) => `  ${line}`), '  ...'];
}

/** Block mappings and sequences; scalars as JSON, which is YAML too. Empty things and what is undefined are left out. */
function yaml(value: {readonly [key: string]: Yaml}): string[] {
  return Object.entries(value).flatMap(([key, each]): string[] => {
    if (each === undefined) return [];
    const name = /^[A-Za-z_][\w-]*$/.test(key) ? key : scalar(key);
    if (Array.isArray(each)) return each.length === 0 ? [] : [`${name}:`, ...each.map((item) => `  - ${scalar(item)}`)];
    if (typeof each === 'object') {
      const inner = yaml(each as {readonly [key: string]: Yaml});
      return inner.length === 0 ? [] : [`${name}:`, ...inner.map((line) => `  ${line}`)];
    }
    return [`${name}: ${scalar(each)}`];
  });
}

function scalar(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? printable(value) : value);
}
