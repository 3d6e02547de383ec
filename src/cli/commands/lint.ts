import {BLOCK_SIZE} from '../../../native-free/ids.ts';
import type {ShadowVersion} from '../../../native-free/subordinate-ids.ts';
import {parseAccounts} from '../../../native-free/subordinate-lint.ts';
import {isAtLeast, type LintFinding, type LintSeverity} from '../../../sim/lint/finding.ts';
import {type LintManifestOptions, lintManifest, reviewManifest} from '../../../sim/lint/lint-manifest.ts';
import {lintSubordinateFile} from '../../../sim/lint/lint-subordinate.ts';
import {lintRules, type RuleId, ruleIds} from '../../../sim/lint/rules.ts';
import {type CommandArguments, type CommandContext, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {wholeNumber} from '../flag-words.ts';
import {type LintFile, readBeside, readLintFiles, readText} from '../lint-files.ts';
import {chosenRules, clusterOf, idsPerPodOf, lintOptions, podSecurityOf, ruleNamed} from '../lint-flags.ts';
import {githubAnnotations} from '../lint-github.ts';
import {drawReviews} from '../lint-review-text.ts';
import {sarifLog} from '../lint-sarif.ts';
import {lintSchema} from '../lint-schema.ts';
import {drawFindings, drawRule, drawRules, drawSummary} from '../lint-text.ts';
import {encode} from '../output.ts';
import {packageVersion} from '../package-version.ts';

type Flags = CommandArguments<typeof lintOptions>['flags'];

/** `subroot lint`: exit code 0 when nothing at or above --fail-on is found (with --review: when no workload is blocked), else 1. */
export const lintCommand = defineCommand({
  options: lintOptions,
  schema: lintSchema,
  run: async ({flags, words}, context) => {
    const {output} = context;
    if (flags['list-rules'] === true) return await showRules(ruleIds, context, () => drawRules(output));
    if (flags.explain !== undefined) {
      const id = ruleNamed('--explain', flags.explain);
      return await showRules([id], context, () => drawRule(id, output));
    }
    if (words.length === 0) {
      throw usageError('`subroot lint` has nothing to read', 'name files or folders, or - for standard input');
    }
    refuseTwoFormats(flags, context);
    const choice = chosenRules(flags);
    const options = manifestOptions(flags);
    const files = await readLintFiles(words, flags.subid === true);
    const counts = (rule: RuleId) => (choice.only.size === 0 || choice.only.has(rule)) && !choice.disabled.has(rule);
    const findings = files.flatMap((file) => lintFile(file, files, flags, options)).filter(({rule}) => counts(rule));
    if (flags.review === true) return await showReviews(files, findings, options, context);
    await showFindings(files, findings, flags, context);
    const failOn = (flags['fail-on'] ?? 'error') as LintSeverity;
    return findings.some(({severity}) => isAtLeast(severity, failOn)) ? exitCodes.found : exitCodes.ok;
  },
});

function refuseTwoFormats(flags: Flags, {format}: CommandContext): void {
  if (flags.report === 'text') return;
  if (format !== 'table')
    throw usageError(`--report ${flags.report} and --output ${format} are two formats`, 'give one of them');
  if (flags.review === true) {
    throw usageError(`--review has no ${flags.report} report`, 'use -o json for programs, or leave --review out');
  }
}

async function showRules(ids: readonly RuleId[], {output}: CommandContext, draw: () => string): Promise<number> {
  const rules = ids.map((id) => {
    const {title, severity, about, versions, text} = lintRules[id];
    return {id, title, severity, about, versions, text};
  });
  await output.emit({rules}, draw);
  return exitCodes.ok;
}

function manifestOptions(flags: Flags): Omit<LintManifestOptions, 'file'> {
  const podSecurity = podSecurityOf(flags);
  return {cluster: clusterOf(flags), ...(podSecurity === undefined ? {} : {podSecurity})};
}

function lintFile(
  file: LintFile,
  files: readonly LintFile[],
  flags: Flags,
  options: Omit<LintManifestOptions, 'file'>,
): readonly LintFinding[] {
  if (file.kind === 'manifest') return lintManifest(file.text, {...options, file: file.name});
  const users = flags.passwd === undefined ? readBeside(file.path, 'passwd')?.text : readText(flags.passwd);
  const groups = flags.group === undefined ? readBeside(file.path, 'group')?.text : readText(flags.group);
  const taken = file.kind === 'subuid' ? users : groups;
  const other = counterpart(file, files);
  const idsPerPod = idsPerPodOf(flags) ?? BLOCK_SIZE;
  const maxPods = wholeNumber('--max-pods', flags['max-pods'], 'pods', 110);
  return lintSubordinateFile(file.text, {
    file: file.name,
    idsPerPod,
    ...(maxPods === undefined ? {} : {maxPods}),
    ...(flags.shadow === undefined ? {} : {shadow: flags.shadow as ShadowVersion}),
    ...(users === undefined ? {} : {users: parseAccounts(users)}),
    ...(taken === undefined ? {} : {taken: parseAccounts(taken)}),
    ...(other === undefined ? {} : {other}),
  });
}

/** The other of subuid and subgid: among the files given, or beside this one. When both are given subgid tells the differences. */
function counterpart(file: LintFile, files: readonly LintFile[]): {text: string; file: string} | undefined {
  const kind = file.kind === 'subuid' ? 'subgid' : 'subuid';
  const given = files.filter((each) => each.kind === kind);
  const [first] = given;
  if (first) return file.kind === 'subgid' && given.length === 1 ? {text: first.text, file: first.name} : undefined;
  const beside = readBeside(file.path, kind);
  return beside && {text: beside.text, file: beside.path};
}

async function showFindings(
  files: readonly LintFile[],
  findings: readonly LintFinding[],
  flags: Flags,
  {output}: CommandContext,
): Promise<void> {
  if (flags.report === 'github') {
    if (findings.length > 0) output.print(githubAnnotations(findings));
    return;
  }
  if (flags.report === 'sarif') {
    output.print(await encode(sarifLog(findings, files, packageVersion()), 'json'));
    return;
  }
  const counts = countsOf(findings);
  await output.emit({files: files.map(({name}) => name), findings, counts}, () =>
    [
      ...(findings.length === 0 ? [] : [drawFindings(findings, textsOf(files), output), '']),
      drawSummary(counts, files.length),
    ].join('\n'),
  );
}

const unread: ReadonlySet<RuleId> = new Set(['yaml-syntax', 'template-text', 'document-unread']);

/** Verdicts. Files that could not be read are told too: no workload of theirs was judged. */
async function showReviews(
  files: readonly LintFile[],
  findings: readonly LintFinding[],
  options: Omit<LintManifestOptions, 'file'>,
  {output}: CommandContext,
): Promise<number> {
  const manifests = files.filter(({kind}) => kind === 'manifest');
  const reviews = manifests.flatMap(({name, text}) => reviewManifest(text, {...options, file: name}));
  const notJudged = findings.filter(({rule}) => unread.has(rule));
  await output.emit({files: files.map(({name}) => name), findings, counts: countsOf(findings), reviews}, () =>
    [
      ...(reviews.length === 0
        ? [`No workload in ${manifests.length === 1 ? 'the file' : 'the files'}.`]
        : [drawReviews(reviews, output)]),
      ...(notJudged.length === 0 ? [] : [drawFindings(notJudged, textsOf(files), output)]),
    ].join('\n\n'),
  );
  const failed =
    reviews.some(({verdict}) => verdict === 'blocked') || notJudged.some(({severity}) => severity === 'error');
  return failed ? exitCodes.found : exitCodes.ok;
}

function countsOf(findings: readonly LintFinding[]): Record<LintSeverity, number> {
  const count = (severity: LintSeverity) => findings.filter((each) => each.severity === severity).length;
  return {error: count('error'), warning: count('warning'), info: count('info')};
}

function textsOf(files: readonly LintFile[]): ReadonlyMap<string, string> {
  return new Map(files.map(({name, text}) => [name, text]));
}
