import {SubrootError} from '../../native-free/errors.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import {parseSubordinateIds, type ShadowVersion} from '../../native-free/subordinate-ids.ts';
import {
  type KnownAccount,
  lintSubordinateIds,
  lintSubordinatePair,
  rangeMark,
  type SubordinateLintFinding,
} from '../../native-free/subordinate-lint.ts';
import {checkPool, DEFAULT_MAX_PODS} from '../id-pool.ts';
import {isDisabled, lineDirectives} from './directives.ts';
import {inFileOrder, type LintFinding, type Report} from './finding.ts';
import {directiveFindings, findingOf} from './rules.ts';

export interface LintSubordinateOptions {
  /** The name for findings. */
  readonly file: string;
  readonly shadow?: ShadowVersion;
  readonly users?: readonly KnownAccount[];
  readonly taken?: readonly KnownAccount[];
  /** The other of the two files, when it is known: `text`, and its name for messages. */
  readonly other?: {readonly text: string; readonly file: string};
  /** Of the kubelet: ids of each pod (65536) and pods (110). */
  readonly idsPerPod?: number;
  readonly maxPods?: number;
}

/**
 * What is wrong in the text of /etc/subuid or /etc/subgid, in file order; comment lines that disable rules are honoured. Never throws
 * (SUBROOT_POOL_IDS_PER_POD of a bad `idsPerPod` is a finding at the kubelet's line).
 */
export function lintSubordinateFile(text: string, options: LintSubordinateOptions): readonly LintFinding[] {
  const {file, other, shadow, users, taken} = options;
  const directives = lineDirectives(text);
  const found = [
    ...lintSubordinateIds(text, {
      ...(shadow === undefined ? {} : {shadow}),
      ...(users === undefined ? {} : {users}),
      ...(taken === undefined ? {} : {taken}),
    }),
    ...(other === undefined ? [] : lintSubordinatePair(text, other.text, {here: file, there: other.file})),
  ];
  const findings = inFileOrder([
    ...directiveFindings(directives, file),
    ...found.map((each) => findingOf(reportOf(each), file)),
    ...kubeletRange(text, options).map((report) => findingOf(report, file)),
  ]);
  return findings.filter((finding) => !isDisabled(finding, directives));
}

function reportOf({rule, severe, line, column, endColumn, message, mend}: SubordinateLintFinding): Report {
  const mark = {line, column, ...(endColumn === undefined ? {} : {endColumn})};
  return {rule, mark, path: '', message, mend, ...(severe === true ? {severity: 'error' as const} : {})};
}

/** The kubelet's own checks on the range of its account. Source: kubernetes pkg/kubelet/kubelet_pods.go, userns_manager.go, 1.36. */
function kubeletRange(
  text: string,
  {idsPerPod = BLOCK_SIZE, maxPods = DEFAULT_MAX_PODS}: LintSubordinateOptions,
): Report[] {
  const lines = text.split('\n');
  const {ranges} = parseSubordinateIds(text.endsWith('\n') ? text : `${text}\n`, {shadow: '4.13'});
  const [first, second] = ranges.filter(({owner}) => owner === 'kubelet');
  if (!first) return [];
  const report = (line: number, message: string, mend: string): Report => {
    const {endColumn, ...start} = rangeMark(lines, line);
    return {
      rule: 'subid-kubelet-range',
      mark: {...start, ...(endColumn === undefined ? {} : {endColumn})},
      path: '',
      message,
      mend,
    };
  };
  if (second) {
    const message = `account kubelet has a range on line ${first.line} already, and a kubelet takes exactly one: it does not start`;
    return [report(second.line, message, 'keep one line for kubelet in each file')];
  }
  try {
    checkPool({first: first.start, length: first.count}, idsPerPod, maxPods);
    return [];
  } catch (error) {
    if (!(error instanceof SubrootError)) throw error;
    return [report(first.line, `with this range a kubelet does not start: ${error.shortMessage}`, error.mend ?? '')];
  }
}
