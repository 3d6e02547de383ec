import type {FieldError} from '../field-error.ts';
import {type ReviewedCapability, reviewCapabilities} from './capability-review.ts';
import {readSpec, validationErrors} from './check-fields.ts';
import {idFields, idsBeyond, roomFor} from './check-ids.ts';
import {deviceResources} from './check-volumes.ts';
import type {Mark} from './finding.ts';
import {canIdmap, type IdmapSupport, idmapSupport} from './idmap-file-systems.ts';
import {type MigrationStep, migrationSteps} from './migration.ts';
import type {Cluster} from './node-versions.ts';
import {
  checksAgainst,
  type FailedCheck,
  failedChecks,
  type PodSecurityLevel,
  podSecurityLevel,
} from './pod-security.ts';
import {type PodView, viewPod} from './pod-view.ts';
import {predictUserns, type SkewLayer, type UsernsOutcome} from './skew.ts';
import {locate} from './spot.ts';
import {behindVolume, type Storage, usesTmpfs} from './volume-file-system.ts';
import type {Workload} from './workloads.ts';

/** Something that stands in the way of `hostUsers: false`, where it is written, and what would change it. */
export interface Blocker extends Mark {
  readonly outcome: UsernsOutcome;
  readonly layer: SkewLayer;
  readonly path: string;
  readonly why: string;
  readonly change: string;
}

/** Something that starts and works differently. */
export interface Caution extends Mark {
  readonly path: string;
  readonly why: string;
}

/** What a pod comes to when it has `hostUsers: false`, whether that is written or not. */
export interface WorkloadReview extends Mark {
  readonly workload: string;
  readonly file: string;
  /** As written; null: it is not. */
  readonly hostUsers: boolean | null;
  readonly outcome: UsernsOutcome;
  /** One sentence: why it comes to that. */
  readonly why: string;
  /** `ready`: set it. `look`: it starts, and something needs a look first. `blocked`: something must change first. */
  readonly verdict: 'ready' | 'look' | 'blocked';
  /** The first decides. */
  readonly blockers: readonly Blocker[];
  readonly cautions: readonly Caution[];
  /** What was not told and is taken to be so. */
  readonly assumed: readonly string[];
  readonly capabilities: readonly {readonly container: string; readonly items: readonly ReviewedCapability[]}[];
  readonly podSecurity: PodSecurityReview;
  readonly steps: readonly MigrationStep[];
}

export interface PodSecurityReview {
  /** `1.36`. */
  readonly version: string;
  /** The strictest level that the pod passes as written, and with `hostUsers: false`. */
  readonly level: PodSecurityLevel;
  readonly levelWithUserns: PodSecurityLevel;
  /** What keeps it from restricted with `hostUsers: false`; `waived` are those that the user namespace makes pass. */
  readonly failed: readonly {readonly check: string; readonly level: 'baseline' | 'restricted'; readonly why: string}[];
  readonly waived: readonly string[];
}

export interface ReviewOptions {
  readonly file: string;
  readonly cluster: Cluster;
  readonly policyMinor?: number;
}

/** Judges one workload. Never throws. */
export function reviewWorkload(workload: Workload, storage: Storage, options: ReviewOptions): WorkloadReview {
  const pod = viewPod(workload);
  const {cluster} = options;
  const needs = {tmpfs: usesTmpfs(pod.spec, pod.volumes), hostNetwork: pod.spec.get('hostNetwork')?.value === true};
  const skew = predictUserns(cluster, needs);
  const at = {...workload.mark, path: pod.spec.path};
  const fromSkew = skew.reasons.filter(({outcome}) => outcome !== 'honoured').map((reason) => ({...at, ...reason}));
  const dropped = fromSkew.filter(({layer, outcome}) => layer === 'API server' && outcome === 'ignored');
  const refused = windowsBlocker(pod) ?? apiBlockers(pod, cluster);
  // In the order in which a pod meets them: a dropped field is not validated, and what is refused meets no kubelet.
  const blockers = [
    ...dropped,
    ...refused,
    ...fromSkew.filter((each) => !dropped.includes(each)),
    ...ownBlockers(pod, storage, cluster),
  ];
  const [first] = blockers;
  const cautions = first?.layer === 'manifest' && first.outcome === 'rejected' ? [] : cautionsOf(pod, storage, cluster);
  return {
    workload: workload.title,
    file: options.file,
    ...workload.mark,
    hostUsers: pod.hostUsers ?? null,
    outcome: first?.outcome ?? 'honoured',
    why: first?.why ?? skew.reasons[0]?.why ?? '',
    verdict: first ? 'blocked' : cautions.length > 0 ? 'look' : 'ready',
    blockers,
    cautions,
    assumed: [...skew.assumed, ...handlerAssumed(pod)],
    capabilities: pod.containers.map((container) => ({
      container: container.name,
      items: reviewCapabilities(container),
    })),
    podSecurity: reviewPodSecurity(pod, options),
    steps: migrationSteps(pod, cluster, blockers),
  };
}

