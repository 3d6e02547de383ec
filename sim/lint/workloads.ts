import type {Tree} from '../manifest-tree.ts';
import {companions, templatePaths} from '../pod-spec.ts';
import type {Mark} from './finding.ts';
import {Spot} from './spot.ts';

/** A pod, or what makes pods, as it is written. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  /** `default` where none is written. */
  readonly namespace: string;
  /** `Deployment default/web`. */
  readonly title: string;
  /** The whole object. */
  readonly object: Spot;
  /** The mapping that holds the pod's metadata and spec: the object itself, or its template. */
  readonly pod: Spot;
  readonly spec: Spot;
  /** Where to point when the field in question is not written: the name, else the spec. */
  readonly mark: Mark;
}

/** An object that was not looked into, and why. */
export interface Unread {
  readonly mark: Mark;
  readonly path: string;
  readonly what: string;
  readonly why: string;
}

/** What the documents of a file hold. */
export interface Found {
  readonly workloads: readonly Workload[];
  /** Objects that have no pod: claims, volumes, storage classes, … */
  readonly others: readonly {readonly kind: string; readonly object: Spot}[];
  readonly unread: readonly Unread[];
}

/** Kinds without a pod that need no word: those that `subroot run` knows too, and what else comes with an application. */
const silent: ReadonlySet<string> = new Set([
  ...companions,
  ...['ConfigMap', 'Secret', 'CustomResourceDefinition', 'HorizontalPodAutoscaler', 'IngressClass', 'EndpointSlice'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'ValidatingAdmissionPolicy', 'APIService'],
  ...[
    'ValidatingAdmissionPolicyBinding',
    'Node',
    'Lease',
    'CSIDriver',
    'VolumeAttributesClass',
    'KubeletConfiguration',
  ],
  ...['Kustomization', 'Event', 'ControllerRevision', 'CertificateSigningRequest'],
]);

/** Every workload of the documents, `List`s opened. Never throws. */
export function findWorkloads(trees: readonly Tree[]): Found {
  const workloads: Workload[] = [];
  const others: {kind: string; object: Spot}[] = [];
  const unread: Unread[] = [];
  const visit = (object: Spot, listKind?: string): void => {
    const kind = object.get('kind')?.text ?? listKind;
    const leave = (what: string, why: string) =>
      unread.push({mark: (object.get('kind') ?? object).mark, path: object.path, what, why});
    if (object.tree.kind !== 'map' || kind === undefined || (listKind === undefined && !object.get('apiVersion'))) {
      leave('this document', 'it is no Kubernetes object: apiVersion and kind are not both set');
      return;
    }
    const items = kind.endsWith('List') ? object.get('items') : undefined;
    if (items) {
      for (const item of items.items) visit(item, kind === 'List' ? undefined : kind.slice(0, -'List'.length));
      return;
    }
    const template = kind === 'Pod' ? '' : templatePaths[kind];
    if (template === undefined) {
      others.push({kind, object});
      if (!silent.has(kind) && !kind.endsWith('List'))
        leave(`kind ${kind}`, 'it is not known here, and a pod in it would not be seen');
      return;
    }
    const pod = template === '' ? object : object.at(...template.split('.'));
    const spec = pod?.get('spec');
    if (pod && spec?.tree.kind === 'map') workloads.push(workloadOf(kind, object, pod, spec));
    else
      leave(
        `${kind} ${nameOf(object)}`.trim(),
        `it has no pod: ${template === '' ? '' : `${template}.`}spec is not a mapping`,
      );
  };
  for (const tree of trees) visit(new Spot(tree));
  return {workloads, others, unread};
}

function workloadOf(kind: string, object: Spot, pod: Spot, spec: Spot): Workload {
  const name = nameOf(object);
  const namespace = object.at('metadata', 'namespace')?.text ?? 'default';
  const mark = (object.at('metadata', 'name') ?? object.at('metadata', 'generateName') ?? spec).mark;
  return {kind, name, namespace, title: `${kind} ${namespace}/${name}`, object, pod, spec, mark};
}

function nameOf(object: Spot): string {
  return object.at('metadata', 'name')?.text ?? object.at('metadata', 'generateName')?.text ?? '';
}
