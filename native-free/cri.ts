/**
 * The shapes of CRI v1 that both sides speak: the kubelet's part (sim) and the runtime (src).
 * Names are those of protobuf-JSON (camelCase), enums are their names, int64 nanoseconds are bigint.
 * Source: kubernetes/cri-api runtime/v1 api.proto, 0.36. Only what subroot reads or writes is listed.
 */

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export type MountPropagation = 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';

/** One line of an id map: `length` ids from `containerId` inside appear as those from `hostId` outside. */
export interface IDMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface UserNamespace {
  readonly mode: NamespaceMode;
  readonly uids: readonly IDMapping[];
  readonly gids: readonly IDMapping[];
}

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
  /** Absent means "no user namespace" for every runtime in use, whatever the proto comment says. */
  readonly usernsOptions?: UserNamespace;
}

export interface DNSConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

/** Seccomp or AppArmor confinement. `localhostRef`: the full path of a seccomp profile, or the name of an AppArmor one. */
export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string;
}

export interface SELinuxOption {
  readonly user?: string;
  readonly role?: string;
  readonly type?: string;
  readonly level?: string;
}

/** Of the sandbox's own process only; every container says its own. */
export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions?: NamespaceOption;
  readonly privileged?: boolean;
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
  readonly selinuxOptions?: SELinuxOption;
}

/** Limits of one size of huge pages, `2MB`, in bytes. */
export interface HugepageLimit {
  readonly pageSize: string;
  readonly limit: number;
}

/** In an update, zero and empty fields mean "leave it". */
export interface LinuxContainerResources {
  /** Microseconds. */
  readonly cpuPeriod?: number;
  /** Microseconds of CPU time in each period; -1 is no limit. */
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly hugepageLimits?: readonly HugepageLimit[];
  /** File of cgroup v2 → value. */
  readonly unified?: Readonly<Record<string, string>>;
  /** Memory and swap together. */
  readonly memorySwapLimitInBytes?: number;
}

export interface LinuxPodSandboxConfig {
  readonly cgroupParent?: string;
  readonly securityContext?: LinuxSandboxSecurityContext;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Of all containers together. */
  readonly resources?: LinuxContainerResources;
  readonly overhead?: LinuxContainerResources;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname?: string;
  readonly logDirectory?: string;
  readonly dnsConfig?: DNSConfig;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: LinuxPodSandboxConfig;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly?: boolean;
  readonly propagation?: MountPropagation;
  readonly uidMappings?: readonly IDMapping[];
  readonly gidMappings?: readonly IDMapping[];
  readonly recursiveReadOnly?: boolean;
}

export interface ImageSpec {
  /**
   * `host` (this machine's userland, read-only), an absolute path of a directory that holds a root file system, or an image of the store by
   * id, unique beginning of its id, tag or digest.
   */
  readonly image: string;
  readonly userSpecifiedImage?: string;
}

export interface Capability {
  readonly addCapabilities?: readonly string[];
  readonly dropCapabilities?: readonly string[];
  /** Added, and kept over execve(2) by programs that are not root. */
  readonly addAmbientCapabilities?: readonly string[];
}

export interface Int64Value {
  readonly value: number;
}

export interface LinuxContainerSecurityContext {
  readonly capabilities?: Capability;
  readonly privileged?: boolean;
  readonly namespaceOptions?: NamespaceOption;
  readonly runAsUser?: Int64Value;
  readonly runAsGroup?: Int64Value;
  /** Exclusive with `runAsUser`: a name of the image's /etc/passwd. */
  readonly runAsUsername?: string;
  readonly supplementalGroups?: readonly number[];
  /** `Merge` (absent too): with the groups that the image's /etc/group gives the user; `Strict`: without. */
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict';
  readonly readonlyRootfs?: boolean;
  readonly noNewPrivs?: boolean;
  /** Absent: the runtime's default list. Empty: nothing is masked. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** Absent: unconfined, unless the deprecated `seccompProfilePath` says otherwise. */
  readonly seccomp?: SecurityProfile;
  /** Deprecated: `runtime/default`, `unconfined`, or `localhost/` and a full path. */
  readonly seccompProfilePath?: string;
  readonly apparmor?: SecurityProfile;
  /** Deprecated: as `seccompProfilePath`, with a name. */
  readonly apparmorProfile?: string;
  readonly selinuxOptions?: SELinuxOption;
}

