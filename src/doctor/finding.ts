import type {ErrorLayer} from '../../native-free/errors.ts';

export type Severity = 'ok' | 'warn' | 'fail';
/** The ways to get real namespaces; `simulated` needs nothing. */
export type RealMode = 'host' | 'subid' | 'single';
export const realModes: readonly RealMode[] = ['host', 'subid', 'single'];

export type FindingLayer = ErrorLayer | 'seccomp' | 'cgroup' | 'clock' | 'operating system';

/** One judged fact. `fail` stops the modes it affects, `warn` makes something worse, `ok` is also used for notes. Texts are safe to print. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly layer: FindingLayer;
  readonly found: string;
  readonly expected: string;
  /** How to mend it, with the exact command for this user and host; absent when there is nothing to do. */
  readonly mend?: string;
  /** The modes that need it; empty when no mode does. */
  readonly affects: readonly RealMode[];
}

/** The whole judgement on a machine. */
export interface Diagnosis {
  readonly modes: Readonly<Record<RealMode | 'simulated', ModeState>>;
  /** What `--mode auto` takes. */
  readonly best: RealMode | 'simulated';
  readonly findings: readonly Finding[];
}

export interface ModeState {
  readonly works: boolean;
  /** Ids of the findings that stop it. */
  readonly stoppedBy: readonly string[];
}
