import {setTimeout as sleep} from 'node:timers/promises';
import type {ContainerConfig, ContainerStatus, Mount, PodSandboxConfig, RuntimeService} from '../native-free/cri.ts';
import {SubrootError, subrootError} from '../native-free/errors.ts';
import {ApiObjects} from './api-objects.ts';
import type {ConfinementOptions, ContainerConfigOptions, SandboxConfigOptions} from './cri-config.ts';
import {containerConfigOf, containerEnvironment, requireRunnable, sandboxConfigOf, unknownNode} from './cri-config.ts';
import type {NodeFacts} from './downward.ts';
import type {PodNetwork} from './handlers.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import type {Ledger} from './ledger.ts';
import type {Pod, PodContainer} from './pod.ts';
import {startedContainers, wantsUserNamespace} from './pod.ts';
import type {EventHandler} from './pod-events.ts';
import {makePodFiles, needsPodFiles, removePodFiles} from './pod-files.ts';
import type {PodSupervisor, SuperviseOptions} from './pod-supervisor.ts';
import type {VolumeIds, VolumePlan} from './pod-volumes.ts';
import {claimVolumes, makeVolumes, planVolumes, removeVolumes} from './pod-volumes.ts';
import type {NodeResources} from './resources.ts';
import {roleOf} from './restart-decision.ts';
import type {StopPodOptions} from './stop-pod.ts';
import {stopContainers} from './stop-pod.ts';
import type {IdBlock} from './userns-allocator.ts';
import type {KubeletOptions} from './userns-support.ts';
import {requireUserns} from './userns-support.ts';
import type {VolumeHost} from './volume-host.ts';
import {localVolumeHost} from './volume-host.ts';

/** What a pod's life needs of the node beside a runtime. */
export interface NodeParts {
  /** Where blocks come from and where pods have their folders. */
  readonly ledger: Pick<Ledger, 'acquire' | 'release' | 'podDir'>;
  /** Does for volumes what this process alone may not; by default it is all there is. */
  readonly volumeHost?: VolumeHost;
}

export interface StartPodOptions extends NodeParts, SandboxConfigOptions {
  /** The pod dies with this process; its block is then freed by whoever finds this process dead. */
  readonly bound?: boolean;
  /** What this kubelet knows of its runtime and gates. Without it nothing is rejected here, and the runtime answers for itself. */
  readonly kubelet?: KubeletOptions;
  /** ConfigMaps and Secrets that the pod may refer to; none by default. */
  readonly objects?: ApiObjects;
  /** The machine, as the pod may ask about it. */
  readonly node?: () => NodeFacts;
  /** Whose rules decide where versions differ; the newest by default. */
  readonly kubernetes?: KubernetesVersion;
  /** Told what a kubelet would report as events. */
  readonly onEvent?: EventHandler;
  /** How files of hostPath volumes get the pod's ids; `idmap` by default. */
  readonly volumeIds?: VolumeIds;
  /** What an image name stands for on this node; the name itself by default. */
  readonly resolveImage?: (image: string) => string;
  readonly imageUserOf?: ContainerConfigOptions['imageUserOf'];
  /** CPUs of the node, for the default masks. */
  readonly cpuCount?: number;
  readonly confinement?: ConfinementOptions;
  readonly nodeResources?: () => NodeResources;
  /** Milliseconds between looks at a running init container; 20 by default. */
  readonly pollMs?: number;
  /** Look after the pod from then on: probes, restarts, deadline. Without it nobody does. */
  readonly supervise?: SuperviseOptions;
  /** How probes and hooks reach the pod's network. */
  readonly networkOf?: (podSandboxId: string) => PodNetwork;
  /** True once somebody else stops or removes the pod of a sandbox that is looked after. */
  readonly isStopping?: (podSandboxId: string) => boolean;
  /** What a container that has ended left for its status. */
  readonly messageOf?: (status: ContainerStatus) => string;
  /** Removes the log of a container that was started again so often that it is not kept. */
  readonly removeLog?: (path: string) => void;
  readonly signal?: AbortSignal;
}

export interface StartedContainer {
  readonly name: string;
  readonly id: string;
}

export interface StartedPod {
  readonly pod: Pod;
  readonly podSandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  /** There exactly when the pod has hostUsers false. */
  readonly block?: IdBlock;
  /** Init containers have ended; containers are started. In the order of the spec. */
  readonly initContainers: readonly StartedContainer[];
  readonly containers: readonly StartedContainer[];
  /** Who looks after it, when that was asked for. */
  readonly supervisor?: PodSupervisor;
}

/** A step of the way back, in the order in which it was registered; undone last to first. */
interface Undo {
  readonly what: string;
  readonly run: () => Promise<void>;
}