export interface LinuxContainerConfig {
  readonly resources?: LinuxContainerResources;
  readonly securityContext?: LinuxContainerSecurityContext;
}

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  readonly image: ImageSpec;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly envs?: readonly KeyValue[];
  readonly mounts?: readonly Mount[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly logPath?: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly linux?: LinuxContainerConfig;
  /** Signal name without SIG (`TERM`); absent means the image's, then TERM. */
  readonly stopSignal?: string;
}

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface PodSandboxStatus extends PodSandbox {
  readonly network: {readonly ip: string};
  readonly linux: {readonly namespaces: {readonly options: NamespaceOption}};
}

export interface PodSandboxFilter {
  /** Exact or a unique prefix. */
  readonly id?: string;
  readonly state?: PodSandboxState;
  readonly labelSelector?: Readonly<Record<string, string>>;
}

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly image: ImageSpec;
  readonly imageRef: string;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus {
  readonly id: string;
  readonly metadata: ContainerMetadata;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  /** 0 until started. */
  readonly startedAt: bigint;
  /** 0 until exited; `exitCode` means something only then. */
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly image: ImageSpec;
  readonly imageRef: string;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, or empty while it has not ended. */
  readonly reason: string;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly logPath: string;
  /** As applied; absent when nothing is. */
  readonly resources?: {readonly linux: LinuxContainerResources};
  readonly user?: {
    readonly linux: {readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[]};
  };
}

export interface ContainerFilter {
  readonly id?: string;
  readonly state?: ContainerState;
  readonly podSandboxId?: string;
  readonly labelSelector?: Readonly<Record<string, string>>;
}

