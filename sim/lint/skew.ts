import type {Cluster} from './node-versions.ts';
import {isOn, isSince, usernsGateName} from './node-versions.ts';

/**
 * What `hostUsers: false` comes to. `honoured`: a user namespace of its own. `ignored`: the pod runs as the node's root and nothing says
 * so. `pending`: it is bound to a node and does not start; the kubelet tries again. `rejected`: the API server refuses it.
 */
export type UsernsOutcome = 'honoured' | 'ignored' | 'pending' | 'rejected';

export type SkewLayer = 'API server' | 'kubelet' | 'CRI runtime' | 'OCI runtime' | 'kernel' | 'scheduler' | 'manifest';

/** Why, and what would change it. Sentences without a full stop. */
export interface SkewReason {
  readonly outcome: UsernsOutcome;
  readonly layer: SkewLayer;
  readonly why: string;
  readonly change: string;
}

export interface SkewAnswer {
  readonly outcome: UsernsOutcome;
  /** The first decides; the others would come next. One that says `honoured` stands alone. */
  readonly reasons: readonly SkewReason[];
  /** What was not told and is taken to be new enough. */
  readonly assumed: readonly string[];
}

/** What a pod needs of the node. */
export interface PodNeeds {
  /** A volume that the kubelet keeps on tmpfs: a secret, a projected volume such as the token of its account, emptyDir in memory. */
  readonly tmpfs: boolean;
  readonly hostNetwork: boolean;
}

/**
 * What becomes of a pod with `hostUsers: false` that the API server does not refuse for its other fields.
 * Source: KEP-127 §Version Skew, kubernetes PR 118691, 123216, 135828; containerd docs/user-namespaces; runc 1.2 and crun 1.9 release notes.
 */
export function predictUserns(cluster: Cluster, needs: PodNeeds = {tmpfs: true, hostNetwork: false}): SkewAnswer {
  const reasons = [
    apiReason(cluster),
    kubeletReason(cluster),
    runtimeReason(cluster),
    hostNetworkReason(cluster, needs),
    ociReason(cluster),
    ...kernelReasons(cluster, needs),
  ].filter((reason) => reason !== undefined);
  const assumed = [
    ...(cluster.runtime ? [] : ['the container runtime supports user namespaces']),
    ...(cluster.oci ? [] : ['the OCI runtime is new enough']),
    ...(cluster.kernel ? [] : ['the kernel is new enough']),
  ];
  const [first] = reasons;
  if (first) return {outcome: first.outcome, reasons, assumed};
  return {outcome: 'honoured', reasons: [honoured(cluster)], assumed};
}

function honoured({kubelet}: Cluster): SkewReason {
  const how =
    kubelet.minor <= 26
      ? 'the kubelet gives the files of the pod to its host ids'
      : 'volumes are mounted with shifted ids';
  return {
    outcome: 'honoured',
    layer: 'kubelet',
    why: `the pod gets a user namespace of its own; ${how}`,
    change: 'nothing to change; read /proc/self/uid_map in the pod to be sure',
  };
}

const switchOn = (minor: number) =>
  minor >= 33
    ? `leave the gate ${usernsGateName(minor)} on, as it is by default`
    : `switch on the gate ${usernsGateName(minor)}, or upgrade to 1.33, where it is on by default`;

function apiReason({api}: Cluster): SkewReason | undefined {
  const base = {outcome: 'ignored', layer: 'API server'} as const;
  if (api.version === undefined) {
    return {
      ...base,
      why: `an API server of 1.${api.minor} does not know hostUsers and drops it: the pod runs as the node's root`,
      change: 'upgrade the API server to 1.25 at least; from 1.33 on nothing needs to be switched on',
    };
  }
  if (isOn('UserNamespacesSupport', api)) return undefined;
  return {
    ...base,
    why: `the gate ${usernsGateName(api.minor)} is off in the API server, which drops hostUsers: the pod runs as the node's root`,
    change: switchOn(api.minor),
  };
}

function kubeletReason({kubelet}: Cluster): SkewReason | undefined {
  if (kubelet.version === undefined) {
    return {
      outcome: 'ignored',
      layer: 'kubelet',
      why: `a kubelet of 1.${kubelet.minor} does not know hostUsers: the pod runs as the node's root`,
      change: 'upgrade the kubelet to 1.30 at least: from then on it fails aloud when it cannot',
    };
  }
  if (isOn('UserNamespacesSupport', kubelet)) return undefined;
  const gate = usernsGateName(kubelet.minor);
  if (kubelet.minor >= 30) {
    return {
      outcome: 'pending',
      layer: 'kubelet',
      why: `the feature gate "${gate}" is disabled in the kubelet: it cannot set hostUsers, and the pod stays in ContainerCreating`,
      change: switchOn(kubelet.minor),
    };
  }
  return {
    outcome: 'ignored',
    layer: 'kubelet',
    why: `the gate ${gate} is off in a kubelet of 1.${kubelet.minor}, which then ignores hostUsers: the pod runs as the node's root`,
    change: `${switchOn(kubelet.minor)}; from 1.30 on the kubelet fails aloud instead`,
  };
}

type RuntimeAbility =
  /** Does not read the CRI's user namespace at all. */
  | 'none'
  /** Changes the owners of the image's files, as Kubernetes 1.25 and 1.26 wanted it. */
  | 'chown'
  /** Idmapped mounts, but says nothing of it in its Status. */
  | 'idmap-unsaid'
  /** Idmapped mounts, and says so to the kubelet. */
  | 'idmap';

