/** Evidence that a pod's root is nobody outside: `await verify(pod)`, checks against any runtime, and their reports. */

export type {Check, Measurement, Need} from './check.ts';
export {allChecks, selectChecks} from './checks.ts';
export {conformanceChecks} from './conformance-checks.ts';
export {findVulnerability, type Vulnerability, vulnerabilities} from './cve-map.ts';
export {type RunOptions, runChecks} from './engine.ts';
export {type ReportFormat, renderReport, reportFormats} from './reports/render-report.ts';
export type {
  Ability,
  Arm,
  ArmResult,
  Attacker,
  CheckClass,
  CheckResult,
  JudgedPod,
  Observation,
  Outcome,
  Reference,
  Report,
  TargetDescription,
} from './result.ts';
export type {ExecResult, PodRequest, Target, TargetPod, TargetProcess} from './target.ts';
export {openTarget, type TargetOptions, targetForms} from './targets/open-target.ts';
export {SubrootTarget} from './targets/subroot.ts';
export {type Verdict, verdictOf, verdictOfAll} from './verdict.ts';
export {judgePod, verify, verifyChecks} from './verify.ts';