export interface ExecSyncResponse {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface StreamRequest {
  readonly containerId: string;
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
}

/** The streams of a program, in process: what the URL of a CRI ExecResponse or AttachResponse would lead to. */
export interface ProgramStream {
  write(bytes: Uint8Array): boolean;
  endStdin(): void;
  resize(rows: number, columns: number): void;
  /** Resolves when the program has ended, with its exit code, or undefined when the connection was cut. */
  readonly ended: Promise<number | undefined>;
  /** Lets go; an attached program goes on. */
  close(): void;
}

export interface StreamHandlers {
  readonly onStdout?: (bytes: Uint8Array) => void;
  /** Never called with `tty`: a terminal has one stream. */
  readonly onStderr?: (bytes: Uint8Array) => void;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * The RuntimeService verbs that run in process. Errors are `SubrootError`s whose `grpc` names the CRI status code
 * (NOT_FOUND, FAILED_PRECONDITION, …). Idempotency follows the proto: stopping or removing what is not there succeeds.
 */
export interface RuntimeService {
  runPodSandbox(
    request: {config: PodSandboxConfig; runtimeHandler?: string},
    options?: CallOptions,
  ): Promise<{podSandboxId: string}>;
  stopPodSandbox(request: {podSandboxId: string}, options?: CallOptions): Promise<void>;
  removePodSandbox(request: {podSandboxId: string}, options?: CallOptions): Promise<void>;
  podSandboxStatus(request: {
    podSandboxId: string;
    verbose?: boolean;
  }): Promise<{status: PodSandboxStatus; info: Record<string, string>}>;
  listPodSandbox(request?: {filter?: PodSandboxFilter}): Promise<{items: PodSandbox[]}>;
  createContainer(
    request: {podSandboxId: string; config: ContainerConfig; sandboxConfig: PodSandboxConfig},
    options?: CallOptions,
  ): Promise<{containerId: string}>;
  startContainer(request: {containerId: string}, options?: CallOptions): Promise<void>;
  /** `timeout` in seconds between the stop signal and SIGKILL; 0 kills at once. */
  stopContainer(request: {containerId: string; timeout: number}, options?: CallOptions): Promise<void>;
  removeContainer(request: {containerId: string}, options?: CallOptions): Promise<void>;
  containerStatus(request: {
    containerId: string;
    verbose?: boolean;
  }): Promise<{status: ContainerStatus; info: Record<string, string>}>;
  listContainers(request?: {filter?: ContainerFilter}): Promise<{containers: Container[]}>;
  /** All or nothing, for a container that is CREATED or RUNNING. */
  updateContainerResources(
    request: {containerId: string; linux: LinuxContainerResources},
    options?: CallOptions,
  ): Promise<void>;
  /** Runs to completion; `timeout` in seconds, 0 = none. A non-zero exit is an answer, not an error. */
  execSync(
    request: {containerId: string; cmd: readonly string[]; timeout?: number},
    options?: CallOptions,
  ): Promise<ExecSyncResponse>;
}

/** The two verbs that stream. The flags follow the proto: at least one stream, and no `stderr` with `tty`. */
export interface StreamingRuntimeService extends RuntimeService {
  exec(
    request: StreamRequest & {readonly cmd: readonly string[]},
    handlers: StreamHandlers,
    options?: CallOptions,
  ): Promise<ProgramStream>;
  attach(request: StreamRequest, handlers: StreamHandlers, options?: CallOptions): Promise<ProgramStream>;
}

/** One image: several names may stand for it. */
export interface Image {
  /** Digest of its configuration: `sha256:…`. */
  readonly id: string;
  /** Complete names with a tag. */
  readonly repoTags: readonly string[];
  /** `NAME@sha256:…` of the manifest or index that was asked for. */
  readonly repoDigests: readonly string[];
  /** Bytes of its blobs as a registry has them. */
  readonly size: number;
  /** There when the image's user is a number. */
  readonly uid?: Int64Value;
  /** The image's user when it is a name; empty beside `uid`. Both empty: root. */
  readonly username: string;
  readonly spec?: ImageSpec;
  readonly pinned: boolean;
}

export interface ImageFilter {
  readonly image?: ImageSpec;
}

/** Credentials of one pull, in whichever form there are. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  /** base64 of `user:password`. */
  readonly auth?: string;
  readonly serverAddress?: string;
  /** A refresh token. */
  readonly identityToken?: string;
  /** A bearer token. */
  readonly registryToken?: string;
}

export interface FilesystemUsage {
  /** Nanoseconds since the epoch. */
  readonly timestamp: bigint;
  readonly fsId: {readonly mountpoint: string};
  readonly usedBytes: {readonly value: number};
  readonly inodesUsed: {readonly value: number};
}

/** The ImageService verbs that run in process. */
export interface ImageService {
  /** `filter` is honoured; without it all. */
  listImages(request?: {filter?: ImageFilter}): Promise<{images: Image[]}>;
  /** An unknown image is an answer without `image`. */
  imageStatus(request: {
    image: ImageSpec;
    verbose?: boolean;
  }): Promise<{image: Image | undefined; info: Record<string, string>}>;
  /** `imageRef` is the image's id. Missing in the registry: NOT_FOUND. */
  pullImage(
    request: {image: ImageSpec; auth?: AuthConfig; sandboxConfig?: PodSandboxConfig},
    options?: CallOptions,
  ): Promise<{imageRef: string}>;
  /** By any name, with all its names; an unknown image is fine. Containers that run go on. */
  removeImage(request: {image: ImageSpec}): Promise<void>;
  imageFsInfo(): Promise<{imageFilesystems: FilesystemUsage[]; containerFilesystems: FilesystemUsage[]}>;
}