/** Each handler of a runtime has an answer of its own. */
function handlerAssumed(pod: PodView): string[] {
  const name = pod.spec.get('runtimeClassName')?.text;
  return name === undefined || name === '' ? [] : [`the handler of RuntimeClass ${name} supports user namespaces`];
}

function windowsBlocker(pod: PodView): Blocker[] | undefined {
  const os = pod.spec.at('os', 'name');
  if (os?.text !== 'windows') return undefined;
  return [
    {
      ...os.mark,
      path: os.path,
      outcome: 'rejected',
      layer: 'manifest',
      why: 'Windows has no user namespaces: the API server refuses hostUsers',
      change: 'leave hostUsers out of Windows pods',
    },
  ];
}

/** What the API server would refuse with `hostUsers: false` and takes without. */
function apiBlockers(pod: PodView, cluster: Cluster): Blocker[] {
  if (cluster.api.version === undefined) return [];
  const {spec} = readSpec(pod);
  const {hostUsers: _written, ...rest} = spec;
  const without = new Set(validationErrors(pod, rest, cluster).map(({text}) => text));
  const withUserns = validationErrors(pod, {...rest, hostUsers: false}, cluster);
  return withUserns.filter(({text}) => !without.has(text)).map((error) => blockerOf(error, pod));
}

function blockerOf({path, text}: FieldError, pod: PodView): Blocker {
  const spot = locate(pod.workload.pod, path);
  const prefix = pod.workload.pod.path;
  return {
    ...(spot === pod.workload.pod ? pod.workload.mark : spot.mark),
    path: prefix === '' ? path : `${prefix}.${path}`,
    outcome: 'rejected',
    layer: 'manifest',
    why: `the API server refuses it: ${text}`,
    change: changes.find(([pattern]) => pattern.test(path))?.[1] ?? 'change that field',
  };
}

const changes: readonly (readonly [RegExp, string])[] = [
  [/hostNetwork/, 'do without hostNetwork, or use 1.35 or newer with the alpha gate UserNamespacesHostNetworkSupport'],
  [/host(PID|IPC)/i, 'do without the host namespace, or keep hostUsers: true'],
  [/volumeDevices/, 'mount the volume as a file system, or keep hostUsers: true'],
  [/volumes/, 'upgrade to 1.28 or newer, or use configMap, secret, downwardAPI, projected and emptyDir only'],
];

/** What keeps this pod's containers from being created, on whatever node. */
function ownBlockers(pod: PodView, storage: Storage, cluster: Cluster): Blocker[] {
  const base = {outcome: 'pending', layer: 'manifest'} as const;
  const {idsPerPod, kernel} = cluster;
  const ids = idsBeyond(idFields(pod), idsPerPod).map(
    ({spot, id}): Blocker => ({
      ...spot.mark,
      ...base,
      path: spot.path,
      why: `id ${id} does not exist in a pod of ${idsPerPod} ids: the container is not created`,
      change: `choose an id below ${idsPerPod}, or set userNamespaces.idsPerPod: ${roomFor(id)} in the kubelet's configuration (1.33 and newer)`,
    }),
  );
  if (cluster.kubelet.minor <= 26) return ids;
  const volumes = pod.volumes.flatMap((volume): Blocker[] => {
    const behind = behindVolume(volume, storage);
    // The kernel's own reason says it for every tmpfs at once.
    if (!behind || behind.fileSystem === 'tmpfs' || canIdmap(behind.fileSystem, kernel) !== false) return [];
    const {fileSystem, since}: IdmapSupport = idmapSupport[behind.fileSystem];
    const isNever = since === 'never' || since === 'unknown';
    return [
      {
        ...volume.spot.mark,
        ...base,
        path: volume.spot.path,
        why: `volume ${volume.name} (${behind.how}) is ${fileSystem}, which ${isNever ? 'no kernel' : `not Linux ${kernel?.text} yet`} mounts with shifted ids: the container is not created`,
        change: isNever ? 'use another file system, or keep hostUsers: true' : `use Linux ${since.join('.')} or newer`,
      },
    ];
  });
  return [...ids, ...volumes];
}

