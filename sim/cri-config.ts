import {createHash} from 'node:crypto';
import {posix} from 'node:path';
import type {
  ContainerConfig,
  IDMapping,
  KeyValue,
  LinuxContainerSecurityContext,
  Mount,
  NamespaceOption,
  PodSandboxConfig,
  SecurityProfile,
} from '../native-free/cri.ts';
import {subrootError} from '../native-free/errors.ts';
import {ApiObjects} from './api-objects.ts';
import type {NodeFacts} from './downward.ts';
import {environmentOf} from './environment.ts';
import {expandReferences} from './expansion.ts';
import {aggregate} from './field-error.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import {lifeAnnotations} from './life-annotations.ts';
import type {ConfinementProfile, Pod, PodContainer, VolumeMount} from './pod.ts';
import {startedContainers, wantsUserNamespace} from './pod.ts';
import {dnsConfigOf} from './pod-dns.ts';
import type {EventHandler} from './pod-events.ts';
import {hostnameOf} from './pod-hosts.ts';
import {nameErrors} from './pod-names.ts';
import {notYetError} from './pod-spec.ts';
import type {MountSources} from './pod-volumes.ts';
import type {NodeResources} from './resources.ts';
import {containerResourcesOf, podResourcesOf} from './resources.ts';
import {roleOf} from './restart-decision.ts';
import type {IdBlock} from './userns-allocator.ts';

/** Masked for `procMount: Default`, beside the thermal_throttle folder of every CPU. Source: kubernetes pkg/securitycontext/util.go, 1.36. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** Read-only for `procMount: Default`. Source: kubernetes pkg/securitycontext/util.go, 1.36. */
export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** The kubelet's root of pod logs. */
export const DEFAULT_LOG_ROOT = '/var/log/pods';

export interface SandboxConfigOptions {
  /** How often this pod's sandbox was made before; 0 by default. */
  readonly attempt?: number;
  /** `/var/log/pods` by default. */
  readonly logRoot?: string;
  readonly cgroupParent?: string;
  /** A file of the node, for a pod that is to see it: its resolv.conf. */
  readonly readNodeFile?: (path: string) => string | undefined;
}

/** CRI's `Image.uid` and `Image.username`. */
export interface ImageUser {
  readonly uid?: number;
  readonly username?: string;
}

/** Of a kubelet that knows nothing of its node: a test's. */
const anyNode: NodeResources = {memoryCapacity: 16 * 1024 ** 3, cgroupVersion: 2};

export interface ContainerConfigOptions {
  /** How often this container was started before; 0 by default. */
  readonly attempt?: number;
  /** Where a mount's source is, as `makeVolumes` answers it; needed when the container mounts anything. */
  readonly sourceOf?: MountSources;
  /** Files that the kubelet's part writes for the container; a volume at the same place wins. */
  readonly ownMounts?: readonly Mount[];
  /** What an image name stands for on this node, as PullImage would have answered; the name itself by default. */
  readonly resolveImage?: (image: string) => string;
  /** The user that an image runs as, as ImageStatus answers it; unknown or absent means root. */
  readonly imageUserOf?: (image: string) => ImageUser | undefined;
  /** ConfigMaps and Secrets for `valueFrom` and `envFrom`; none by default. */
  readonly objects?: ApiObjects;
  /** The machine, as the pod may ask about it; asked only when it does. Without it such a pod is our bug. */
  readonly node?: () => NodeFacts;
  /** By whose rules keys of an `envFrom` are names of variables; the newest by default. */
  readonly kubernetes?: KubernetesVersion;
  readonly onEvent?: EventHandler;
  /** CPUs whose thermal_throttle folder is masked too; 0 by default. */
  readonly cpuCount?: number;
  readonly confinement?: ConfinementOptions;
  /** Asked only for pods with resources; 16 GiB and cgroup v2 by default. */
  readonly nodeResources?: () => NodeResources;
}

/** What a kubelet is told of seccomp. */
export interface ConfinementOptions {
  /** Where `Localhost` profiles are: the kubelet's `<root>/seccomp`. Needed by pods that name one. */
  readonly seccompRoot?: string;
  /** `--seccomp-default`: RuntimeDefault instead of Unconfined for who says nothing. */
  readonly seccompDefault?: boolean;
}

