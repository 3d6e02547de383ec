import type {Step} from './host/step.ts';
import type {Mode} from './userns/mode.ts';

/** Everything that starting a pod would do, as a value: `--dry-run` prints it, and the agent executes the same steps. */
export interface PodPlan {
  readonly pod: string;
  readonly mode: Mode;
  readonly reason: string;
  /** Absent for a pod in the node's own user namespace. */
  readonly userNamespace?: {
    /** Whose ids the creating process takes first, so that the pod's budgets are its own. */
    readonly owner: {readonly uid: number; readonly gid: number};
    readonly uidMap: string;
    readonly gidMap: string;
  };
  /** Tools that are run for the outer namespace, with PID for its process. */
  readonly tools: readonly (readonly string[])[];
  readonly parts: readonly {readonly what: string; readonly argv: readonly string[]; readonly steps: readonly Step[]}[];
}