function cautionsOf(pod: PodView, storage: Storage, {kernel, kubelet, api}: Cluster): Caution[] {
  const cautions: Caution[] = [];
  for (const volume of pod.volumes) {
    const at = {...volume.spot.mark, path: volume.spot.path};
    if (volume.type === 'hostPath') {
      const path = volume.source?.get('path')?.text ?? volume.name;
      cautions.push({
        ...at,
        why: `hostPath ${path}: on this path root in the container acts as the node's root all the same`,
      });
    }
    const behind = behindVolume(volume, storage);
    if (!behind || kubelet.minor <= 26) continue;
    const {fileSystem, since, only}: IdmapSupport = idmapSupport[behind.fileSystem];
    if (since === 'unknown') {
      cautions.push({
        ...at,
        why: `the file system behind volume ${volume.name} (${behind.how}) is not known from here, and must be one that is mounted with shifted ids`,
      });
    } else if (only !== undefined && canIdmap(behind.fileSystem, kernel) !== false) {
      cautions.push({
        ...at,
        why: `volume ${volume.name} is ${fileSystem}: Linux ${String(since).replace(',', '.')} at least, and ${only}`,
      });
    }
  }
  for (const container of pod.containers) {
    for (const {name, spot} of deviceResources(container)) {
      cautions.push({
        ...spot.mark,
        path: spot.path,
        why: `devices of ${name} show as nobody's: only their mode bits for others count`,
      });
    }
    const devices = container.spot.get('volumeDevices');
    if (devices && api.minor < 34) {
      cautions.push({
        ...devices.mark,
        path: devices.path,
        why: `container ${container.name} cannot open its raw block devices`,
      });
    }
    const privileged = container.securityContext?.get('privileged');
    if (privileged?.value === true) {
      cautions.push({
        ...privileged.mark,
        path: privileged.path,
        why: `container ${container.name} is privileged: its capabilities then count in the pod only, and what it does to the node stops working`,
      });
      continue;
    }
    const added = container.securityContext?.at('capabilities', 'add');
    const lost = reviewCapabilities(container).filter(({from, worth}) => from === 'added' && worth === 'void');
    if (added && lost.length > 0) {
      const names = lost.map(({capability}) => capability).join(', ');
      cautions.push({
        ...added.mark,
        path: added.path,
        why: `container ${container.name} asks for ${names}, void in a user namespace: what needs them stops working`,
      });
    }
  }
  return cautions;
}

function reviewPodSecurity(pod: PodView, {cluster, policyMinor}: ReviewOptions): PodSecurityReview {
  const {api} = cluster;
  const policy = {api, ...(policyMinor === undefined ? {} : {policyMinor})};
  const written = failedChecks(pod, policy);
  const withUserns = failedChecks(pod, {...policy, hostUsers: false});
  const without = failedChecks(pod, {...policy, hostUsers: true});
  const ids = (failed: readonly FailedCheck[]) => [...new Set(failed.map(({check}) => check))];
  const left = ids(withUserns);
  return {
    version: `1.${Math.min(policyMinor ?? api.minor, api.minor)}`,
    level: podSecurityLevel(written),
    levelWithUserns: podSecurityLevel(withUserns),
    failed: checksAgainst(withUserns, 'restricted').map(({check, level, why}) => ({check, level, why})),
    waived: ids(without).filter((check) => !left.includes(check)),
  };
}