/**
 * Throws what forbids to run this pod: names that the API refuses (SUBROOT_POD_INVALID) and fields that subroot cannot honour
 * and may not drop (SUBROOT_MANIFEST_NOT_YET).
 */
export function requireRunnable(pod: Pod): void {
  const errors = nameErrors(pod);
  if (errors.length > 0) {
    throw subrootError('SUBROOT_POD_INVALID', {pod: pod.metadata.name, errors: aggregate(errors)});
  }
  if (pod.notYet.length > 0) throw notYetError(pod.notYet);
}

/** One mapping: the block seen as 0…size−1. */
export function mappingsOf(block: IdBlock): readonly IDMapping[] {
  return [{hostId: block.hostId, containerId: 0, length: block.size}];
}

/**
 * The namespaces of a pod. `block` is there exactly when the pod has hostUsers false; anything else is our bug.
 * Source: kubernetes pkg/kubelet/kuberuntime/util/util.go NamespacesForPod, 1.36.
 */
export function namespacesOf(pod: Pod, block: IdBlock | undefined): NamespaceOption {
  const {spec} = pod;
  if (wantsUserNamespace(pod) !== (block !== undefined)) {
    const what = `pod ${pod.metadata.name} ${block ? 'shares the node user namespace and was given' : 'has hostUsers false and was given no'} id block`;
    throw subrootError('SUBROOT_INTERNAL', {what});
  }
  return {
    network: spec.hostNetwork ? 'NODE' : 'POD',
    pid: spec.hostPID ? 'NODE' : spec.shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: spec.hostIPC ? 'NODE' : 'POD',
    usernsOptions: block
      ? {mode: 'POD', uids: mappingsOf(block), gids: mappingsOf(block)}
      : {mode: 'NODE', uids: [], gids: []},
  };
}

/** `<root>/<namespace>_<name>_<uid>`. Source: kubernetes pkg/kubelet/kuberuntime/helpers.go BuildPodLogsDirectory. */
export function logDirectoryOf(pod: Pod, logRoot: string = DEFAULT_LOG_ROOT): string {
  const {namespace, name, uid} = pod.metadata;
  return posix.join(logRoot, `${namespace}_${name}_${uid}`);
}

function identityLabels(pod: Pod): Record<string, string> {
  const {name, namespace, uid} = pod.metadata;
  return {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  };
}

/**
 * What RunPodSandbox is sent for a pod. Throws what `requireRunnable` throws.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_sandbox.go generatePodSandboxConfig, 1.36.
 */
export function sandboxConfigOf(
  pod: Pod,
  block: IdBlock | undefined,
  options: SandboxConfigOptions = {},
): PodSandboxConfig {
  requireRunnable(pod);
  const {name, namespace, uid, labels, annotations} = pod.metadata;
  const dnsConfig = dnsConfigOf(pod, () => options.readNodeFile?.('/etc/resolv.conf'));
  const privileged = startedContainers(pod).some((container) => container.securityContext.privileged);
  const resources = podResourcesOf(pod);
  return {
    metadata: {name, namespace, uid, attempt: options.attempt ?? 0},
    hostname: hostnameOf(pod),
    logDirectory: logDirectoryOf(pod, options.logRoot),
    ...(dnsConfig && {dnsConfig}),
    labels: {...labels, ...identityLabels(pod)},
    annotations,
    linux: {
      ...(options.cgroupParent !== undefined && {cgroupParent: options.cgroupParent}),
      securityContext: {namespaceOptions: namespacesOf(pod, block), privileged},
      sysctls: pod.spec.securityContext.sysctls,
      ...(resources && {resources}),
    },
  };
}

/**
 * What CreateContainer is sent for one container of a pod. `block` is the sandbox's, and every mount carries it.
 * Errors: what `requireRunnable` throws; SUBROOT_POD_NON_ROOT.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go generateContainerConfig and kubelet_pods.go, 1.36.
 */