function abilityOf({name, version}: NonNullable<Cluster['runtime']>): RuntimeAbility {
  switch (name) {
    case 'cri-dockerd':
      return 'none';
    case 'containerd':
      if (isSince(version, 2)) return 'idmap';
      return isSince(version, 1, 7) ? 'chown' : 'none';
    case 'cri-o':
      if (isSince(version, 1, 30)) return 'idmap';
      if (isSince(version, 1, 28, 1)) return 'idmap-unsaid';
      return isSince(version, 1, 25) ? 'chown' : 'none';
  }
}

function runtimeReason({kubelet, runtime}: Cluster): SkewReason | undefined {
  if (!runtime) return undefined;
  const ability = abilityOf(runtime);
  const shown = `${runtime.name} ${runtime.version.text}`;
  const change =
    runtime.name === 'cri-dockerd'
      ? 'use containerd 2.0 or CRI-O of the version of the kubelet: cri-dockerd has no user namespaces'
      : runtime.name === 'containerd'
        ? 'upgrade to containerd 2.0 or newer'
        : 'upgrade CRI-O to the version of the kubelet';
  const base = {layer: 'CRI runtime', change} as const;
  if (kubelet.minor >= 30 && ability !== 'idmap') {
    return {
      ...base,
      outcome: 'pending',
      why: `${shown} does not tell the kubelet that it supports user namespaces, and a kubelet of 1.30 or newer then refuses: "can't set \`spec.hostUsers: false\`, runtime does not support user namespaces"`,
    };
  }
  if (ability === 'none') {
    return {
      ...base,
      outcome: 'ignored',
      why: `${shown} ignores the user namespace that a kubelet before 1.30 asks for: the pod runs as the node's root`,
    };
  }
  if (kubelet.minor >= 27 && ability === 'chown') {
    return {
      ...base,
      outcome: 'pending',
      why: `${shown} was made for Kubernetes 1.25 and 1.26, which changed the owners of files, and answers the idmapped mounts of 1.27 and newer with an error`,
    };
  }
  return undefined;
}

/** KEP-5607: alpha; from 1.36 on only nodes that declare it get such pods. */
function hostNetworkReason({kubelet, runtime}: Cluster, {hostNetwork}: PodNeeds): SkewReason | undefined {
  if (!hostNetwork || kubelet.minor < 36 || !runtime) return undefined;
  const supports =
    (runtime.name === 'containerd' && isSince(runtime.version, 2, 3)) ||
    (runtime.name === 'cri-o' && isSince(runtime.version, 1, 37));
  if (supports) return undefined;
  return {
    outcome: 'pending',
    layer: 'scheduler',
    why: `${runtime.name} ${runtime.version.text} does not offer host network with user namespaces, so no node declares it and the pod is not scheduled`,
    change: 'use containerd 2.3 or CRI-O 1.37, or do without hostNetwork',
  };
}

function ociReason({kubelet, oci}: Cluster): SkewReason | undefined {
  if (!oci) return undefined;
  const isOld = kubelet.minor <= 26;
  const floor = oci.name === 'runc' ? (isOld ? [1, 1] : [1, 2]) : isOld ? [1, 4, 3] : [1, 9];
  if (isSince(oci.version, ...floor)) return undefined;
  const what = isOld ? 'user namespaces as Kubernetes wants them' : 'idmapped mounts';
  const says =
    kubelet.minor >= 30
      ? ', so the runtime reports no support and the kubelet refuses'
      : ': the container is not created';
  return {
    outcome: 'pending',
    layer: 'OCI runtime',
    why: `${oci.name} ${oci.version.text} has no ${what}${says}`,
    change: `upgrade ${oci.name} to ${floor.join('.')} or newer`,
  };
}

function kernelReasons({kubelet, kernel, runtime}: Cluster, {tmpfs}: PodNeeds): SkewReason[] {
  // 1.25 and 1.26 need user namespaces alone, which every kernel has that they run on.
  if (!kernel || kubelet.minor <= 26) return [];
  const reason = (why: string, change: string): SkewReason => ({outcome: 'pending', layer: 'kernel', why, change});
  const shown = `Linux ${kernel.text}`;
  if (!isSince(kernel, 5, 12)) {
    return [reason(`${shown} has no idmapped mounts: the container is not created`, 'use Linux 6.3 or newer')];
  }
  const reasons: SkewReason[] = [];
  // CRI-O lets its storage library change the owners of a copy of the image; containerd does so only when told.
  if (!isSince(kernel, 5, 19) && runtime?.name !== 'cri-o') {
    reasons.push(
      reason(
        `${shown} cannot shift the ids of overlay layers (5.19 can): the snapshotter refuses the sandbox`,
        'use Linux 6.3 or newer, or set slow_chown = true in the configuration of containerd, which copies the image for every pod',
      ),
    );
  }
  if (tmpfs && !isSince(kernel, 6, 3)) {
    reasons.push(
      reason(
        `${shown} cannot shift the ids of a tmpfs (6.3 can), and this pod has one: a secret, the token of its account, or memory`,
        'use Linux 6.3 or newer; or do without: automountServiceAccountToken: false, and no secret, projected or memory volume',
      ),
    );
  }
  return reasons;
}
