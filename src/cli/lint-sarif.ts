import {isAbsolute} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {LintFinding, LintSeverity} from '../../sim/lint/finding.ts';
import {lintRules, type RuleId, ruleIds} from '../../sim/lint/rules.ts';
import type {LintFile} from './lint-files.ts';
import {sentences} from './lint-sentences.ts';

const levels: Readonly<Record<LintSeverity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  info: 'note',
};

/** Findings as a SARIF 2.1.0 log of one run, with all rules, so that a finding that is gone can be told from a rule that is. */
export function sarifLog(findings: readonly LintFinding[], files: readonly LintFile[], version: string): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {driver: {name: 'subroot lint', version, semanticVersion: version, rules: ruleIds.map(ruleOf)}},
        columnKind: 'utf16CodeUnits',
        artifacts: files.map(({name}) => ({location: {uri: uriOf(name)}})),
        results: findings.map((finding) => resultOf(finding, files)),
      },
    ],
  };
}

function ruleOf(id: RuleId): object {
  const {title, severity, about, versions, text} = lintRules[id];
  return {
    id,
    name: id.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: {text: title},
    fullDescription: {text},
    help: {text: `${text}\n\nVersions: ${versions}.\nLeave it out: # subroot-lint: disable=${id}`},
    defaultConfiguration: {level: levels[severity]},
    properties: {tags: [about.replaceAll(' ', '-')]},
  };
}

function resultOf(
  {rule, severity, message, mend, file, line, column, endColumn, path, workload}: LintFinding,
  files: readonly LintFile[],
): object {
  const names = [...(path === '' ? [] : [{fullyQualifiedName: path, kind: 'member'}])];
  return {
    ruleId: rule,
    ruleIndex: ruleIds.indexOf(rule),
    level: levels[severity],
    message: {text: sentences(message, mend)},
    locations: [
      {
        physicalLocation: {
          artifactLocation: {uri: uriOf(file), index: files.findIndex(({name}) => name === file)},
          region: {
            startLine: line,
            startColumn: column,
            ...(endColumn === undefined ? {} : {endLine: line, endColumn}),
          },
        },
        ...(names.length === 0 ? {} : {logicalLocations: names}),
      },
    ],
    ...(workload === undefined ? {} : {properties: {workload}}),
  };
}

/** A relative path stays relative, so that the log means the same in another checkout. */
function uriOf(name: string): string {
  if (name === 'standard input') return 'stdin';
  if (isAbsolute(name)) return pathToFileURL(name).href;
  return name
    .replace(/^(?:\.\/)+/, '')
    .split('/')
    .map(encodeURIComponent)
    .join('/');
}
