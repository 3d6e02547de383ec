import type {Report} from './finding.ts';
import type {Cluster} from './node-versions.ts';
import type {PodView} from './pod-view.ts';
import type {Storage} from './volume-file-system.ts';

/** What a rule about a workload is given. */
export interface RuleContext {
  readonly pod: PodView;
  readonly cluster: Cluster;
  /** Whether the caller said anything about the cluster; without it rules about one version's refusals stay silent. */
  readonly isClusterKnown: boolean;
  readonly storage: Storage;
}

/** Looks at one workload; answers what it found, in any order. Never throws. */
export type WorkloadCheck = (context: RuleContext) => readonly Report[];
