/**
 * The kubelet's part: pods read from manifests, checked by the rules of a Kubernetes version, given blocks of host ids, and
 * started on any CRI runtime. Nothing here starts a process or reads /proc: the world comes in through the arguments.
 */

export type {AdmissionOptions} from './admission.ts';
export {requireAdmitted} from './admission.ts';
export type {ApiObject, ConfigMapObject, SecretObject} from './api-objects.ts';
/** ConfigMaps and Secrets that came with a pod, and the errors for those that did not. */
export {ApiObjects, bytesOf, MAX_OBJECT_BYTES, objectKeyMissing, objectMissing} from './api-objects.ts';
export type {BackOffLimits} from './back-off.ts';
export {kubeletBackOff} from './back-off.ts';
export type {Clock} from './clock.ts';
export {systemClock} from './clock.ts';
export type {ConfinementOptions, ContainerConfigOptions, ImageUser, SandboxConfigOptions} from './cri-config.ts';
// ── pods → CRI
/** What RunPodSandbox and CreateContainer are sent for a pod. */
export {
  confinementOf,
  containerConfigOf,
  DEFAULT_LOG_ROOT,
  defaultMaskedPaths,
  defaultReadonlyPaths,
  logDirectoryOf,
  mappingsOf,
  namespacesOf,
  requireRunnable,
  sandboxConfigOf,
} from './cri-config.ts';
export type {NodeFacts} from './downward.ts';
/** The fields and resources that a pod's containers may ask for. */
export {POD_IP, podFieldValue, resourceValue} from './downward.ts';
export type {EnvironmentSources} from './environment.ts';
/** Variables of a container, with what `envFrom` and `valueFrom` add. */
export {environmentOf} from './environment.ts';
export {expandReferences} from './expansion.ts';
export type {FieldError, FieldErrorType} from './field-error.ts';
export {aggregate} from './field-error.ts';
export type {NotYet, Warning} from './field-reader.ts';
export type {HttpRequest, PodNetwork} from './handlers.ts';
export type {IdPool} from './id-pool.ts';
export {checkIdsPerPod, checkPool, DEFAULT_MAX_PODS, defaultPool, usableBlocks} from './id-pool.ts';
export type {PullPolicy, PullSecrets} from './image-pull.ts';

