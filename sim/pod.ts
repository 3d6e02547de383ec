import type {EnvFrom, EnvVar} from './env-source.ts';
import type {NotYet} from './field-reader.ts';
import type {ContainerLife} from './life.ts';
import type {Volume, VolumeMount} from './volume-source.ts';

export type {EnvFrom, EnvSource, EnvVar} from './env-source.ts';
export type {
  ApiVolume,
  DownwardFile,
  EmptyDirVolume,
  HostPathType,
  HostPathVolume,
  KeyToPath,
  MountPropagationMode,
  ObjectProjection,
  Projection,
  RecursiveReadOnlyMode,
  Volume,
  VolumeMount,
} from './volume-source.ts';

/**
 * A v1 Pod as subroot runs it. Field names are those of the Kubernetes API; defaults of the API server are filled in,
 * except where "absent" means something (`hostUsers`, `shareProcessNamespace`, `runAsUser`, …).
 */
export interface Pod {
  readonly metadata: PodMetadata;
  readonly spec: PodSpec;
  /** Fields that subroot cannot do yet and that may not be dropped; `startPod` refuses a pod that has any. */
  readonly notYet: readonly NotYet[];
}

export interface PodMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export interface PodSpec {
  /** Absent and true mean the node's user namespace; false asks for one of the pod's own. */
  readonly hostUsers?: boolean;
  readonly hostNetwork: boolean;
  readonly hostPID: boolean;
  readonly hostIPC: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly hostname?: string;
  readonly subdomain?: string;
  /** The host name is the whole name, with the subdomain's. */
  readonly setHostnameAsFQDN: boolean;
  readonly hostAliases: readonly {readonly ip: string; readonly hostnames: readonly string[]}[];
  /** `ClusterFirst` when absent, and there is no cluster. */
  readonly dnsPolicy?: string;
  readonly restartPolicy: RestartPolicy;
  /** Seconds. */
  readonly terminationGracePeriodSeconds: number;
  /** Since the pod's start; then it is killed. Honoured while somebody supervises it. */
  readonly activeDeadlineSeconds?: number;
  readonly os?: {readonly name: string};
  /** What the manifest calls the node; the machine's own name otherwise. */
  readonly nodeName?: string;
  /** `default` when absent. */
  readonly serviceAccountName?: string;
  readonly runtimeClassName?: string;
  /** Names of Secrets with credentials for registries. */
  readonly imagePullSecrets: readonly string[];
  readonly securityContext: PodSecurityContext;
  readonly dnsConfig?: PodDnsConfig;
  readonly volumes: readonly Volume[];
  readonly initContainers: readonly PodContainer[];
  readonly containers: readonly PodContainer[];
  readonly ephemeralContainers: readonly PodContainer[];
}

export interface PodDnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  /** `ndots:5`, `edns0`. */
  readonly options: readonly string[];
}

/** Ids are container-side ids. */
export interface PodSecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  /** A group that every program of the pod has and that the pod's own volumes belong to. */
  readonly fsGroup?: number;
  /** `Always` or `OnRootMismatch`; a text that is neither is refused by validatePod. */
  readonly fsGroupChangePolicy?: string;
  readonly supplementalGroups: readonly number[];
  /** `Merge` (absent too) or `Strict`. */
  readonly supplementalGroupsPolicy?: string;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Names that are there more than once, for the API's complaint. */
  readonly repeatedSysctls?: readonly string[];
  readonly seccompProfile?: ConfinementProfile;
  readonly appArmorProfile?: ConfinementProfile;
  readonly seLinuxOptions?: SeLinuxOptions;
}

/** A seccompProfile or appArmorProfile: `RuntimeDefault`, `Unconfined`, or `Localhost` with the name of one of the node's. */
export interface ConfinementProfile {
  /** Empty when it was not set. */
  readonly type: string;
  readonly localhostProfile?: string;
}

export interface SeLinuxOptions {
  readonly user?: string;
  readonly role?: string;
  readonly type?: string;
  readonly level?: string;
}

export interface PodContainer extends ContainerLife {
  readonly name: string;
  readonly image: string;
  /** `Always`, `IfNotPresent` or `Never`; absent means what `pullPolicyOf` says. */
  readonly imagePullPolicy?: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvVar[];
  readonly envFrom: readonly EnvFrom[];
  readonly workingDir?: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly volumeMounts: readonly VolumeMount[];
  readonly volumeDevices: readonly {readonly name: string; readonly devicePath: string}[];
  readonly securityContext: ContainerSecurityContext;
  /** Quantities by the resource's name, as written. */
  readonly resources: {
    readonly limits: Readonly<Record<string, string>>;
    readonly requests: Readonly<Record<string, string>>;
  };
  /** The manifest says something of its last words: it gets a file for them. Simplified: in Kubernetes every container has one. */
  readonly hasTerminationFile: boolean;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: string;
}

export interface ContainerSecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  /** Absent means true. */
  readonly allowPrivilegeEscalation?: boolean;
  /** `Default` or `Unmasked`. */
  readonly procMount?: string;
  readonly capabilities: {readonly add: readonly string[]; readonly drop: readonly string[]};
  readonly seccompProfile?: ConfinementProfile;
  readonly appArmorProfile?: ConfinementProfile;
  readonly seLinuxOptions?: SeLinuxOptions;
}

/** True when the pod asks for a user namespace of its own. */
export function wantsUserNamespace(pod: Pod): boolean {
  return pod.spec.hostUsers === false;
}

/** Init containers, then containers, in the order the kubelet starts them. */
export function startedContainers(pod: Pod): readonly PodContainer[] {
  return [...pod.spec.initContainers, ...pod.spec.containers];
}