export function containerConfigOf(
  pod: Pod,
  container: PodContainer,
  block: IdBlock | undefined,
  options: ContainerConfigOptions = {},
): ContainerConfig {
  requireRunnable(pod);
  const attempt = options.attempt ?? 0;
  const environment = containerEnvironment(pod, container, options);
  const expand = (text: string) => expandReferences(text, (name) => environment.get(name));
  return {
    metadata: {name: container.name, attempt},
    image: {image: options.resolveImage?.(container.image) ?? container.image, userSpecifiedImage: container.image},
    command: container.command.map(expand),
    args: container.args.map(expand),
    ...(container.workingDir !== undefined && {workingDir: container.workingDir}),
    envs: [...environment].map(([key, value]): KeyValue => ({key, value})),
    mounts: mountsOf(container, block, options),
    labels: {...identityLabels(pod), 'io.kubernetes.container.name': container.name},
    annotations: {
      'io.kubernetes.container.hash': hashOf(container),
      'io.kubernetes.container.restartCount': String(attempt),
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath,
      'io.kubernetes.container.terminationMessagePolicy': container.terminationMessagePolicy,
      'io.kubernetes.pod.terminationGracePeriod': String(pod.spec.terminationGracePeriodSeconds),
      ...lifeAnnotations(container, roleOf(pod, container), pod.spec.initContainers.indexOf(container)),
    },
    logPath: posix.join(container.name, `${attempt}.log`),
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    tty: container.tty,
    linux: {
      resources: containerResourcesOf(pod, container, options.nodeResources ?? (() => anyNode)),
      securityContext: securityContextOf(pod, container, block, options),
    },
    ...(container.stopSignal !== undefined && {stopSignal: container.stopSignal.replace(/^SIG/, '')}),
  };
}

/** The variables of a container. Errors: as environmentOf. */
export function containerEnvironment(
  pod: Pod,
  container: PodContainer,
  options: ContainerConfigOptions,
): ReadonlyMap<string, string> {
  return environmentOf(pod, container, {
    objects: options.objects ?? ApiObjects.none,
    node: options.node ?? unknownNode,
    ...(options.kubernetes !== undefined && {kubernetes: options.kubernetes}),
    onSkipped: (message) =>
      options.onEvent?.({
        type: 'Warning',
        reason: 'InvalidEnvironmentVariableNames',
        message,
        container: container.name,
      }),
  });
}

/** Facts of a node that nobody gave. */
export function unknownNode(): never {
  throw subrootError('SUBROOT_INTERNAL', {what: 'a pod asks about its node, and nobody knows it'});
}

const propagations = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const;

function mountsOf(container: PodContainer, block: IdBlock | undefined, options: ContainerConfigOptions): Mount[] {
  const mounts = container.volumeMounts.map((mount) => mountOf(mount, block, options));
  const taken = new Set(mounts.map(({containerPath}) => containerPath));
  return [...mounts, ...(options.ownMounts ?? []).filter(({containerPath}) => !taken.has(containerPath))];
}

/** Source: kubernetes pkg/kubelet/kubelet_pods.go makeMounts, translateMountPropagation, resolveRecursiveReadOnly, 1.36. */
function mountOf(mount: VolumeMount, block: IdBlock | undefined, options: ContainerConfigOptions): Mount {
  if (!options.sourceOf) throw subrootError('SUBROOT_INTERNAL', {what: `no source for mount ${mount.name}`});
  const {hostPath, shifted, readOnly} = options.sourceOf(mount);
  return {
    containerPath: posix.resolve('/', mount.mountPath),
    hostPath,
    readonly: readOnly,
    propagation: propagations[mount.mountPropagation],
    // IfPossible: it is.
    ...(mount.readOnly && mount.recursiveReadOnly !== 'Disabled' && {recursiveReadOnly: true}),
    ...(block && shifted && {uidMappings: mappingsOf(block), gidMappings: mappingsOf(block)}),
  };
}

function hashOf(container: PodContainer): string {
  return createHash('sha256').update(JSON.stringify(container)).digest('hex').slice(0, 8);
}

/** Why a container cannot be said not to be root, if it cannot. Source: kubernetes pkg/kubelet/kuberuntime/security_context.go verifyRunAsNonRoot, 1.36. */
function whyRoot(runAsUser: number | undefined, image: ImageUser | undefined): string | undefined {
  if (runAsUser !== undefined) return runAsUser === 0 ? 'runAsUser is 0' : undefined;
  if (image?.username) {
    return `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`;
  }
  return (image?.uid ?? 0) === 0
    ? 'container has runAsNonRoot and image will run as root (runAsUser is not set)'
    : undefined;
}

