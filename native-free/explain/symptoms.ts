import type {Symptom} from './symptom.ts';
import {symptomsOfEngines} from './symptoms-of-engines.ts';
import {symptomsOfKubernetes} from './symptoms-of-kubernetes.ts';
import {symptomsOfPrograms} from './symptoms-of-programs.ts';
import {symptomsOfTools} from './symptoms-of-tools.ts';

/** Every message that is known, by its source. */
export const symptoms: readonly Symptom[] = [
  ...symptomsOfKubernetes,
  ...symptomsOfEngines,
  ...symptomsOfTools,
  ...symptomsOfPrograms,
];
