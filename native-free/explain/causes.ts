import type {Cause} from './cause.ts';
import {causesOfFiles} from './causes-of-files.ts';
import {causesOfIds} from './causes-of-ids.ts';
import {causesOfKubernetes} from './causes-of-kubernetes.ts';
import {causesOfMaps} from './causes-of-maps.ts';
import {causesOfMounts} from './causes-of-mounts.ts';
import {causesOfNamespaces} from './causes-of-namespaces.ts';
import {causesOfResources} from './causes-of-resources.ts';

const table = {
  ...causesOfIds,
  ...causesOfMaps,
  ...causesOfNamespaces,
  ...causesOfMounts,
  ...causesOfFiles,
  ...causesOfKubernetes,
  ...causesOfResources,
} as const;

export type CauseId = keyof typeof table;

/** Every cause that can be named, by its stable id. */
export const causes: Readonly<Record<CauseId, Cause>> = table;

export const causeIds = Object.keys(table) as readonly CauseId[];
