import type {Attempt} from './attempt.ts';
import type {Ability, Arm, ArmResult, CheckClass, Outcome, Reference} from './result.ts';
import type {Scene} from './scene.ts';

/** What a check needs beside its target: found by probing, and named when it is missing. */
export type Need = 'root' | 'cgroup-v1' | 'cgroup-v2' | 'loop-device' | 'busybox';

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
  /** Never beside another check: it fills a budget or looks at what others change. */
  readonly alone?: boolean;
  /** Tries it and says what was seen; what follows from that is decided by `classify.ts`. Everything it made is gone afterwards. */
  measure(scene: Scene): Promise<Measurement>;
}

/**
 * What was seen. `attempts`: tried in arms, the outcome follows from who got through. `found`: a fact about the pod, whose outcome the check
 * itself can tell.
 */
export type Measurement =
  | {
      readonly kind: 'attempts';
      readonly attempts: readonly AttemptResult[];
      readonly evidence?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'found';
      readonly outcome: Outcome;
      readonly reason: string;
      readonly arms?: readonly ArmResult[];
      readonly evidence?: Readonly<Record<string, string>>;
    };

/** One attempt in every arm that it has. */
export interface AttemptResult {
  readonly name: string;
  readonly arms: readonly ArmResult[];
  /** Errnos by which a permission check refuses here; any other means that something else stood in the way. */
  readonly refusals: readonly string[];
}

export type {Attempt, Scene};