export {isPullPolicy, pullPolicies, pullPolicyOf, pullSecretsOf} from './image-pull.ts';
export type {NodeParts, StartedContainer, StartedPod, StartPodOptions} from './kubelet.ts';
/** A pod's life on a runtime; a failed start leaves nothing behind. */
export {removePod, startPod, stopPod} from './kubelet.ts';
export type {FeatureGates, GateName, GateState, KubernetesRules, KubernetesVersion} from './kubernetes-versions.ts';
/** Gates and rules by minor version, 1.25 to 1.37. */
export {gateState, isGateOn, minorOf, NEWEST_MINOR, OLDEST_MINOR, rulesOf} from './kubernetes-versions.ts';
export type {LedgerEntry, LedgerOptions, QuarantinedPod} from './ledger.ts';
/** The ledger on disk: shared by processes, without a daemon or a lock, mended at opening. */
export {LEDGER_VERSION, Ledger} from './ledger.ts';
export type {ClaimKind, Owner} from './ledger-claims.ts';
export type {LedgerFs} from './ledger-fs.ts';
export {nodeLedgerFs} from './ledger-fs.ts';
export type {
  ContainerLife,
  ContainerPort,
  Handler,
  HandlerChoice,
  PortRef,
  Probe,
  ProbeKind,
  RestartRule,
} from './life.ts';
export type {StopWishes} from './life-annotations.ts';
/** How a container is to be stopped, by whoever stops it. */
export {stopWishesOf} from './life-annotations.ts';
export {MAX_MANIFEST_BYTES} from './manifest-tree.ts';
export type {
  ContainerSecurityContext,
  EnvFrom,
  EnvSource,
  EnvVar,
  HostPathType,
  Pod,
  PodContainer,
  PodDnsConfig,
  PodMetadata,
  PodSecurityContext,
  PodSpec,
  RestartPolicy,
  Volume,
  VolumeMount,
} from './pod.ts';
/** The pod model: API names, defaults filled in, absent stays absent where that means something. */
export {startedContainers, wantsUserNamespace} from './pod.ts';
export {dnsConfigOf, parseResolvConf} from './pod-dns.ts';
export type {EventHandler, PodEvent} from './pod-events.ts';
export {isTerminationFile, plannedPodFiles, podFilesFolder, removePodFiles} from './pod-files.ts';
export {hostnameOf, hostsFileOf} from './pod-hosts.ts';
// ── a pod's life
export type {Manifests, OtherObject, ParseOptions} from './pod-spec.ts';
// ── manifests → pods
/** Text → pods, other objects and warnings. */
export {manifestsOf, parseManifests} from './pod-spec.ts';
export type {
  ContainerEnd,
  ContainerStateNow,
  ContainerStatusNow,
  PodCondition,
  PodPhase,
  PodStatus,
} from './pod-status.ts';
export {conditionsOf, isReady, phaseOf, statusWord} from './pod-status.ts';
export type {PodSupervisor, SuperviseOptions, SupervisionEnd, SupervisorParts} from './pod-supervisor.ts';
export type {MountSource, MountSources, VolumeIds, VolumePlan} from './pod-volumes.ts';
/** Volumes: what they will be, their folders and files, and their end. */
export {claimVolumes, makeVolumes, plannedSources, planVolumes, removeVolumes, volumePath} from './pod-volumes.ts';
export type {AccountLookup, ChosenPool, GetsubidsResult, PoolSources} from './pool.ts';
// ── blocks of host ids
/** Where the range for pods comes from, and the checks on it. Ids are plain numbers; lengths count ids. */
export {parseGetsubids, poolFrom} from './pool.ts';
export type {ProbeResult} from './probe-state.ts';
export {parseQuantity, quantityIn} from './quantity.ts';
export type {Random} from './random.ts';
/** Numbers from a seed, or from the operating system. */
export {seededRandom, systemRandom} from './random.ts';
export type {NodeResources, QosClass} from './resources.ts';
/** What a pod asks of the node's control groups. */
export {containerResourcesOf, hasResources, oomScoreAdjOf, podResourcesOf, qosClassOf} from './resources.ts';
export type {ContainerRole} from './restart-decision.ts';
export {restartPolicyOf, roleOf, shouldRestart} from './restart-decision.ts';
export type {StopPodOptions} from './stop-pod.ts';
export {stopContainers} from './stop-pod.ts';
export type {AllocatorOptions, IdBlock} from './userns-allocator.ts';
/** Which blocks are taken, in memory: the random scan, and the kubelet's bookkeeping by pod. */
export {UsernsAllocator, UsernsManager} from './userns-allocator.ts';
export type {UsernsFile} from './userns-file.ts';
/** The kubelet's `userns` file. */
export {formatUsernsFile, parseUsernsFile} from './userns-file.ts';
export type {HandlerSupport, KubeletOptions, RuntimeHandler, UsernsDecision} from './userns-support.ts';
/** What a kubelet does with `hostUsers` before it touches disk: its own namespace, the node's, in silence or refused. */
export {decideUserns, declaresHostNetworkUserns, handlerSupportsUserns, requireUserns} from './userns-support.ts';
export type {ValidationOptions} from './validation.ts';
// ── what the API server and the kubelet say
/** Pod → field errors of a Kubernetes version; `requireValidPod` throws them together, as kubectl shows them. */
export {dropDisabledFields, requireValidPod, validatePod} from './validation.ts';
export type {Ownership, SubPathRequest, VolumeHost} from './volume-host.ts';
/** What volumes ask of a machine; this one is a process without mounts. */
export {localVolumeHost} from './volume-host.ts';
export type {LimitedVolume} from './volume-limits.ts';
/** Limits of emptyDirs on disk, which only looking holds. */
export {exceededLimit, limitedVolumes} from './volume-limits.ts';
export type {PayloadFile, PayloadSources} from './volume-payload.ts';
/** The files of a configMap, secret, downwardAPI or projected volume. */
export {payloadOf} from './volume-payload.ts';
