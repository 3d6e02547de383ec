import type {LintSeverity} from '../finding.ts';

/** A file, and what the linter is told beside it. */
export interface RuleExample {
  readonly text: string;
  readonly kubernetes?: string;
  readonly kernel?: string;
  readonly runtime?: string;
  readonly podSecurity?: 'baseline' | 'restricted';
  /** For a subid file: the other of the two, or /etc/passwd. */
  readonly subgid?: string;
  readonly passwd?: string;
}

/** A rule, as data: what it is called, what it means, and a file on which it fires beside one on which it does not. */
export interface LintRule {
  /** A fact, in lower case. */
  readonly title: string;
  readonly severity: LintSeverity;
  readonly about: 'files' | 'hostUsers' | 'ids and volumes' | 'security' | 'subordinate ids';
  /** Of Kubernetes, the kernel or shadow. */
  readonly versions: string;
  /** Why it matters and what to do, in a few sentences. */
  readonly text: string;
  readonly bad: RuleExample;
  readonly good: RuleExample;
}

/** A Pod whose spec has these lines (indented by nothing) before its one container, and these in the container. */
export function examplePod(spec: readonly string[], container: readonly string[] = []): string {
  return [
    'apiVersion: v1',
    'kind: Pod',
    'metadata:',
    '  name: web',
    'spec:',
    ...spec.map((line) => `  ${line}`),
    '  containers:',
    '    - name: web',
    '      image: nginx',
    ...container.map((line) => `      ${line}`),
    '',
  ].join('\n');
}