/**
 * The container's security context over the pod's.
 * Source: kubernetes pkg/kubelet/kuberuntime/security_context.go and pkg/securitycontext/util.go, 1.36.
 */
function securityContextOf(
  pod: Pod,
  container: PodContainer,
  block: IdBlock | undefined,
  {cpuCount = 0, confinement = {}, imageUserOf}: ContainerConfigOptions,
): LinuxContainerSecurityContext {
  const own = container.securityContext;
  const shared = pod.spec.securityContext;
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  const why =
    (own.runAsNonRoot ?? shared.runAsNonRoot) ? whyRoot(runAsUser, imageUserOf?.(container.image)) : undefined;
  if (why !== undefined) {
    throw subrootError('SUBROOT_POD_NON_ROOT', {pod: pod.metadata.name, container: container.name, why});
  }
  const masked = [...defaultMaskedPaths];
  for (let cpu = 0; cpu < cpuCount; cpu++) masked.push(`/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`);
  const unmasked = own.procMount === 'Unmasked';
  return {
    capabilities: {addCapabilities: own.capabilities.add, dropCapabilities: own.capabilities.drop},
    privileged: own.privileged,
    namespaceOptions: namespacesOf(pod, block),
    // A group needs a user: that of the image, which is root here.
    ...((runAsUser ?? runAsGroup) !== undefined && {runAsUser: {value: runAsUser ?? 0}}),
    ...(runAsGroup !== undefined && {runAsGroup: {value: runAsGroup}}),
    supplementalGroups: [...(shared.fsGroup === undefined ? [] : [shared.fsGroup]), ...shared.supplementalGroups],
    ...(shared.supplementalGroupsPolicy === 'Strict' && {supplementalGroupsPolicy: 'Strict'}),
    readonlyRootfs: own.readOnlyRootFilesystem,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : masked,
    readonlyPaths: unmasked ? [] : defaultReadonlyPaths,
    ...seccompOf(own.seccompProfile ?? shared.seccompProfile, confinement),
    ...confinementOf(pod, container),
  };
}

/** What a container asks of the node's security modules, over what its pod does. */
export function confinementOf(
  {spec: {securityContext: shared}}: Pod,
  {securityContext: own}: PodContainer,
): Pick<LinuxContainerSecurityContext, 'privileged' | 'apparmor' | 'selinuxOptions'> {
  const label = own.seLinuxOptions ?? shared.seLinuxOptions;
  return {
    privileged: own.privileged,
    ...apparmorOf(own.appArmorProfile ?? shared.appArmorProfile),
    ...(label && {selinuxOptions: label}),
  };
}

/** Nothing for Unconfined: that is what a runtime does unasked. Source: kubernetes pkg/kubelet/kuberuntime/helpers.go getSeccompProfile, 1.36. */
function seccompOf(
  profile: ConfinementProfile | undefined,
  {seccompDefault = false, seccompRoot}: ConfinementOptions,
): {seccomp?: SecurityProfile} {
  const type = profile?.type ?? (seccompDefault ? 'RuntimeDefault' : 'Unconfined');
  if (type === 'Unconfined') return {};
  if (type !== 'Localhost') return {seccomp: {profileType: 'RuntimeDefault'}};
  if (seccompRoot === undefined) throw subrootError('SUBROOT_INTERNAL', {what: 'no folder of seccomp profiles is set'});
  return {seccomp: {profileType: 'Localhost', localhostRef: posix.join(seccompRoot, profile?.localhostProfile ?? '')}};
}

function apparmorOf(profile: ConfinementProfile | undefined): {apparmor?: SecurityProfile} {
  if (!profile || profile.type === 'Unconfined') return {};
  const {type, localhostProfile} = profile;
  if (type === 'Localhost') return {apparmor: {profileType: type, localhostRef: localhostProfile ?? ''}};
  return {apparmor: {profileType: 'RuntimeDefault'}};
}
