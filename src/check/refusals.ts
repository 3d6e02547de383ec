import type {Target} from './target.ts';

/** Things that a runtime must refuse, by id. */
export const refusalRules = {
  'refuses-overlapping-maps': 'two lines of a map that share ids',
  'refuses-empty-extent': 'a line of a map with no ids in it',
  'refuses-last-id': 'a map that reaches id 4294967295, which is no id',
  'refuses-no-mapping': 'a user namespace without mappings',
  'refuses-two-mappings': 'two mappings where the kubelet gives one',
  'refuses-unmapped-root': 'a map in which uid 0 has no place',
  'refuses-node-with-mappings': "the node's user namespace, with mappings",
  'refuses-container-mode': 'a user namespace of the container alone',
  'refuses-other-userns-in-container': 'a container whose mappings are not those of its pod',
} as const;

export type RefusalRule = keyof typeof refusalRules;

/** How an attempt to break a rule ended. */
export interface Refusal {
  readonly refused: boolean;
  /** What the runtime said. */
  readonly said: string;
}

/** A target that can be asked to do what it must refuse. */
export interface RefusingTarget extends Target {
  /** Tries it and removes what came of it; undefined when this kind of runtime has no such rule. */
  tryRule(rule: RefusalRule): Promise<Refusal | undefined>;
}

export function canRefuse(target: Target): target is RefusingTarget {
  return 'tryRule' in target && typeof target.tryRule === 'function';
}
