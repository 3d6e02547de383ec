import {randomUUID} from 'node:crypto';
import {subrootError} from '../native-free/errors.ts';
import {readApiObject} from './api-object-fields.ts';
import type {ApiObject} from './api-objects.ts';
import {ApiObjects} from './api-objects.ts';
import {aggregate} from './field-error.ts';
import type {Warning} from './field-reader.ts';
import {FieldReader, Findings, nearest} from './field-reader.ts';
import type {Tree} from './manifest-tree.ts';
import {parseTrees, plainOf, treeOf} from './manifest-tree.ts';
import type {Pod} from './pod.ts';
import {readPodSpec} from './pod-fields.ts';
import {nameErrors} from './pod-names.ts';

/** An object of the file that is not read (Service, Namespace, …), as plain JSON values. */
export interface OtherObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly object: unknown;
}

export interface Manifests {
  /** In the order of the file; may be empty. */
  readonly pods: readonly Pod[];
  /** The ConfigMaps and Secrets of the same text, for the pods that refer to them. */
  readonly objects: ApiObjects;
  readonly others: readonly OtherObject[];
  readonly warnings: readonly Warning[];
}

export interface ParseOptions {
  /** The name for messages. */
  readonly file: string;
  /** `refuse` (default): a field that may not be dropped is an error here; `keep`: it is listed in `pod.notYet` and `startPod` refuses. */
  readonly notYet?: 'refuse' | 'keep';
  /** The uid of a pod that has none; a random UUID by default. */
  readonly newUid?: () => string;
}

/** Where the pod template of a kind is. */
export const templatePaths: Readonly<Record<string, string>> = {
  Deployment: 'spec.template',
  ReplicaSet: 'spec.template',
  StatefulSet: 'spec.template',
  DaemonSet: 'spec.template',
  Job: 'spec.template',
  ReplicationController: 'spec.template',
  CronJob: 'spec.jobTemplate.spec.template',
  PodTemplate: 'template',
};

const listKinds: readonly string[] = ['List', 'PodList', 'ConfigMapList', 'SecretList'];

/** Kinds that a file of pods may hold beside them and that no pod is run from. */
/** Kinds that pods may refer to and that hold no pod. */
export const companions: readonly string[] = [
  ...['Namespace', 'ServiceAccount', 'Service', 'PersistentVolume', 'PersistentVolumeClaim'],
  ...['RuntimeClass', 'NetworkPolicy', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'LimitRange'],
  ...['ResourceQuota', 'PriorityClass', 'StorageClass', 'PodDisruptionBudget', 'Endpoints', 'Ingress'],
];

/**
 * The pods, ConfigMaps and Secrets of a YAML or JSON text: several documents, `kind: List`, nested lists; empty documents are skipped.
 * A field of the wrong type, a bad name or a field that may not be dropped is an error that names file, line, column and path;
 * an unknown field or one that is merely not honoured is a warning.
 * Errors: SUBROOT_MANIFEST_TOO_BIG, _SYNTAX, _TOO_DEEP, _ALIASES, _KIND, _FIELD, _NOT_YET, SUBROOT_POD_INVALID.
 */
export function parseManifests(text: string, options: ParseOptions): Manifests {
  return readManifests(parseTrees(text, options.file), options);
}

/** As parseManifests, from JSON values instead of their text. */
export function manifestsOf(value: unknown, options: ParseOptions): Manifests {
  return readManifests([treeOf(value, options.file)], options);
}

function readManifests(trees: readonly Tree[], options: ParseOptions): Manifests {
  const findings = new Findings(options.file);
  const pods: Pod[] = [];
  const others: OtherObject[] = [];
  const objects: ApiObject[] = [];
  const visit = (tree: Tree, path: string): void => {
    const reader = new FieldReader(tree, path, findings);
    findings.throwProblems();
    const apiVersion = reader.string('apiVersion');
    const kind = reader.string('kind');
    findings.throwProblems();
    const where = findings.where(tree.at);
    if (kind === undefined || apiVersion === undefined) {
      throw kindError(where, kind ?? 'an object', `${kind === undefined ? 'kind' : 'apiVersion'} is not set`, 'Pod');
    }
    if (listKinds.includes(kind)) {
      for (const [i, item] of listItems(tree, findings).entries()) visit(item, `${path}${path && '.'}items[${i}]`);
      return;
    }
    if (kind === 'Pod' && apiVersion === 'v1') pods.push(readPod(reader, findings, options));
    else if ((kind === 'ConfigMap' || kind === 'Secret') && apiVersion === 'v1') {
      const object = readApiObject(reader, kind);
      if (objects.some((other) => isTwin(other, object))) {
        const what = `${kind} ${object.namespace}/${object.name} is written twice; which of them is meant?`;
        findings.problem(tree.at, reader.path || 'document', what);
      }
      objects.push(object);
    } else if (companions.includes(kind)) others.push(otherOf(tree, apiVersion, kind));
    else throw kindError(where, kind, whyNot(kind, apiVersion), kind);
  };
  for (const tree of trees) visit(tree, '');
  findings.throwProblems();
  for (const pod of pods) refuseBadNames(pod);
  if (options.notYet !== 'keep' && findings.notYet.length > 0) throw notYetError(findings.notYet);
  return {pods, objects: new ApiObjects(objects), others, warnings: findings.warnings};
}

