import type {Ability, Arm, CheckClass, CheckResult, Reference} from './result.ts';
import type {Target, TargetPod} from './target.ts';

/** What a check needs beside its target: found by probing, and named when it is missing. */
export type Need =
  | 'root'
  | 'raw-syscalls'
  | 'cgroup-v1'
  | 'cgroup-v2'
  | 'loop-device'
  | 'busybox'
  | 'second-mount-namespace';

/**
 * One check: what an attacker gains if it fails, what is tried, what is expected in each arm, and the rule of the kernel that decides. One
 * file each, in `src/check/checks/`; `checks.ts` lists them in the order of every report.
 */
export interface Check {
  /** Stable, kebab-case: `read-root-0600`. */
  readonly id: string;
  /** A fact in lower case: "a root-only file of the host cannot be read". */
  readonly title: string;
  /** 1 identity · 2 host files · 3 kernel interfaces · 4 host processes · 5 lateral · 6 limits by uid · 7 a pod stays usable · 8 by design. */
  readonly group: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  readonly class: CheckClass;
  readonly gain: string;
  /** The essential calls, in words. */
  readonly attempt: string;
  readonly expected: Readonly<Partial<Record<Arm, string>>>;
  /** The rule, with file and function of the kernel. */
  readonly rule: string;
  readonly references: readonly Reference[];
  readonly needs: readonly Need[];
  readonly abilities: readonly Ability[];
  run(scene: Scene): Promise<CheckResult>;
}

/** What a running check is handed: pods that are shared by all checks, canaries, and the attacker. Everything in it is cleaned up by the engine. */
export interface Scene {
  readonly target: Target;
  /** The treatment pod, and a second one with another range; made once for all checks. */
  readonly pods: readonly TargetPod[];
  readonly seed: string;
  readonly signal: AbortSignal;
}
