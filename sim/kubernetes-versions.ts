import {subrootError} from '../native-free/errors.ts';

export const OLDEST_MINOR = 25;
export const NEWEST_MINOR = 37;

/** A Kubernetes minor version as written: `1.36`, `v1.36`, `1.36.2`. */
export type KubernetesVersion = string;

export type GateName =
  | 'UserNamespacesSupport'
  | 'UserNamespacesPodSecurityStandards'
  | 'UserNamespacesHostNetworkSupport'
  | 'ProcMountType'
  | 'KubeletInUserNamespace'
  | 'SidecarContainers'
  | 'ContainerRestartRules'
  | 'PodLifecycleSleepAction'
  | 'PodLifecycleSleepActionAllowZero';

/** A gate in one version. `locked`: it cannot be switched. Absent: the version does not know it. */
export interface GateState {
  readonly stage: 'alpha' | 'beta' | 'ga';
  readonly enabled: boolean;
  readonly locked: boolean;
}

const alpha: GateState = {stage: 'alpha', enabled: false, locked: false};
const betaOff: GateState = {stage: 'beta', enabled: false, locked: false};
const betaOn: GateState = {stage: 'beta', enabled: true, locked: false};
const ga: GateState = {stage: 'ga', enabled: true, locked: true};

/**
 * From which minor on a gate has a state; `undefined` ends it. UserNamespacesSupport was called
 * UserNamespacesStatelessPodsSupport before 1.28. Source: kubernetes pkg/features/kube_features.go, 1.25 to 1.37.
 */
const gateHistory: Readonly<Record<GateName, readonly (readonly [number, GateState | undefined])[]>> = {
  UserNamespacesSupport: [
    [25, alpha],
    [30, betaOff],
    [33, betaOn],
    [36, ga],
  ],
  UserNamespacesPodSecurityStandards: [
    [29, alpha],
    [35, undefined],
  ],
  UserNamespacesHostNetworkSupport: [[35, alpha]],
  ProcMountType: [
    [25, alpha],
    [31, betaOff],
    [33, betaOn],
    [36, ga],
  ],
  KubeletInUserNamespace: [
    [25, alpha],
    [37, betaOn],
  ],
  SidecarContainers: [
    [28, alpha],
    [29, betaOn],
    [33, ga],
  ],
  ContainerRestartRules: [
    [34, alpha],
    [35, betaOn],
  ],
  PodLifecycleSleepAction: [
    [29, alpha],
    [30, betaOn],
    [34, ga],
  ],
  PodLifecycleSleepActionAllowZero: [
    [32, alpha],
    [33, betaOn],
    [34, ga],
  ],
};

/** Every gate that touches user namespaces. */
export const gateNames: readonly GateName[] = Object.keys(gateHistory) as GateName[];

/** What differs between minor versions in how `hostUsers` is treated. */
export interface KubernetesRules {
  readonly minor: number;
  /** The words of the API after "Forbidden: ". */
  readonly forbiddenDetail: string;
  /** 1.25–1.27: only the five stateless volume types. */
  readonly statelessVolumesOnly: boolean;
  /** From 1.34 on. */
  readonly refusesVolumeDevices: boolean;
  /** From 1.30 on the kubelet fails a pod it cannot give a user namespace; before, the pod silently shared the node's. */
  readonly kubeletFailsLoudly: boolean;
  /** From 1.33 on. */
  readonly hasIdsPerPod: boolean;
  /** `chown`: 1.25 and 1.26 changed files on disk; `idmap`: mounts shift ids. */
  readonly volumeModel: 'chown' | 'idmap';
}

/** The minor number of a version. Throws SUBROOT_KUBERNETES_VERSION naming the range. */
export function minorOf(version: KubernetesVersion): number {
  const match = /^v?1\.(\d{1,3})(?:\.\d+)?$/.exec(version);
  const minor = Number(match?.[1] ?? Number.NaN);
  if (!(minor >= OLDEST_MINOR && minor <= NEWEST_MINOR)) {
    const details = {version, oldest: `1.${OLDEST_MINOR}`, newest: `1.${NEWEST_MINOR}`};
    throw subrootError('SUBROOT_KUBERNETES_VERSION', details);
  }
  return minor;
}

/** The rules of a version. Throws SUBROOT_KUBERNETES_VERSION. Source: facts of each release, PR 118691, 123216, 130028, 131623, 132868. */
export function rulesOf(version: KubernetesVersion = `1.${NEWEST_MINOR}`): KubernetesRules {
  const minor = minorOf(version);
  return {
    minor,
    forbiddenDetail: minor <= 33 ? 'when `pod.Spec.HostUsers` is false' : 'when `hostUsers` is false',
    statelessVolumesOnly: minor <= 27,
    refusesVolumeDevices: minor >= 34,
    kubeletFailsLoudly: minor >= 30,
    hasIdsPerPod: minor >= 33,
    volumeModel: minor <= 26 ? 'chown' : 'idmap',
  };
}

/** A gate's default in a version, or undefined when that version has no such gate. Throws SUBROOT_KUBERNETES_VERSION. */
export function gateState(gate: GateName, version: KubernetesVersion): GateState | undefined {
  const minor = minorOf(version);
  return gateHistory[gate].findLast(([since]) => since <= minor)?.[1];
}

/** Switches of feature gates beside their defaults. */
export type FeatureGates = Partial<Readonly<Record<GateName, boolean>>>;

/**
 * Whether a gate is on. Switching one that the version does not know, or that is locked, is refused as the components refuse it.
 * Throws SUBROOT_KUBERNETES_VERSION, SUBROOT_USAGE.
 */
export function isGateOn(gate: GateName, version: KubernetesVersion, gates: FeatureGates = {}): boolean {
  const state = gateState(gate, version);
  const wanted = gates[gate];
  if (wanted === undefined) return state?.enabled ?? false;
  if (!state) {
    throw subrootError('SUBROOT_USAGE', {
      what: `unrecognized feature gate: ${gate} (Kubernetes ${version})`,
      mend: 'leave it out, or choose a version that has it',
    });
  }
  if (state.locked && wanted !== state.enabled) {
    throw subrootError('SUBROOT_USAGE', {
      what: `cannot set feature gate ${gate} to ${wanted}, feature is locked to ${state.enabled} (Kubernetes ${version})`,
      mend: 'leave it out, or choose an older version',
    });
  }
  return wanted;
}