function isTwin(a: ApiObject, b: ApiObject): boolean {
  return a.kind === b.kind && a.namespace === b.namespace && a.name === b.name;
}

function listItems(tree: Tree, findings: Findings): readonly Tree[] {
  const items = tree.kind === 'map' ? tree.fields.get('items')?.tree : undefined;
  if (!items || (items.kind === 'scalar' && items.value === null)) return [];
  if (items.kind === 'list') return items.items;
  findings.problem(items.at, 'items', 'expected a list');
  findings.throwProblems();
  return [];
}

function readPod(reader: FieldReader, findings: Findings, options: ParseOptions): Pod {
  const before = findings.notYet.length;
  const metadata = reader.object('metadata');
  const spec = reader.object('spec');
  if (!metadata) findings.problem(reader.at, reader.pathOf('metadata'), 'is required');
  if (!spec) findings.problem(reader.at, reader.pathOf('spec'), 'is required');
  reader.ignore('status');
  reader.finish();
  if (!metadata || !spec) findings.throwProblems();
  const name = metadata?.string('name') ?? '';
  const namespace = metadata?.string('namespace') || 'default';
  const uid = metadata?.string('uid') || (options.newUid ?? randomUUID)();
  const labels = metadata?.stringMap('labels') ?? {};
  const annotations = metadata?.stringMap('annotations') ?? {};
  metadata?.ignore(
    ...['creationTimestamp', 'resourceVersion', 'generation', 'managedFields', 'selfLink', 'generateName'],
    ...['ownerReferences', 'finalizers', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  );
  metadata?.finish();
  const readSpec = spec ?? new FieldReader({kind: 'map', at: reader.at, fields: new Map()}, 'spec', findings);
  const podSpec = readPodSpec(readSpec);
  return {
    metadata: {name, namespace, uid, labels, annotations},
    spec: podSpec,
    notYet: findings.notYet.slice(before),
  };
}

function otherOf(tree: Tree, apiVersion: string, kind: string): OtherObject {
  const metadata = tree.kind === 'map' ? tree.fields.get('metadata')?.tree : undefined;
  const name = metadata?.kind === 'map' ? metadata.fields.get('name')?.tree : undefined;
  return {
    apiVersion,
    kind,
    name: name?.kind === 'scalar' ? String(name.value ?? '') : '',
    line: tree.at.line,
    object: plainOf(tree),
  };
}

function whyNot(kind: string, apiVersion: string): string {
  if (kind === 'Pod' || kind === 'ConfigMap' || kind === 'Secret') return `apiVersion "${apiVersion}" is not v1`;
  return templatePaths[kind] === undefined ? 'only v1/Pod is run' : 'only v1/Pod is run, not what makes pods';
}

function kindError(where: string, shown: string, why: string, kind: string): Error {
  const template = templatePaths[kind];
  const near = nearest(kind, ['Pod', 'List', 'ConfigMap', 'Secret', ...companions, ...Object.keys(templatePaths)]);
  const mend =
    template !== undefined
      ? `write a Pod from its ${template}: apiVersion v1, kind Pod, the template's metadata with a name, and its spec`
      : near !== undefined && near !== kind
        ? `did you mean kind ${near}?`
        : 'begin the document with `apiVersion: v1` and `kind: Pod`';
  return subrootError('SUBROOT_MANIFEST_KIND', {where, kind: shown, why, mend});
}

function refuseBadNames(pod: Pod): void {
  const errors = nameErrors(pod);
  if (errors.length > 0) {
    throw subrootError('SUBROOT_POD_INVALID', {pod: pod.metadata.name, errors: aggregate(errors)});
  }
}

/** The error for fields that may not be dropped. */
export function notYetError(fields: Pod['notYet']): Error {
  const list = fields.map((field) => `${field.path} (${field.place}: ${field.why})`).join('; ');
  return subrootError('SUBROOT_MANIFEST_NOT_YET', {fields: list});
}
