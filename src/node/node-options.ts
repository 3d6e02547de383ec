import type {ApiObjects, IdPool, PullPolicy, VolumeIds} from '../../sim/index.ts';
import type {RegistryOptions} from '../images/pull-progress.ts';
import type {Mode} from '../userns/mode.ts';

/** ConfigMaps and Secrets: those of `parseManifests`, or documents as they are written in a manifest. */
export type ObjectsInput = ApiObjects | readonly Readonly<Record<string, unknown>>[];

export interface NodeOptions {
  /** State folder. Default: $SUBROOT_ROOT, else /run/subroot for root, $XDG_RUNTIME_DIR/subroot or /tmp/subroot-UID for others. */
  readonly root?: string;
  /** `auto` (default) takes the strongest mode that works here; a mode asked for is never replaced by another. */
  readonly mode?: 'auto' | Mode;
  /** `bound` (default): pods die with this process, even when it is killed. `detached`: they outlive it. */
  readonly lifetime?: 'bound' | 'detached';
  /** Rules of that Kubernetes minor version, `1.25` to `1.37`; the newest by default. */
  readonly kubernetes?: string;
  /** Host ids for pods; by default those of the account `kubelet`, else all from 65536 on. */
  readonly pool?: IdPool;
  /** Ids of each pod, a multiple of 65536 (default). */
  readonly idsPerPod?: number;
  /** Image names → `host` or a folder that holds a root file system. Other names are images of the store, and pulled. */
  readonly images?: Readonly<Record<string, string>>;
  /**
   * The store of images. Default: $SUBROOT_IMAGE_STORE; with a state folder that was chosen its `images`; else /var/lib/subroot/images for
   * root, $XDG_DATA_HOME/subroot/images for others.
   */
  readonly imageStore?: string;
  /** When images are pulled, instead of what each container's imagePullPolicy says. */
  readonly pull?: PullPolicy;
  /** How registries are asked. */
  readonly registries?: RegistryOptions;
  /** ConfigMaps and Secrets that pods of this node may refer to; runPod's own `objects` come first. */
  readonly objects?: ObjectsInput;
  /** The kubelet's `seccompDefault`: containers that say nothing get RuntimeDefault instead of Unconfined. */
  readonly seccompDefault?: boolean;
  /** Where `Localhost` seccomp profiles are; `seccomp` in the state folder by default. */
  readonly seccompRoot?: string;
  /** Sysctls of the network and IPC namespaces that pods may set beside the safe ones: names, or a beginning and `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
  /**
   * How files of hostPath volumes get the ids that they have in Kubernetes. `idmap` (default): the mount shifts them, and a folder whose
   * mounts cannot is refused. `chown`: the files are given to the pod's ids, for good. `nobody`: they belong to nobody in the pod.
   */
  readonly volumeIds?: VolumeIds;
  /** Refuse a container whose limits cannot be enforced here, instead of starting it with a warning event. */
  readonly requireLimits?: boolean;
  /** Milliseconds between two looks at the limits of emptyDirs on disk; 10000 by default. A pod over its limit is evicted while this process lives. */
  readonly volumeCheckMs?: number;
  /** What to make ahead, so that a pod's start is shorter: mapped user namespaces, or whole sandboxes (of bound pods; else namespaces). */
  readonly prepare?: {readonly ranges?: number; readonly sandboxes?: number};
}

/** A container as a test author writes it; everything else has the defaults of a pod manifest. */
export interface ContainerInput {
  readonly name?: string;
  /** `host` (default): this machine's userland, read-only. Or an absolute path, a name in `images`, or an image of a registry. */
  readonly image?: string;
  readonly imagePullPolicy?: PullPolicy;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** A text, or what the manifest's `valueFrom` holds. */
  readonly env?: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;
  readonly envFrom?: readonly Readonly<Record<string, unknown>>[];
  readonly workingDir?: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly ports?: readonly Readonly<Record<string, unknown>>[];
  readonly resources?: Readonly<Record<string, unknown>>;
  /** postStart, preStop and stopSignal, as in a manifest. */
  readonly lifecycle?: Readonly<Record<string, unknown>>;
  /** Probes as in a manifest; they are looked at while the pod is supervised. */
  readonly startupProbe?: Readonly<Record<string, unknown>>;
  readonly livenessProbe?: Readonly<Record<string, unknown>>;
  readonly readinessProbe?: Readonly<Record<string, unknown>>;
  readonly terminationMessagePath?: string;
  readonly terminationMessagePolicy?: 'File' | 'FallbackToLogsOnError';
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly Readonly<Record<string, unknown>>[];
}

/** A pod as a test author writes it: one container's fields at the top, or `containers`. `hostUsers` is false unless said otherwise. */
export interface PodInput extends ContainerInput {
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hostUsers?: boolean;
  readonly hostname?: string;
  readonly shareProcessNamespace?: boolean;
  /** Namespaces of the node, with `hostUsers: true` only. */
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  /** `spec.securityContext`; a `securityContext` beside it is the container's. */
  readonly podSecurityContext?: Readonly<Record<string, unknown>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  /** Of the pod: `Always` by default, as in a manifest; it counts while the pod is supervised. */
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  /** Seconds. */
  readonly terminationGracePeriodSeconds?: number;
  /** Seconds; counts while the pod is supervised. */
  readonly activeDeadlineSeconds?: number;
  readonly subdomain?: string;
  readonly setHostnameAsFQDN?: boolean;
  readonly hostAliases?: readonly Readonly<Record<string, unknown>>[];
  readonly dnsPolicy?: 'Default' | 'None' | 'ClusterFirst' | 'ClusterFirstWithHostNet';
  readonly dnsConfig?: Readonly<Record<string, unknown>>;
  /** Run in order, each to its end, before the others; one with `restartPolicy: 'Always'` is a sidecar. */
  readonly initContainers?: readonly (ContainerInput & OwnRestarts)[];
  readonly containers?: readonly (ContainerInput & OwnRestarts)[];
}

/** What one container of several may say of its own restarts. */
export interface OwnRestarts {
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  readonly restartPolicyRules?: readonly Readonly<Record<string, unknown>>[];
}