/**
 * Starts a pod: block, folders, sandbox, init containers one after another to their end, containers in order.
 * When anything fails or the signal aborts, all of it is undone, last to first, and the first error is thrown as it is. When the way back
 * fails too, SUBROOT_POD_UNDO_INCOMPLETE names what is left, and the block stays reserved: something may still run in it.
 * Errors: what containerConfigOf and Ledger.getOrCreate throw, SUBROOT_POD_REJECTED, SUBROOT_VOLUME_*, SUBROOT_INIT_CONTAINER_FAILED,
 * SUBROOT_POD_ABORTED, and the runtime's. A pod that has a block already (a new attempt) keeps it, whatever happens.
 * Without `supervise` a failed init container ends the start, and nothing is started again.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go SyncPod, 1.36.
 */
export async function startPod(runtime: RuntimeService, pod: Pod, options: StartPodOptions): Promise<StartedPod> {
  requireRunnable(pod);
  if (options.kubelet) requireUserns(pod, options.kubelet);
  const undo: Undo[] = [];
  try {
    return await startSteps(runtime, pod, options, undo);
  } catch (error) {
    await undoAll(pod, undo, error);
    throw error;
  }
}

async function startSteps(
  runtime: RuntimeService,
  pod: Pod,
  options: StartPodOptions,
  undo: Undo[],
): Promise<StartedPod> {
  const {ledger} = options;
  const {uid} = pod.metadata;
  const podDir = ledger.podDir(uid);
  const host = options.volumeHost ?? localVolumeHost;
  const call = options.signal ? {signal: options.signal} : {};
  const proceed = (step: string) => {
    if (options.signal?.aborted) throw abortedError(pod, step, options.signal);
  };

  const plan = pod.spec.volumes.length === 0 ? undefined : await planPodVolumes(pod, podDir, host, options);
  proceed('its id block was taken');
  const taken = wantsUserNamespace(pod) ? ledger.acquire(uid, {bound: options.bound ?? false}) : undefined;
  const block = taken?.block;
  // What was there before belongs to an earlier start of this pod, which may still run.
  if (taken?.fresh) undo.push({what: 'id block', run: () => releaseUnused(runtime, ledger, uid)});

  if (plan?.hasFolders && claimVolumes(podDir)) {
    undo.push({what: 'volumes', run: () => removeVolumes(podDir, host)});
  }
  const configOptions: ContainerConfigOptions = {
    attempt: options.attempt ?? 0,
    cpuCount: options.cpuCount ?? 0,
    ...(options.objects && {objects: options.objects}),
    ...(options.node && {node: options.node}),
    ...(options.kubernetes !== undefined && {kubernetes: options.kubernetes}),
    ...(options.resolveImage && {resolveImage: options.resolveImage}),
  };
  const sourceOf =
    plan &&
    (await makeVolumes(pod, plan, {
      host,
      block,
      environmentOf: (container) => containerEnvironment(pod, container, configOptions),
      onMade: (what, takeBack) => undo.push({what, run: async () => takeBack()}),
    }));
  const filesOf = needsPodFiles(pod) ? await startFiles(pod, podDir, block, host, options, undo) : undefined;
  const configOf = (container: PodContainer, attempt = options.attempt ?? 0) =>
    containerConfigOf(pod, container, block, {
      ...configOptions,
      attempt,
      ...(filesOf && {ownMounts: filesOf(container, attempt)}),
      ...(sourceOf && {sourceOf}),
      ...(options.onEvent && {onEvent: options.onEvent}),
      ...(options.confinement && {confinement: options.confinement}),
      ...(options.nodeResources && {nodeResources: options.nodeResources}),
      ...(options.imageUserOf && {imageUserOf: options.imageUserOf}),
    });
  // All configurations first: a pod with a mistake in its last container starts nothing.
  const sandboxConfig = sandboxConfigOf(pod, block, options);
  const initConfigs = pod.spec.initContainers.map((container) => configOf(container));
  const configs = pod.spec.containers.map((container) => configOf(container));

  proceed('its sandbox was made');
  const runtimeHandler = pod.spec.runtimeClassName;
  const {podSandboxId} = await runtime.runPodSandbox(
    {config: sandboxConfig, ...(runtimeHandler !== undefined && {runtimeHandler})},
    call,
  );
  undo.push({what: `sandbox ${podSandboxId}`, run: () => endSandbox(runtime, podSandboxId)});

  const made = {pod, podSandboxId, sandboxConfig, ...(block && {block})};
  if (options.supervise || needsKubelet(pod))
    return {...made, ...(await startSupervised(runtime, {...made, configOf}, options, undo))};

  const start = async (config: (typeof configs)[number]): Promise<StartedContainer> => {
    proceed(`container ${config.metadata.name} was made`);
    const {containerId} = await runtime.createContainer({podSandboxId, config, sandboxConfig}, call);
    undo.push({what: `container ${containerId}`, run: () => endContainer(runtime, containerId)});
    proceed(`container ${config.metadata.name} was started`);
    await runtime.startContainer({containerId}, call);
    return {name: config.metadata.name, id: containerId};
  };

  const initContainers: StartedContainer[] = [];
  for (const config of initConfigs) {
    const container = await start(config);
    const status = await untilExited(runtime, container.id, options, () =>
      proceed(`init container ${container.name} ended`),
    );
    if (status.exitCode !== 0) throw initFailed(pod, container, status);
    initContainers.push(container);
  }
  const containers: StartedContainer[] = [];
  for (const config of configs) containers.push(await start(config));
  proceed('it was handed over');
  return {...made, initContainers, containers};
}

