import {subrootError} from '../../native-free/errors.ts';
import type {FeatureGates, GateName, KubernetesVersion} from '../kubernetes-versions.ts';
import {gateState, isGateOn, minorOf, NEWEST_MINOR} from '../kubernetes-versions.ts';

/** Major, minor, patch. A part that was not given is `undefined`: `1.28` may be any 1.28. */
export interface Version {
  readonly text: string;
  readonly parts: readonly number[];
}

export type RuntimeName = 'containerd' | 'cri-o' | 'cri-dockerd';
export type OciRuntimeName = 'runc' | 'crun';

/** What a cluster runs, in words; nothing that is left out is guessed. */
export interface ClusterWords {
  /** The API server's minor version, `1.20` to `1.37` (the default). */
  readonly kubernetes?: KubernetesVersion;
  /** The kubelet's; the API server's by default. */
  readonly kubelet?: KubernetesVersion;
  /** `containerd:2.0`, `cri-o:1.31`, `cri-dockerd:0.3`. */
  readonly runtime?: string;
  readonly runc?: string;
  readonly crun?: string;
  /** As `uname -r` prints it, or its beginning. */
  readonly kernel?: string;
  /** Gates that differ from the defaults, on API server and kubelet. */
  readonly gates?: FeatureGates;
  /** Gates of the kubelet alone; they win over `gates`. */
  readonly kubeletGates?: FeatureGates;
  /** Ids of each pod, a multiple of 65536 (the default). */
  readonly idsPerPod?: number;
}

/** The same, read. */
export interface Cluster {
  readonly api: Component;
  readonly kubelet: Component;
  readonly runtime?: {readonly name: RuntimeName; readonly version: Version};
  readonly oci?: {readonly name: OciRuntimeName; readonly version: Version};
  readonly kernel?: Version;
  readonly idsPerPod: number;
}

/** A component of Kubernetes. `version` is one whose rules are known: for 1.20 to 1.24, which have no user namespaces, it is undefined. */
export interface Component {
  readonly minor: number;
  readonly version: KubernetesVersion | undefined;
  readonly gates: FeatureGates;
}

/** The oldest minor that is read here; `hostUsers` came with 1.25. */
const OLDEST_READ = 20;

/**
 * Reads what a cluster runs. Errors: SUBROOT_KUBERNETES_VERSION; SUBROOT_USAGE for a runtime or version that cannot be read, and for gates
 * that a version does not know or has locked.
 */
export function readCluster(words: ClusterWords = {}): Cluster {
  const {
    kubernetes = `1.${NEWEST_MINOR}`,
    kubelet = kubernetes,
    gates = {},
    kubeletGates = {},
    idsPerPod = 65_536,
  } = words;
  if (words.runc !== undefined && words.crun !== undefined) {
    throw refuse('runc and crun cannot both be the OCI runtime', 'give one of them');
  }
  const oci = words.runc ?? words.crun;
  return {
    api: component(kubernetes, gates),
    kubelet: kubeletOf(kubelet, kubernetes, gates, kubeletGates),
    ...(words.runtime === undefined ? {} : {runtime: readRuntime(words.runtime)}),
    ...(oci === undefined
      ? {}
      : {oci: {name: words.runc === undefined ? ('crun' as const) : ('runc' as const), version: readVersion(oci)}}),
    ...(words.kernel === undefined ? {} : {kernel: readVersion(words.kernel)}),
    idsPerPod,
  };
}

function component(version: KubernetesVersion, gates: FeatureGates): Component {
  const minor = /^v?1\.(2[0-4])(?:\.|$)/.exec(version)?.[1];
  if (minor !== undefined && Number(minor) >= OLDEST_READ) return {minor: Number(minor), version: undefined, gates: {}};
  // Each gate is asked for once, so that one that cannot be switched is refused here.
  for (const gate of Object.keys(gates) as GateName[]) isGateOn(gate, version, gates);
  return {minor: minorOf(version), version, gates};
}

/** A kubelet of another version may not know a gate that the API server was given; only its own are held against it. */
function kubeletOf(kubelet: string, api: string, gates: FeatureGates, own: FeatureGates): Component {
  const {minor, version} = component(kubelet, {});
  if (version === undefined) return {minor, version, gates: {}};
  const shared = Object.entries(gates).filter(
    ([gate]) => kubelet === api || gateState(gate as GateName, version)?.locked === false,
  );
  return component(version, {...Object.fromEntries(shared), ...own});
}

/** Whether a gate is on in a component. Versions without user namespaces have no gates. */
export function isOn(gate: GateName, {version, gates}: Component): boolean {
  return version !== undefined && isGateOn(gate, version, gates);
}

/** The gate that decides about `hostUsers`, by the name it has in that version. */
export function usernsGateName(minor: number): string {
  return minor <= 27 ? 'UserNamespacesStatelessPodsSupport' : 'UserNamespacesSupport';
}

const runtimes: readonly RuntimeName[] = ['containerd', 'cri-o', 'cri-dockerd'];

function readRuntime(text: string): NonNullable<Cluster['runtime']> {
  // `containerd:1.7`, and `containerd://1.7.2` as `kubectl get nodes -o wide` shows it.
  const [, name = '', version = ''] = /^([a-z-]+):(?:\/\/)?(.+)$/.exec(text) ?? [];
  const known = runtimes.find((each) => each === (name === 'crio' ? 'cri-o' : name));
  if (known === undefined) {
    throw refuse(`"${text}" is no container runtime`, 'write containerd:VERSION, cri-o:VERSION or cri-dockerd:VERSION');
  }
  return {name: known, version: readVersion(version)};
}

function readVersion(text: string): Version {
  const match = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+.~_ ].*|rc.*|beta.*)?$/.exec(text.trim());
  if (!match?.[2]) throw refuse(`"${text}" is no version`, 'write it as 1.7 or 6.8.0');
  return {text: text.trim(), parts: match.slice(1, 4).flatMap((part) => (part === undefined ? [] : [Number(part)]))};
}

/** Whether a version is at least another; a part that was not given counts as the newest there is. */
export function isSince(version: Version, ...wanted: readonly number[]): boolean {
  for (const [index, part] of wanted.entries()) {
    const own = version.parts[index];
    if (own === undefined || own > part) return true;
    if (own < part) return false;
  }
  return true;
}

function refuse(what: string, mend: string): Error {
  return subrootError('SUBROOT_USAGE', {what, mend});
}
