import type {IdMapping} from '../../native-free/id-map.ts';

/** What a check says. One shape for every report; `docs/evidence.md` shows it. */

/**
 * An arm is who makes the attempt: a root without a user namespace (control) or a pod's root (treatment), with every capability that
 * there is or with the default fourteen. A refusal in the treatment means something only when the control with the same
 * capabilities got through.
 */
export type Arm = 'control-all' | 'control-default' | 'treatment-all' | 'treatment-default';
export const arms: readonly Arm[] = ['control-all', 'control-default', 'treatment-all', 'treatment-default'];

/**
 * - `blocked`: a control got through, the treatments were refused, and what is reachable was reached.
 * - `not-blocked`: a treatment got through.
 * - `inconclusive`: no control got through, or the treatment was stopped on its way there: nothing follows from the refusal.
 * - `not-possible`: this machine or target cannot try it; `reason` says what is missing.
 * - `by-design`: a user namespace does not stop this; shown, and never counted as a pass.
 * - `works`, `broken`: of what a pod must still be able to do, and of what must always hold (group 7 and invariants).
 */
export type Outcome = 'blocked' | 'not-blocked' | 'inconclusive' | 'not-possible' | 'by-design' | 'works' | 'broken';

/** One thing that an attempt did: `did` names it as the man pages do; it worked, or ended with an errno. */
export interface Observation {
  readonly did: string;
  /** Name of the errno; absent when it worked. */
  readonly errno?: string;
  /** What was read or counted, when that is the point. At most a few hundred characters; whatever a container wrote is escaped when shown. */
  readonly value?: string;
}

/** Who made an attempt, as the host saw it while it was made. */
export interface Attacker {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names exactly this process. */
  readonly startTime: string;
  /** Host ids: the effective ones, and the supplementary groups. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Inode of its user namespace. */
  readonly userNamespace: number;
  /** CapEff, sixteen hexadecimal digits. */
  readonly capabilities: string;
}

export interface ArmResult {
  readonly arm: Arm;
  /** `succeeded`: the effect was seen. `refused`: an errno, or no effect. `failed`: it could not be tried; `why` says so. */
  readonly ended: 'succeeded' | 'refused' | 'failed';
  /** Of what ended it: `EACCES`. */
  readonly errno?: string;
  /** The sibling attempt that must succeed wherever the path leads there at all. Absent where there is no path. */
  readonly reached?: boolean;
  readonly observations: readonly Observation[];
  readonly attacker?: Attacker;
  readonly why?: string;
}

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly group: number;
  readonly class: CheckClass;
  readonly outcome: Outcome;
  /** One sentence that a student understands: why it ended so, with the values. */
  readonly reason: string;
  /** In words, by arm; only the arms that the check has. */
  readonly expected: Readonly<Partial<Record<Arm, string>>>;
  readonly arms: readonly ArmResult[];
  /** Host ids and paths that were looked at, by name: `block`, `owner of the canary`, … */
  readonly evidence: Readonly<Record<string, string>>;
  readonly references: readonly Reference[];
  readonly durationMs: number;
}

/**
 * `U`: ids alone block it, since a root with the default capabilities gets through. `K`: only a privileged root could, and the user
 * namespace makes that capability harmless. `invariant`: holds in every arm. `usable`: a pod must still be able to. `by-design`: not blocked.
 */
export type CheckClass = 'U' | 'K' | 'invariant' | 'usable' | 'by-design';

export interface Reference {
  readonly kind: 'CVE' | 'ATT&CK' | 'NIST' | 'CIS Kubernetes' | 'CIS Docker' | 'Kubernetes' | 'kernel';
  readonly id: string;
  /** False: from general knowledge, to be checked against the edition that is cited. */
  readonly confirmed: boolean;
}

/** A pod that was judged, as /proc showed it; what cannot be read is undefined. */
export interface JudgedPod {
  readonly name: string;
  /** Its first program, as the host sees it. */
  readonly pid: number;
  /** Inode of its user namespace. */
  readonly userNamespace?: number;
  readonly uids?: readonly IdMapping[];
  readonly gids?: readonly IdMapping[];
  /** Uid of its first program on the host. */
  readonly hostUid?: number;
}

/** A whole run against one target: what every report is made of. */
export interface Report {
  readonly schema: 'urn:subroot:check-report:1';
  readonly subroot: string;
  readonly target: TargetDescription;
  /** The pods that all checks shared; reports draw their ids. */
  readonly pods?: readonly JudgedPod[];
  readonly machine: {readonly kernel: string; readonly arch: string; readonly cgroup: string; readonly lsm: string};
  /** Seeds names of canaries and random choices: the same seed, the same run. */
  readonly seed: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** In the order of the check list, whatever the order in which they ended. */
  readonly results: readonly CheckResult[];
  readonly summary: Readonly<Record<Outcome, number>>;
}

export interface TargetDescription {
  /** As on the command line: `subroot`, `oci:runc`, `cri:unix:///run/containerd/containerd.sock`, `pid:4711`, … */
  readonly target: string;
  /** `runc 1.1.5` */
  readonly version: string;
  /** What it can do; a check that needs another thing is `not-possible`, and one whose control it cannot run is `inconclusive`. */
  readonly abilities: Readonly<Record<Ability, boolean>>;
  /** Remarks that belong beside the verdict: `the runtime was asked for a user namespace and made none`. */
  readonly notes: readonly string[];
}

/**
 * `start`: makes pods. `two-pods`: at once, with ranges of their own. `same-range`: two pods with one range, the control of lateral
 * attempts. `control`: a pod without a user namespace. `exec`: runs programs inside. `all-capabilities`: can give them. `mounts`: of host
 * folders; `idmapped-mounts`: with their ids shifted. `outside`: we see its processes from the host and may join their user namespaces.
 */
export type Ability =
  | 'start'
  | 'two-pods'
  | 'same-range'
  | 'control'
  | 'exec'
  | 'all-capabilities'
  | 'mounts'
  | 'idmapped-mounts'
  | 'stdio'
  | 'outside';