async function startFiles(
  pod: Pod,
  podDir: string,
  block: IdBlock | undefined,
  host: VolumeHost,
  options: StartPodOptions,
  undo: Undo[],
): Promise<(container: PodContainer, attempt: number) => readonly Mount[]> {
  undo.push({what: 'pod files', run: () => removePodFiles(podDir, host)});
  const {node = unknownNode, readNodeFile = () => undefined} = options;
  return await makePodFiles(pod, {podDir, block, host, node, readNodeFile});
}

function planPodVolumes(pod: Pod, podDir: string, host: VolumeHost, options: StartPodOptions): Promise<VolumePlan> {
  const sources = {objects: options.objects ?? ApiObjects.none, node: options.node ?? unknownNode};
  return planVolumes(pod, podDir, {sources, host, volumeIds: options.volumeIds ?? 'idmap'});
}

/** Whether a pod cannot even be started without a kubelet's care: hooks run after the start, sidecars are waited for and kept. */
function needsKubelet(pod: Pod): boolean {
  return startedContainers(pod).some(
    (container) => container.postStart !== undefined || roleOf(pod, container) === 'sidecar',
  );
}

/** Starts the containers by a supervisor, which stays when that was asked for. */
async function startSupervised(
  runtime: RuntimeService,
  made: Pick<StartedPod, 'pod' | 'podSandboxId' | 'sandboxConfig'> & {
    readonly configOf: (container: PodContainer, attempt?: number) => ContainerConfig;
  },
  options: StartPodOptions,
  undo: Undo[],
): Promise<Pick<StartedPod, 'initContainers' | 'containers' | 'supervisor'>> {
  const {pod, podSandboxId} = made;
  const {PodSupervisor} = await import('./pod-supervisor.ts');
  const {supervise, networkOf, isStopping, messageOf, removeLog, signal, onEvent} = options;
  const supervisor = new PodSupervisor(
    {
      ...made,
      runtime,
      network: networkOf?.(podSandboxId) ?? unreachable,
      isStartOnly: supervise === undefined,
      ...(isStopping && {isStopping: () => isStopping(podSandboxId)}),
      ...(messageOf && {messageOf}),
      ...(removeLog && {removeLog}),
    },
    {...(onEvent && {onEvent}), ...(options.pollMs !== undefined && {pollMs: options.pollMs}), ...supervise},
  );
  undo.push({what: 'supervision', run: () => supervisor.release()});
  const abort = abortOf(pod, signal);
  try {
    await Promise.race([supervisor.up, abort.aborted]);
  } catch (error) {
    const failed = supervisor.status.containers.find(
      ({role, state}) => role === 'init' && state.kind === 'terminated' && state.exitCode !== 0,
    );
    if (failed?.id === undefined || signal?.aborted) throw error;
    const {status} = await runtime.containerStatus({containerId: failed.id});
    throw initFailed(pod, {name: failed.name, id: failed.id}, status);
  } finally {
    abort.forget();
  }
  if (!supervise) await supervisor.release();
  const inits = new Set(pod.spec.initContainers.map(({name}) => name));
  const all = supervisor.containers;
  return {
    initContainers: all.filter(({name}) => inits.has(name)),
    containers: all.filter(({name}) => !inits.has(name)),
    ...(supervise && {supervisor}),
  };
}

function abortOf(pod: Pod, signal: AbortSignal | undefined): {aborted: Promise<never>; forget: () => void} {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => signal && reject(abortedError(pod, 'its containers were started', signal));
  });
  signal?.addEventListener('abort', onAbort, {once: true});
  if (signal?.aborted) onAbort();
  return {aborted, forget: () => signal?.removeEventListener('abort', onAbort)};
}

const unreachable: PodNetwork = {
  http: () => Promise.reject(new Error('the network of the pod cannot be reached from here')),
  connect: () => Promise.reject(new Error('the network of the pod cannot be reached from here')),
  grpcHealth: () => Promise.reject(new Error('the network of the pod cannot be reached from here')),
};

