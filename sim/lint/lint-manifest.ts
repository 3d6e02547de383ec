import {SubrootError} from '../../native-free/errors.ts';
import {parseTrees, type Tree} from '../manifest-tree.ts';
import {checkFields, checkWindows} from './check-fields.ts';
import {checkHostUsers} from './check-hostusers.ts';
import {checkIds} from './check-ids.ts';
import {checkKubeletConfig} from './check-kubelet-config.ts';
import {checkPodSecurity} from './check-pod-security.ts';
import {checkSecurity} from './check-security.ts';
import {checkVolumes} from './check-volumes.ts';
import {isDisabled, yamlDirectives} from './directives.ts';
import {inFileOrder, type LintFinding, type Report} from './finding.ts';
import {type Cluster, type ClusterWords, readCluster} from './node-versions.ts';
import {viewPod} from './pod-view.ts';
import {reviewWorkload, type WorkloadReview} from './review.ts';
import type {RuleContext} from './rule-context.ts';
import {directiveFindings, findingOf} from './rules.ts';
import {storageOf} from './volume-file-system.ts';
import {findWorkloads} from './workloads.ts';

export interface PodSecurityTarget {
  readonly level: 'baseline' | 'restricted';
  /** Minor of the policy; the API server's by default. */
  readonly minor?: number;
}

export interface LintManifestOptions {
  /** The name for findings. */
  readonly file: string;
  /** What the cluster runs. Without it the newest rules count, and nothing is said about versions. */
  readonly cluster?: ClusterWords;
  readonly podSecurity?: PodSecurityTarget;
}

/**
 * What is wrong in the pods of a YAML or JSON text, in file order; comments that disable rules are honoured. A text that cannot be read is
 * a finding. Errors: only those of `cluster` (SUBROOT_USAGE, SUBROOT_KUBERNETES_VERSION).
 */
export function lintManifest(text: string, options: LintManifestOptions): readonly LintFinding[] {
  const cluster = readCluster(options.cluster);
  const directives = yamlDirectives(text);
  const findings = inFileOrder([...directiveFindings(directives, options.file), ...findIn(text, options, cluster)]);
  return findings.filter((finding) => !isDisabled(finding, directives));
}

/**
 * Each workload of the text judged: what `hostUsers: false` comes to, and what it would take. Empty when the text cannot be read: ask
 * `lintManifest` why. Errors: as lintManifest.
 */
export function reviewManifest(text: string, options: LintManifestOptions): readonly WorkloadReview[] {
  const cluster = readCluster(options.cluster);
  const read = readTrees(text, options.file);
  if ('finding' in read) return [];
  const found = findWorkloads(read.trees);
  const storage = storageOf(found);
  const policy = options.podSecurity?.minor;
  return found.workloads.map((workload) =>
    reviewWorkload(workload, storage, {
      file: options.file,
      cluster,
      ...(policy === undefined ? {} : {policyMinor: policy}),
    }),
  );
}

function findIn(text: string, options: LintManifestOptions, cluster: Cluster): LintFinding[] {
  const {file, podSecurity} = options;
  const read = readTrees(text, file);
  if ('finding' in read) return [read.finding];
  const found = findWorkloads(read.trees);
  const storage = storageOf(found);
  const isClusterKnown = Object.values(options.cluster ?? {}).some((value) => value !== undefined);
  return [
    ...found.unread.map(({mark, path, what, why}) =>
      findingOf(
        {
          rule: 'document-unread',
          mark,
          path,
          message: `${what} was not looked into: ${why}`,
          mend: 'nothing, unless it makes pods: then lint the pods that it makes',
        },
        file,
      ),
    ),
    ...found.others
      .filter(({kind}) => kind === 'KubeletConfiguration')
      .flatMap(({object}) => checkKubeletConfig(object).map((report) => findingOf(report, file))),
    ...found.workloads.flatMap((workload) => {
      const context: RuleContext = {pod: viewPod(workload), cluster, isClusterKnown, storage};
      return saidOnce([
        ...checkFields(context),
        ...checkHostUsers(context),
        ...checkWindows(context),
        ...checkIds(context),
        ...checkVolumes(context),
        ...checkSecurity(context),
        ...(podSecurity ? checkPodSecurity(context, podSecurity) : []),
      ]).map((report) => findingOf(report, file, workload.title));
    }),
  ];
}

/** A field that a rule knows by name is not told again as unknown. */
function saidOnce(reports: readonly Report[]): readonly Report[] {
  const named = new Set(
    reports.filter(({rule}) => rule === 'hostusers-misspelt' || rule === 'hostusers-misplaced').map(({path}) => path),
  );
  return reports.filter(({rule, path}) => rule !== 'field-unknown' || !named.has(path));
}

function readTrees(text: string, file: string): {readonly trees: readonly Tree[]} | {readonly finding: LintFinding} {
  try {
    return {trees: parseTrees(text, file, {ends: true})};
  } catch (error) {
    if (!(error instanceof SubrootError)) throw error;
    return {finding: unreadable(error, text, file)};
  }
}

function unreadable(error: SubrootError, text: string, file: string): LintFinding {
  const template = /\{\{[^\n]*?\}\}/.exec(text);
  if (template && error.code === 'SUBROOT_MANIFEST_SYNTAX') {
    const before = text.slice(0, template.index);
    const column = template.index - before.lastIndexOf('\n');
    const mark = {line: before.split('\n').length, column, endColumn: column + template[0].length};
    const message = `this is a template (Helm or the like) and no YAML before it is rendered; nothing in it was checked`;
    const mend = 'render it first: `helm template CHART | subroot lint -`';
    return findingOf({rule: 'template-text', mark, path: '', message, mend}, file);
  }
  const [, line = '1', column = '1'] = /:(\d+):(\d+)$/.exec(String(error.details.where ?? '')) ?? [];
  const mark = {line: Number(line), column: Number(column)};
  const {where: _place, ...details} = error.details as {readonly where?: string; readonly why?: string};
  const message = details.why === undefined ? error.shortMessage : `not valid YAML or JSON: ${details.why}`;
  return findingOf({rule: 'yaml-syntax', mark, path: '', message, mend: error.mend ?? ''}, file);
}
