import {printable} from '../../../native-free/errors.ts';
import type {CheckResult, Outcome, Report} from '../result.ts';
import {groupTitles, outcomeSigns} from '../verdict.ts';
import {armWords, endWord, observationWords} from './arm-words.ts';

type Kind = 'pass' | 'fail' | 'review' | 'notApplicable' | 'informational';
type Level = 'error' | 'warning' | 'none';

const kinds: Readonly<Record<Outcome, readonly [Kind, Level]>> = {
  blocked: ['pass', 'none'],
  works: ['pass', 'none'],
  'not-blocked': ['fail', 'error'],
  broken: ['fail', 'error'],
  inconclusive: ['review', 'none'],
  'not-possible': ['notApplicable', 'none'],
  'by-design': ['informational', 'none'],
};

/**
 * SARIF 2.1.0, for code-scanning services: a run a target, every check a rule, every result with its kind. With `strict` what is
 * inconclusive is a warning.
 */
export function sarifReport(reports: readonly Report[], {strict = false} = {}): string {
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: reports.map((report) => runOf(report, strict)),
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function runOf(report: Report, strict: boolean): object {
  const {target, machine, results, seed, startedAt, durationMs} = report;
  return {
    tool: {
      driver: {
        name: 'subroot',
        version: report.subroot,
        rules: results.map(ruleOf),
      },
    },
    automationDetails: {id: `subroot/${slashed(target.target)}/`},
    invocations: [
      {
        executionSuccessful: true,
        startTimeUtc: startedAt,
        endTimeUtc: new Date(Date.parse(startedAt) + durationMs).toISOString(),
        toolExecutionNotifications: target.notes.map((note) => ({level: 'note', message: {text: printable(note)}})),
      },
    ],
    properties: {target: target.target, targetVersion: printable(target.version), seed, ...machine},
    results: results.map((result, index) => resultOf(result, index, report, strict)),
    columnKind: 'utf16CodeUnits',
  };
}

function ruleOf(result: CheckResult): object {
  const expected = Object.entries(result.expected).map(([arm, what]) => `${arm}: ${what}`);
  return {
    id: result.id,
    name: pascal(result.id),
    shortDescription: {text: sentence(result.title)},
    fullDescription: {text: sentence([result.title, ...expected].join('; '))},
    defaultConfiguration: {level: 'error'},
    properties: {
      tags: [
        'security',
        groupTitles[result.group] ?? `group ${result.group}`,
        ...result.references.map(({kind, id}) => `${kind} ${id}`),
      ],
      class: result.class,
    },
  };
}

function resultOf(result: CheckResult, ruleIndex: number, {target}: Report, strict: boolean): object {
  const [kind, level]: readonly [Kind, Level] =
    strict && result.outcome === 'inconclusive' ? ['fail', 'warning'] : kinds[result.outcome];
  const arms = result.arms.map((arm) => {
    const seen = arm.observations.map(observationWords).join('; ');
    return `${armWords[arm.arm]}: ${endWord(arm)}${seen === '' ? '' : ` (${seen})`}`;
  });
  return {
    ruleId: result.id,
    ruleIndex,
    kind,
    level,
    message: {text: printable([`${outcomeSigns[result.outcome].words}: ${result.reason}`, ...arms].join('. '))},
    // Services show a result at a place in a file. There is none here; the target stands for it.
    locations: [
      {
        physicalLocation: {artifactLocation: {uri: `target/${slashed(target.target)}`}},
        logicalLocations: [{fullyQualifiedName: `${target.target}/${result.id}`, kind: 'module'}],
      },
    ],
    partialFingerprints: {'subroot/v1': `${target.target}/${result.id}`},
    properties: {outcome: result.outcome, evidence: result.evidence, durationMs: result.durationMs},
  };
}

/** A relative URI of a target's name: `oci/runc`, `cri/run/containerd/containerd.sock`. */
function slashed(target: string): string {
  return target
    .replace(/^([a-z]+):(?:unix:)?\/*/, '$1/')
    .split('/')
    .map(encodeURIComponent)
    .join('/');
}

function pascal(id: string): string {
  return id.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function sentence(text: string): string {
  const shown = printable(text);
  return `${shown.charAt(0).toUpperCase()}${shown.slice(1)}.`;
}