async function untilExited(
  runtime: RuntimeService,
  containerId: string,
  options: StartPodOptions,
  proceed: () => void,
): Promise<ContainerStatus> {
  for (;;) {
    const {status} = await runtime.containerStatus({containerId});
    if (status.state === 'CONTAINER_EXITED') return status;
    proceed();
    await sleep(options.pollMs ?? 20);
    proceed();
  }
}

async function endContainer(runtime: RuntimeService, containerId: string): Promise<void> {
  await runtime.stopContainer({containerId, timeout: 0});
  await runtime.removeContainer({containerId});
}

async function endSandbox(runtime: RuntimeService, podSandboxId: string): Promise<void> {
  await runtime.stopPodSandbox({podSandboxId});
  await runtime.removePodSandbox({podSandboxId});
}

/** Releases a block, unless the runtime still knows a sandbox that may use it (one it failed to clean up after itself). */
async function releaseUnused(runtime: RuntimeService, ledger: NodeParts['ledger'], uid: string): Promise<void> {
  const {items} = await runtime.listPodSandbox({filter: {labelSelector: {'io.kubernetes.pod.uid': uid}}});
  const [sandbox] = items;
  if (sandbox)
    throw subrootError('SUBROOT_INTERNAL', {what: `the runtime still has sandbox ${sandbox.id} of pod ${uid}`});
  ledger.release(uid);
}

async function undoAll(pod: Pod, undo: readonly Undo[], error: unknown): Promise<void> {
  const left: string[] = [];
  const failures: unknown[] = [];
  for (const step of undo.toReversed()) {
    // Removing a sandbox removes its containers; the block and the folders wait until the sandbox is surely gone.
    const blocked =
      ['id block', 'volumes', 'pod files'].includes(step.what) && left.some((what) => what.startsWith('sandbox'));
    try {
      if (blocked) left.push(step.what);
      else await step.run();
    } catch (failure) {
      left.push(step.what);
      failures.push(failure);
    }
  }
  const sandboxGone = !left.some((what) => what.startsWith('sandbox'));
  const remaining = sandboxGone ? left.filter((what) => !what.startsWith('container')) : left;
  if (remaining.length === 0) return;
  const details = {pod: pod.metadata.name, why: shortOf(error), left: remaining.join(', ')};
  throw subrootError(
    'SUBROOT_POD_UNDO_INCOMPLETE',
    details,
    new AggregateError([error, ...failures], 'start and undo failed'),
  );
}

/**
 * Stops a pod's containers as stopContainers does, then its sandbox; nobody looks after it from then on. Stopping again is fine.
 * Source: kubernetes kuberuntime_manager.go killPodWithSyncResult.
 */
export async function stopPod(
  runtime: RuntimeService,
  started: StartedPod,
  options: StopPodOptions = {},
): Promise<void> {
  await started.supervisor?.release();
  let failure: unknown;
  await stopContainers(runtime, started.podSandboxId, options).catch((error: unknown) => {
    failure = error;
  });
  await runtime.stopPodSandbox({podSandboxId: started.podSandboxId}, options.signal ? {signal: options.signal} : {});
  if (failure !== undefined) throw failure;
}

/**
 * Removes a stopped pod: containers, sandbox, folders, and its block last, when nothing can run in it any more.
 * On an error the rest is kept and a second call goes on; the block is then still reserved.
 */
export async function removePod(runtime: RuntimeService, started: StartedPod, node: NodeParts): Promise<void> {
  const {ledger, volumeHost = localVolumeHost} = node;
  await started.supervisor?.release();
  for (const {id} of [...started.initContainers, ...started.containers].reverse()) {
    await runtime.removeContainer({containerId: id});
  }
  await runtime.removePodSandbox({podSandboxId: started.podSandboxId});
  const {uid} = started.pod.metadata;
  await removePodFiles(ledger.podDir(uid), volumeHost);
  await removeVolumes(ledger.podDir(uid), volumeHost);
  if (started.block) ledger.release(uid);
}

function initFailed(pod: Pod, container: StartedContainer, status: ContainerStatus): Error {
  return subrootError('SUBROOT_INIT_CONTAINER_FAILED', {
    pod: pod.metadata.name,
    container: container.name,
    exitCode: status.exitCode,
    reason: status.reason || 'Error',
    log: status.logPath,
  });
}

function abortedError(pod: Pod, step: string, signal: AbortSignal): Error {
  return subrootError('SUBROOT_POD_ABORTED', {pod: pod.metadata.name, step}, signal.reason);
}

function shortOf(error: unknown): string {
  if (error instanceof SubrootError) return error.shortMessage;
  return error instanceof Error ? error.message : String(error);
}
