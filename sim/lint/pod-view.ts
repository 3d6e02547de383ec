import type {Mark} from './finding.ts';
import type {Spot} from './spot.ts';
import type {Workload} from './workloads.ts';

export type ContainerList = 'initContainers' | 'containers' | 'ephemeralContainers';

/** A container as it is written. */
export interface ContainerView {
  readonly spot: Spot;
  readonly list: ContainerList;
  /** Its name, or its place in the list when it has none. */
  readonly name: string;
  readonly securityContext: Spot | undefined;
  /** Where to point when the field in question is not written. */
  readonly mark: Mark;
}

/** A volume of the pod, or a claim template of a StatefulSet. */
export interface VolumeView {
  readonly spot: Spot;
  readonly name: string;
  /** The field that says what it is (`hostPath`, `nfs`, …); `emptyDir` when none does; `volumeClaimTemplate` for a StatefulSet's. */
  readonly type: string;
  readonly source: Spot | undefined;
}

/** A workload's pod, read for rules: absent stays absent, and nothing is checked. */
export interface PodView {
  readonly workload: Workload;
  readonly spec: Spot;
  /** Of the template, or of the Pod. */
  readonly metadata: Spot | undefined;
  readonly securityContext: Spot | undefined;
  /** As written; undefined when it is absent or no boolean. */
  readonly hostUsers: boolean | undefined;
  /** Init containers, containers, ephemeral containers. */
  readonly containers: readonly ContainerView[];
  readonly volumes: readonly VolumeView[];
  /** By the name of the volume. */
  readonly mounts: ReadonlyMap<string, readonly VolumeMountView[]>;
}

/** A volume in a container. */
export interface VolumeMountView {
  readonly container: ContainerView;
  readonly mount: Spot;
}

const containerLists: readonly ContainerList[] = ['initContainers', 'containers', 'ephemeralContainers'];

/** The view of a workload's pod. Never throws, whatever is written. */
export function viewPod(workload: Workload): PodView {
  const {spec, pod, object} = workload;
  const written = spec.get('hostUsers')?.value;
  const claims = workload.kind === 'StatefulSet' ? (object.at('spec', 'volumeClaimTemplates')?.items ?? []) : [];
  const containers = containerLists.flatMap((list) =>
    (spec.get(list)?.items ?? []).map((spot) => viewContainer(spot, list)),
  );
  return {
    workload,
    spec,
    metadata: pod.get('metadata'),
    securityContext: spec.get('securityContext'),
    hostUsers: typeof written === 'boolean' ? written : undefined,
    containers,
    mounts: mountsByVolume(containers),
    volumes: [
      ...(spec.get('volumes')?.items ?? []).map(viewVolume),
      ...claims.map((spot): VolumeView => {
        const name = spot.at('metadata', 'name')?.text ?? '';
        return {spot: spot.at('metadata', 'name') ?? spot, name, type: 'volumeClaimTemplate', source: spot.get('spec')};
      }),
    ],
  };
}

function viewContainer(spot: Spot, list: ContainerList): ContainerView {
  const name = spot.get('name');
  return {
    spot,
    list,
    name: name?.text || spot.path.slice(spot.path.lastIndexOf('.') + 1),
    securityContext: spot.get('securityContext'),
    mark: (name ?? spot).mark,
  };
}

function viewVolume(spot: Spot): VolumeView {
  const source = spot.entries.find(([field]) => field !== 'name');
  return {
    spot: source?.[1] ?? spot.get('name') ?? spot,
    name: spot.get('name')?.text ?? '',
    type: source?.[0] ?? 'emptyDir',
    source: source?.[1],
  };
}

function mountsByVolume(containers: readonly ContainerView[]): ReadonlyMap<string, readonly VolumeMountView[]> {
  const mounts = new Map<string, VolumeMountView[]>();
  for (const container of containers) {
    for (const mount of container.spot.get('volumeMounts')?.items ?? []) {
      const name = mount.get('name')?.text;
      if (name === undefined) continue;
      const known = mounts.get(name);
      if (known) known.push({container, mount});
      else mounts.set(name, [{container, mount}]);
    }
  }
  return mounts;
}

/** Whether some container can write to the volume. */
export function isWritable({mounts}: PodView, {name}: VolumeView): boolean {
  return (mounts.get(name) ?? []).some(({mount}) => mount.get('readOnly')?.value !== true);
}
