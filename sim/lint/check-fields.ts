import type {FieldError} from '../field-error.ts';
import {FieldReader, Findings} from '../field-reader.ts';
import type {FeatureGates} from '../kubernetes-versions.ts';
import {OLDEST_MINOR} from '../kubernetes-versions.ts';
import type {Tree} from '../manifest-tree.ts';
import type {Pod, PodSpec} from '../pod.ts';
import {readPodSpec} from '../pod-fields.ts';
import {validatePod} from '../validation.ts';
import type {Mark, Report} from './finding.ts';
import type {Cluster} from './node-versions.ts';
import type {PodView} from './pod-view.ts';
import type {RuleContext} from './rule-context.ts';
import {locate, Spot} from './spot.ts';

/** What the reader of manifests and the API server say: types, unknown names, and values that are refused. */
export function checkFields(context: RuleContext): Report[] {
  const {findings, spec} = readSpec(context.pod);
  return [...problems(findings, context.pod), ...unknown(findings, context.pod), ...refused(spec, findings, context)];
}

interface ReadSpec {
  readonly findings: Findings;
  readonly spec: PodSpec;
}

/** The pod's spec as `subroot run` reads it, and what the reader noted on the way. */
export function readSpec({spec, metadata}: PodView): ReadSpec {
  const findings = new Findings('');
  readMetadata(metadata, findings);
  return {findings, spec: readPodSpec(new FieldReader(spec.tree, spec.path, findings))};
}

function readMetadata(metadata: Spot | undefined, findings: Findings): void {
  if (!metadata) return;
  const reader = new FieldReader(metadata.tree, metadata.path, findings);
  reader.string('name');
  reader.string('namespace');
  reader.stringMap('labels');
  reader.stringMap('annotations');
  reader.ignore(
    ...['uid', 'creationTimestamp', 'resourceVersion', 'generation', 'managedFields', 'selfLink', 'generateName'],
    ...['ownerReferences', 'finalizers', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  );
  reader.finish();
}

function problems({problems: found}: Findings, {workload}: PodView): Report[] {
  return found.map(({at, path, what}) => ({
    rule: 'field-type',
    mark: markAt(workload.object, path, at),
    path,
    message: `${path}: ${what}`,
    mend: 'write a value of that type: the API server refuses the object',
  }));
}

/** The spot's mark when it is the place that was meant, so that the end is known; else the place alone. */
function markAt(object: Spot, path: string, at: Mark): Mark {
  const spot = locate(object, path);
  if (spot.path !== path) return {line: at.line, column: at.column};
  const value = new Spot(spot.tree).mark;
  return value.line === at.line && value.column === at.column ? value : {line: at.line, column: at.column};
}

function unknown({warnings}: Findings, {workload}: PodView): Report[] {
  const found = warnings.filter(({kind}) => kind === 'unknown-field');
  const ends = found.length === 0 ? new Map<string, number>() : keyEnds(workload.object.tree);
  return found.map(({line, column, path, text}) => {
    const endColumn = ends.get(`${line}:${column}`);
    return {
      rule: 'field-unknown',
      mark: {line, column, ...(endColumn === undefined ? {} : {endColumn})},
      path,
      message: text,
      mend: 'correct or remove it: kubectl refuses it (--validate=strict), and other clients drop it in silence',
    };
  });
}

/** Where the key ends that begins at `line:column`. A name alone does not tell: it may be quoted or escaped. */
function keyEnds(tree: Tree, ends = new Map<string, number>()): ReadonlyMap<string, number> {
  if (tree.kind === 'list') for (const item of tree.items) keyEnds(item, ends);
  if (tree.kind === 'map') {
    for (const {at, end, tree: value} of tree.fields.values()) {
      if (end?.line === at.line && end.column > at.column) ends.set(`${at.line}:${at.column}`, end.column);
      keyEnds(value, ends);
    }
  }
  return ends;
}

function refused(spec: PodSpec, {problems: known}: Findings, {pod, cluster}: RuleContext): Report[] {
  const prefix = pod.workload.pod.path;
  const full = (path: string) => (prefix === '' ? path : `${prefix}.${path}`);
  // A value of the wrong type is read as none, and what then misses it would be said twice.
  const isKnown = (path: string) => known.some((problem) => full(path).startsWith(problem.path));
  return validationErrors(pod, spec, cluster).flatMap(({path, text}) => {
    if (hasOwnRule({path, text}) || isKnown(path)) return [];
    const spot = locate(pod.workload.pod, path);
    return [
      {
        rule: 'api-invalid' as const,
        mark: spot === pod.workload.pod ? pod.workload.mark : spot.mark,
        path: full(path),
        message: full(text),
        mend: 'correct the value; `kubectl apply --dry-run=server -f FILE` asks your own API server',
      },
    ];
  });
}

/** Refusals about which a rule of its own says more: check-hostusers.ts, check-volumes.ts, check-security.ts. */
const ownRules: readonly RegExp[] = [
  /^spec\.host(?:Network|PID|IPC): /i,
  /\.volumeDevices: Forbidden/,
  /^spec\.volumes\[\d+\]: Forbidden/,
  /^spec\.hostUsers: /,
  /\.procMount: .*`hostUsers` must be false/,
];

function hasOwnRule({text}: Pick<FieldError, 'path' | 'text'>): boolean {
  return ownRules.some((pattern) => pattern.test(text));
}

/** What the API server of that version says against a pod. Versions before 1.25 are judged as 1.25 with user namespaces off. */
export function validationErrors(pod: PodView, spec: PodSpec, {api}: Pick<Cluster, 'api'>): readonly FieldError[] {
  const gates: FeatureGates = api.version === undefined ? {} : api.gates;
  const {kind, namespace, name} = pod.workload;
  const claims = pod.volumes.filter(({type}) => type === 'volumeClaimTemplate');
  const whole: Pod = {
    metadata: {
      name: kind === 'Pod' && pod.metadata?.get('generateName') === undefined ? name : 'generated',
      namespace: namespace === '' ? 'default' : namespace,
      uid: 'generated',
      labels: {},
      annotations: {},
    },
    // The controller adds the claims of a StatefulSet to its pods.
    spec: {
      ...spec,
      volumes: [
        ...spec.volumes,
        ...claims.map((claim) => ({name: claim.name, kind: 'other' as const, type: 'persistentVolumeClaim'})),
      ],
    },
    notYet: [],
  };
  const errors = validatePod(whole, {kubernetes: api.version ?? `1.${OLDEST_MINOR}`, gates});
  return errors.filter(
    ({path}) => !/^spec\.volumes\[(\d+)\]/.test(path) || Number(/\[(\d+)\]/.exec(path)?.[1]) < spec.volumes.length,
  );
}

/** Windows pods have no user namespaces. Source: kubernetes pkg/apis/core/validation/validation.go validateWindows, 1.36. */
export function checkWindows({pod, cluster}: RuleContext): Report[] {
  const field = pod.spec.get('hostUsers');
  if (!field || pod.spec.at('os', 'name')?.text !== 'windows' || cluster.api.minor < OLDEST_MINOR) return [];
  return [
    {
      rule: 'hostusers-windows',
      mark: field.mark,
      path: field.path,
      message: 'hostUsers cannot be set for a Windows pod, neither to true nor to false: the API server refuses it',
      mend: 'remove hostUsers',
    },
  ];
}
