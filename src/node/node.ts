import {randomUUID} from 'node:crypto';
import {existsSync, readdirSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {ErrorCode} from '../../native-free/errors.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {
  type EventHandler,
  type IdBlock,
  Ledger,
  type Pod,
  type PodNetwork,
  type PodSupervisor,
  podFilesFolder,
  removePodFiles,
  removeVolumes,
  type StartedPod,
  type SuperviseOptions,
  sandboxConfigOf,
  startPod,
  stopContainers,
} from '../../sim/index.ts';
import {bootId, isProcessAlive, startTimeOf} from '../host/proc.ts';
import {explainFileError, makeFolder} from '../host/state-files.ts';
import type {IdLease, ImageManager} from '../images/image-manager.ts';
import type {PullProgress} from '../images/pull-progress.ts';
import {imageStoreRoot} from '../images/store-root.ts';
import {Inventory} from '../runtime/inventory.ts';
import {Runtime} from '../runtime/runtime.ts';
import {type SandboxRecord, StateStore} from '../runtime/state-store.ts';
import {stateRoot} from '../state-root.ts';
import {chooseMode, joining, type Mode, type ModeSetup, startAgent} from '../userns/mode.ts';
import {lazyNetwork} from './lazy-network.ts';
import {readNodeFacts, readNodeFile} from './node-facts.ts';
import type {NodeOptions, ObjectsInput, PodInput} from './node-options.ts';
import {ensureImages} from './pod-images.ts';
import {objectsOf} from './pod-input.ts';
import {nodeResourcesFor} from './pod-limits.ts';
import {listPods, type PodSummary, requirePod} from './pod-list.ts';
import {confinementOptionsOf, poolOf, resolvePod} from './pod-plan.ts';
import {RunningPod} from './running-pod.ts';
import type {StatusListeners, Supervision} from './supervision.ts';
import {NodeVolumeHost} from './volume-host.ts';
import {VolumeWatch} from './volume-watch.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface RunPodOptions extends CallOptions {
  /** ConfigMaps and Secrets that this pod may refer to, before those of the node. */
  readonly objects?: ObjectsInput;
  /** Told what a kubelet would report as events of the pod. */
  readonly onEvent?: EventHandler;
  /** Told what the pull of an image is at. */
  readonly onPull?: (progress: PullProgress) => void;
  /** Look after the pod as a kubelet does, until it ends: `pod.supervision`. Without it nothing is probed and nothing started again. */
  readonly supervise?: boolean | SuperviseOptions;
}

export interface StopOptions extends CallOptions {
  /** Seconds instead of what the pod says; 0 kills at once, without hooks. */
  readonly gracePeriod?: number;
  /** Told of preStop hooks that failed: their containers are stopped all the same. */
  readonly onHookFailed?: (container: string, why: string) => void;
}

/** What `gc` found and removed or set aside. */
export interface GcReport {
  readonly removed: readonly {readonly kind: string; readonly what: string; readonly why: string}[];
  readonly quarantined: readonly {readonly what: string; readonly why: string}[];
}

/**
 * A node: where pods run. Use it with `await using`; leaving the scope stops its bound pods and removes every trace.
 *
 *     await using node = await createNode();
 *     await using pod = await node.runPod({command: ['sleep', 'infinity']});
 *     const {stdout} = await pod.$`id -u`;
 */
export class PodNode implements AsyncDisposable {
  readonly root: string;
  readonly setup: ModeSetup;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly options: NodeOptions;
  /** What volumes ask of this machine. */
  readonly volumeHost: NodeVolumeHost;
  readonly #volumeWatch: VolumeWatch;
  readonly #self = {pid: process.pid, startTime: startTimeOf(process.pid) ?? ''};
  readonly #ready: IdBlock[] = [];
  /** Files of the claims of pods that this process started, by pod uid. */
  readonly #claimed = new Map<string, readonly string[]>();
  readonly #own = new Map<string, RunningPod>();
  #images: Promise<ImageManager> | undefined;
  /** Pods that this process looks after, by uid. */
  readonly #supervised = new Map<string, Supervision>();
  #closed = false;

  /** @internal use createNode */
  constructor(parts: {root: string; setup: ModeSetup; runtime: Runtime; ledger: Ledger; options: NodeOptions}) {
    this.root = parts.root;
    this.setup = parts.setup;
    this.runtime = parts.runtime;
    this.ledger = parts.ledger;
    this.options = parts.options;
    this.volumeHost = new NodeVolumeHost(parts.runtime, () => poolOf(parts.setup, parts.options).pool);
    this.#volumeWatch = new VolumeWatch(this.volumeHost, parts.options.volumeCheckMs);
  }

  /** `host`, `subid` or `single`: how strong the pods of this node are. */
  get mode(): Mode {
    return this.setup.mode;
  }

  /** Makes blocks, mapped namespaces and sandboxes ahead. */
  async prepare(counts: {readonly ranges?: number; readonly sandboxes?: number}): Promise<void> {
    const total = (counts.ranges ?? 0) + (counts.sandboxes ?? 0);
    // A detached one would outlive a process that is killed before it has used it, and nobody would know of it.
    const sandboxes = this.runtime.lifetime === 'bound' ? (counts.sandboxes ?? 0) : 0;
    if (total === 0 || this.setup.mode === 'single') return;
    const blocks = this.ledger.claimPrepared(total);
    for (const [index, block] of blocks.entries()) {
      this.runtime.trace(...this.ledger.tracesOf(block));
      const mapping = this.#mappingOf(block);
      if (index < sandboxes) await this.runtime.prepareSandbox(mapping, mapping);
      else await this.runtime.prepareUserns(mapping, mapping);
      this.#ready.push(block);
    }
  }

  #mappingOf(block: IdBlock): {hostId: number; containerId: number; length: number} {
    const {hostId, size} = this.#usable(block);
    return {hostId, containerId: 0, length: size};
  }

  /** The part of a ledger's block that this mode can map: all of it, less in a reduced grant. */
  #usable(block: IdBlock): IdBlock {
    const granted = this.setup.blocks?.[0];
    if (granted === undefined || !granted.reduced) return block;
    return {...block, hostId: granted.start, size: granted.size};
  }

  /** The images of this node: CRI's ImageService, with pulls, imports and what containers hold. Loaded when it is first asked for. */
  images(): Promise<ImageManager> {
    this.#images ??= import('../images/image-manager.ts').then(
      ({ImageManager: Manager}) =>
        new Manager({
          root: this.imageStore,
          stateRoot: this.root,
          agent: this.runtime.agent,
          planner: this.runtime.planner,
          setup: this.setup,
          idsPerPod: poolOf(this.setup, this.options).idsPerPod,
          lease: () => this.#lease(),
          whyNotShifted: (folder) => this.runtime.whyNotIdmapped(folder),
          ...(this.options.registries ? {registries: this.options.registries} : {}),
        }),
    );
    return this.#images;
  }

  /** Folder of the store of images. */
  get imageStore(): string {
    return imageStoreRoot(this.options);
  }

  /** A block that is nobody's for a while. Errors: SUBROOT_POOL_EXHAUSTED. */
  #lease(): IdLease {
    // Acquired and given back at once when none is free: it says who has them.
    const [block] = this.ledger.claimPrepared(1);
    if (block === undefined) {
      const uid = randomUUID();
      this.ledger.acquire(uid, {bound: true});
      this.ledger.release(uid);
      return this.#lease();
    }
    const traces = this.ledger.tracesOf(block);
    this.runtime.trace(...traces);
    const mapping = this.#mappingOf(block);
    return {
      mappings: {uids: mapping, gids: mapping},
      release: () => {
        this.runtime.untrace(...traces);
        this.ledger.releasePrepared(block);
      },
    };
  }

  /** Gives a pod's block back; from then on its claim may be another's. */
  #release(podUid: string): boolean {
    this.runtime.untrace(...(this.#claimed.get(podUid) ?? []));
    this.#claimed.delete(podUid);
    return this.ledger.release(podUid);
  }

  /** The ledger as startPod uses it: prepared blocks first, and blocks cut to what the mode can map. */
  #blocks(): Pick<Ledger, 'acquire' | 'release' | 'podDir'> {
    const {ledger} = this;
    return {
      acquire: (podUid, options) => {
        // With a single id there is nothing to keep apart: every pod has the same one, and the mode says so.
        if (this.setup.mode === 'single') return {block: this.#usable({hostId: 0, size: 1}), fresh: false};
        const prepared = this.#ready.shift();
        const {block, fresh} = prepared
          ? {block: ledger.assignPrepared(prepared, podUid, options), fresh: true}
          : ledger.acquire(podUid, options);
        if (fresh && this.runtime.lifetime === 'bound') {
          const traces = ledger.tracesOf(block);
          this.#claimed.set(podUid, traces);
          this.runtime.trace(...traces);
        }
        return {block: this.#usable(block), fresh};
      },
      release: (podUid) => this.#release(podUid),
      podDir: (podUid) => ledger.podDir(podUid),
    };
  }

  /**
   * Starts a pod. When it fails or is cancelled nothing of it stays.
   * Errors: SUBROOT_MANIFEST_*, SUBROOT_OBJECT_*, SUBROOT_IMAGE_UNKNOWN, SUBROOT_POD_*, SUBROOT_POD_NAME_TAKEN, SUBROOT_POOL_EXHAUSTED, the runtime's.
   */
  async runPod(input: PodInput | Pod, options: RunPodOptions = {}): Promise<RunningPod> {
    const pod = resolvePod(input, this.options);
    const objects = objectsOf(options.objects).over(objectsOf(this.options.objects));
    const {name, namespace, uid} = pod.metadata;
    const fullName = `${namespace}/${name}`;
    if (this.#closed)
      throw subrootError('SUBROOT_USAGE', {what: 'this node is closed', mend: 'make another one with createNode'});
    const startedAt = performance.now();
    const {resolveImage, imageUserOf} = await ensureImages(pod, {
      node: this.options,
      objects,
      images: () => this.images(),
      ...(options.onEvent ? {onEvent: options.onEvent} : {}),
      ...(options.onPull ? {onProgress: options.onPull} : {}),
      ...(options.signal ? {signal: options.signal} : {}),
    });
    const {requireLimits = false} = this.options;
    const nodeResources = await nodeResourcesFor(pod, {requireLimits, onEvent: options.onEvent});
    this.#takeName(fullName, uid);
    const bound = this.runtime.lifetime === 'bound';
    const logRoot = join(this.root, 'logs');
    const {logDirectory = ''} = sandboxConfigOf({...pod, spec: {...pod.spec, hostUsers: true}}, undefined, {logRoot});
    const {store} = this.runtime;
    const traces = [store.namePath('pod', fullName), store.startMarkPath(fullName, uid), this.ledger.podDir(uid)];
    this.runtime.trace(...traces, logDirectory);
    const listeners = options.supervise ? new (await import('./supervision.ts')).StatusListeners() : undefined;
    try {
      const starting = startPod(this.runtime, pod, {
        ledger: this.#blocks(),
        volumeHost: this.volumeHost,
        ...(this.options.volumeIds === undefined ? {} : {volumeIds: this.options.volumeIds}),
        bound,
        logRoot,
        objects,
        node: () => readNodeFacts(this.root),
        ...(this.options.kubernetes === undefined ? {} : {kubernetes: this.options.kubernetes}),
        ...(options.onEvent ? {onEvent: options.onEvent} : {}),
        resolveImage,
        imageUserOf,
        confinement: confinementOptionsOf(this.root, this.options),
        networkOf: (id) => this.#networkOf(id),
        isStopping: (id) => store.isStopping(id),
        removeLog: (path) => rmSync(path, {force: true}),
        readNodeFile,
        ...(options.supervise ? {messageOf: (await import('./termination-message.ts')).terminationMessageOf} : {}),
        ...(options.supervise ? {supervise: await this.#superviseOptions(options.supervise, listeners)} : {}),
        ...(nodeResources ? {nodeResources} : {}),
        ...(options.signal ? {signal: options.signal} : {}),
      });
      const started = await (listeners ? this.runtime.agent.await(starting) : starting);
      if (started.supervisor && listeners) await this.#keep(started, started.supervisor, listeners);
      const record = this.#record(started.podSandboxId);
      const running = this.#running(record, performance.now() - startedAt);
      if (bound) this.#own.set(uid, running);
      store.finishStart(fullName, uid);
      this.#volumeWatch.add(
        pod,
        this.ledger.podDir(uid),
        async (message) => {
          if (running.supervision) return running.supervision.evict(message);
          options.onEvent?.({type: 'Warning', reason: 'Evicted', message});
          await this.stopPod(record, {gracePeriod: 0});
        },
        options.onEvent,
      );
      return running;
    } catch (error) {
      store.releaseName('pod', fullName, uid);
      rmSync(logDirectory, {recursive: true, force: true});
      this.runtime.untrace(...traces, logDirectory);
      // Volumes are made by the kubelet's part, whose file errors are as they came.
      const {path, syscall} = error as NodeJS.ErrnoException;
      throw syscall !== undefined && path?.startsWith(this.root) ? explainFileError(path, error) : error;
    }
  }

  #networkOf(podSandboxId: string): PodNetwork {
    return lazyNetwork(this.root, () => this.#record(podSandboxId));
  }

  /** What is asked for, and every status on record, so that other processes can show it. */
  async #superviseOptions(
    wish: true | SuperviseOptions,
    listeners: StatusListeners | undefined,
  ): Promise<SuperviseOptions> {
    const {idleClock} = await import('./supervision.ts');
    const own = wish === true ? {} : wish;
    return {
      clock: idleClock,
      ...own,
      onStatus: (status, podSandboxId) => {
        this.runtime.store.writeSupervision(podSandboxId, {owner: this.#self, isOver: false, status});
        listeners?.tell(status);
        own.onStatus?.(status, podSandboxId);
      },
    };
  }

  async #keep({pod, podSandboxId}: StartedPod, supervisor: PodSupervisor, listeners: StatusListeners): Promise<void> {
    const {Supervision} = await import('./supervision.ts');
    const {agent, store} = this.runtime;
    const {name, uid} = pod.metadata;
    this.#supervised.set(uid, new Supervision({name, supervisor, listeners, agent}));
    const finish = () => store.removeSupervision(podSandboxId);
    supervisor.ended.then(({status, end}) => {
      if (end === 'ended') store.writeSupervision(podSandboxId, {owner: this.#self, isOver: true, status});
      else finish();
    }, finish);
  }

  /** Takes a pod's name. It stays taken while its pod has a record, or while the process that took it lives (it may be starting the pod). */
  #takeName(fullName: string, uid: string): void {
    const {store, inventory} = this.runtime;
    for (;;) {
      const holder = store.reserveName('pod', fullName, uid, this.#self);
      if (holder === undefined) return;
      const sandbox = inventory.readableSandboxes().find((record) => record.config.metadata.uid === holder.id);
      const isFree = sandbox ? this.#isDeadBound(sandbox) : !isProcessAlive(holder.owner);
      if (!isFree) {
        throw subrootError('SUBROOT_POD_NAME_TAKEN', {
          name: fullName.replace(/^default\//, ''),
          id: (sandbox?.id ?? holder.id).slice(0, 13),
        });
      }
      store.releaseName('pod', fullName, holder.id);
    }
  }

  /** Removes a folder whose files may belong to ids of pods; the agent may where we may not. */
  async removeTree(path: string): Promise<void> {
    await this.runtime.agent.request('remove', [path]);
  }

  #record(id: string): SandboxRecord {
    const record = this.runtime.store.readSandbox(id);
    if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'sandbox', ref: id, list: 'pods'});
    return record;
  }

  #running(record: SandboxRecord, durationMs = 0): RunningPod {
    return new RunningPod(this, record, durationMs, this.#supervised.get(record.config.metadata.uid));
  }

  /** All pods of this node, newest first. */
  pods(): Promise<PodSummary[]> {
    return listPods(this.runtime.inventory);
  }

  /** The pod that a reference names: NAME (of namespace default first), NAMESPACE/NAME, its uid, or a unique prefix of its sandbox id. */
  pod(ref: string): RunningPod {
    return this.#running(requirePod(this.runtime.inventory, ref));
  }

  /** Stops (with each container's grace, or the one given) and removes a pod: processes, records, volumes, names, and its block last. */
  async removePod(record: SandboxRecord, options: StopOptions = {}): Promise<void> {
    const {metadata} = record.config;
    this.#volumeWatch.delete(metadata.uid);
    await this.stopPod(record, {gracePeriod: 0, ...options});
    await this.runtime.removePodSandbox({podSandboxId: record.id});
    const podDir = this.ledger.podDir(metadata.uid);
    if (existsSync(podFilesFolder(podDir))) await removePodFiles(podDir, this.volumeHost);
    if (existsSync(join(podDir, 'volumes'))) await removeVolumes(podDir, this.volumeHost);
    for (const folder of [join(this.root, 'evidence', record.id), record.config.logDirectory ?? ''])
      if (existsSync(folder)) rmSync(folder, {recursive: true, force: true});
    if (record.mode !== 'single') this.#release(metadata.uid);
    const fullName = `${metadata.namespace}/${metadata.name}`;
    this.runtime.store.releaseName('pod', fullName, metadata.uid);
    this.runtime.untrace(
      this.runtime.store.namePath('pod', fullName),
      this.runtime.store.startMarkPath(fullName, metadata.uid),
      this.ledger.podDir(metadata.uid),
      record.config.logDirectory ?? '',
    );
    this.#own.delete(metadata.uid);
    this.#supervised.delete(metadata.uid);
  }

  /** Stops one container, by its id, with its hook and grace. Whoever looks after its pod may start it again, as a kubelet would. */
  async stopContainer(containerId: string, options: StopOptions = {}): Promise<void> {
    const {sandboxId, id} = this.runtime.inventory.requireContainer(containerId);
    await this.#stopContainers(sandboxId, {...options, only: id});
  }

  async #stopContainers(sandboxId: string, options: StopOptions & {readonly only?: string}): Promise<void> {
    await stopContainers(this.runtime, sandboxId, {...options, network: () => this.#networkOf(sandboxId)});
  }

  /** As `subroot stop`: hooks, stop signals, the pod's grace or the one given (in seconds; 0 kills at once), then the sandbox. */
  async stopPod(record: SandboxRecord, options: StopOptions = {}): Promise<void> {
    const call = options.signal ? {signal: options.signal} : {};
    const {store} = this.runtime;
    if (store.hasSupervision(record.id)) store.markStopping(record.id);
    await this.#supervised.get(record.config.metadata.uid)?.release();
    if (options.gracePeriod !== 0) {
      await this.#stopContainers(record.id, options);
    }
    await this.runtime.stopPodSandbox({podSandboxId: record.id}, call);
  }

  #isDeadBound(record: SandboxRecord): boolean {
    if (record.bootId !== bootId()) return true;
    return (
      record.boundTo !== undefined &&
      !isProcessAlive(record.boundTo) &&
      (record.holder === undefined || !isProcessAlive(record.holder))
    );
  }

  /**
   * Removes what crashed or killed processes left: pods whose owner is dead, names and folders of nobody, blocks of dead pods.
   * A running pod is never touched; a damaged record is set aside and reported. `dryRun` only tells.
   */
  async gc(options: {dryRun?: boolean} = {}): Promise<GcReport> {
    const removed: {kind: string; what: string; why: string}[] = [];
    const quarantined: {what: string; why: string}[] = [];
    const {store} = this.runtime;
    const act = async (kind: string, what: string, why: string, run: () => void | Promise<void>) => {
      if (!options.dryRun) await run();
      removed.push({kind, what, why});
    };
    const known = new Map<string, SandboxRecord>();
    const unfinished = new Set(
      store.names().flatMap(({id, owner, isStartMark}) => (isStartMark && !isProcessAlive(owner) ? [id] : [])),
    );
    const isForgotten = (folder: string) =>
      Date.now() - (statSync(folder, {throwIfNoEntry: false})?.mtimeMs ?? 0) > 5_000;
    for (const id of store.retiredIds()) {
      await act('sandbox', id, 'its removal was never finished', async () => {
        await this.runtime.endRetired(id);
        store.removeSandbox(id);
      });
    }
    for (const id of store.sandboxIds()) {
      let record: SandboxRecord | undefined;
      try {
        record = store.readSandbox(id);
      } catch (error) {
        quarantined.push({what: `sandbox ${id}`, why: shortOf(error)});
        continue;
      }
      if (record === undefined) {
        // A record follows its folder at once, unless its writer died in between.
        if (isForgotten(store.sandboxFolder(id)))
          await act('sandbox', id, 'its record was never written', () => store.removeSandbox(id));
      } else if (this.#isDeadBound(record))
        await act(
          'pod',
          `${record.config.metadata.namespace}/${record.config.metadata.name}`,
          record.bootId === bootId() ? 'the process it was bound to is dead' : 'it is of an earlier boot',
          () => this.removePod(record),
        );
      else if (
        unfinished.has(record.config.metadata.uid) ||
        (record.holder === undefined &&
          record.stopped !== true &&
          Date.now() - Number(BigInt(record.createdAt) / 1_000_000n) > 10_000)
      )
        await act(
          'pod',
          `${record.config.metadata.namespace}/${record.config.metadata.name}`,
          'its start was never finished',
          () => this.removePod(record),
        );
      else known.set(id, record);
    }
    for (const id of store.containerIds()) {
      try {
        const record = store.readContainer(id);
        if (record === undefined) {
          if (isForgotten(store.containerFolder(id)))
            await act('container', id, 'its record was never written', () => store.removeContainer(id));
        } else if (!known.has(record.sandboxId) && !store.sandboxIds().includes(record.sandboxId))
          await act('container', id, 'its sandbox is gone', () => store.removeContainer(id));
      } catch (error) {
        quarantined.push({what: `container ${id}`, why: shortOf(error)});
      }
    }
    const uids = new Set([...known.values()].map((record) => record.config.metadata.uid));
    const ids = new Set([...store.sandboxIds(), ...store.containerIds(), ...uids]);
    const quarantineHolds = quarantined.length > 0;
    for (const {path, id, owner} of store.names()) {
      if (ids.has(id) || quarantineHolds || isProcessAlive(owner)) continue;
      await act('name', path, 'nobody has it', () => rmSync(path, {force: true}));
    }
    if (!options.dryRun)
      for (const uid of this.ledger.sweep({isPodAlive: (uid) => uids.has(uid) || quarantineHolds}))
        removed.push({kind: 'block', what: uid, why: 'its pod is dead'});
    const alive = new Set([...ids, ...store.names().map(({id}) => id)]);
    for (const folder of quarantineHolds ? [] : this.#foldersOfNobody(alive))
      await act('folder', folder, 'nobody has it', () => this.removeTree(folder));
    for (const entry of this.ledger.quarantined()) quarantined.push({what: entry.path, why: entry.reason});
    if (existsSync(this.imageStore)) {
      const swept = await (await this.images()).sweep(options);
      for (const {kind, what} of swept.removed)
        removed.push({
          kind: `image ${kind}`,
          what,
          why: kind === 'leftover' ? 'its making was never finished' : 'no image and no container has it',
        });
      for (const error of swept.damaged) quarantined.push({what: 'an image', why: shortOf(error)});
    }
    return {removed, quarantined};
  }

  /** Logs, volumes, evidence, streams and plans of pods and processes that are no more. `alive` are ids and uids of what is there or on its way. */
  #foldersOfNobody(alive: ReadonlySet<string>): string[] {
    const names = (folder: string) => {
      try {
        return readdirSync(join(this.root, folder));
      } catch {
        return [];
      }
    };
    // NAMESPACE_NAME_UID
    const logs = names('logs').filter((name) => !alive.has(name.slice(name.lastIndexOf('_') + 1)));
    const evidence = names('evidence').filter((name) => !alive.has(name));
    const claimed = new Set(this.ledger.list().map(({podUid}) => podUid));
    const volumes = names('ledger/pods').filter((uid) => !alive.has(uid) && !claimed.has(uid));
    // PID-NUMBER
    const fifos = names('fifos').filter((name) => startTimeOf(Number.parseInt(name, 10)) === undefined);
    // plan-PID-NUMBER
    const plans = names('plans').filter((name) => startTimeOf(Number(name.split('-')[1])) === undefined);
    return [
      ...plans.map((name) => join(this.root, 'plans', name)),
      ...logs.map((name) => join(this.root, 'logs', name)),
      ...volumes.map((uid) => join(this.root, 'ledger/pods', uid)),
      ...evidence.map((name) => join(this.root, 'evidence', name)),
      ...fifos.map((name) => join(this.root, 'fifos', name)),
    ];
  }

  /** Ends the node: bound pods are removed, the agent ended, prepared blocks given back when nothing can run in them any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const supervision of [...this.#supervised.values()]) await supervision.release();
    for (const pod of [...this.#own.values()]) await pod.remove().catch(() => {});
    this.#volumeWatch.clear();
    await this.runtime.close();
    for (const block of this.#ready.splice(0)) this.ledger.releasePrepared(block);
    this.ledger.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function shortOf(error: unknown): string {
  return error instanceof SubrootError ? error.shortMessage : String(error);
}

/** True for errors of ours with that code. */
export function hasCode(error: unknown, code: ErrorCode): error is SubrootError {
  return error instanceof SubrootError && error.code === code;
}

/**
 * Makes a node in a mode that works here. Errors: SUBROOT_PERL_MISSING, SUBROOT_MODE_*, SUBROOT_SUBID_*, SUBROOT_NEWUIDMAP_*,
 * SUBROOT_USERNS_*, SUBROOT_STATE_*, SUBROOT_LEDGER_*, SUBROOT_POOL_*.
 */
export async function createNode(options: NodeOptions = {}): Promise<PodNode> {
  const root = stateRoot(options.root);
  const setup = await chooseMode(
    options.mode ?? 'auto',
    options.idsPerPod === undefined ? {} : {blockSize: options.idsPerPod},
  );
  const inventory = new Inventory(StateStore.open(root));
  const agent = await startAgent(
    joining(
      setup,
      inventory.readableSandboxes().filter((record) => inventory.isReady(record)),
    ),
  );
  try {
    const images = () => node.images();
    const runtime = new Runtime({
      root,
      setup,
      agent,
      lifetime: options.lifetime ?? 'bound',
      images,
      requireLimits: options.requireLimits ?? false,
    });
    makeFolder(join(root, 'plans'), 0o700);
    const ledger = openLedger(root, setup, options, runtime);
    const node: PodNode = new PodNode({root, setup, runtime, ledger, options});
    if (options.prepare) await node.prepare(options.prepare);
    return node;
  } catch (error) {
    await agent.close();
    throw error;
  }
}

function openLedger(root: string, setup: ModeSetup, options: NodeOptions, runtime: Runtime): Ledger {
  const {pool, idsPerPod, maxPods} = poolOf(setup, options);
  return Ledger.open({
    root: join(root, 'ledger'),
    pool,
    idsPerPod,
    maxPods,
    owner: {pid: process.pid, startTime: Number(startTimeOf(process.pid) ?? 0), bootId: bootId()},
    isAlive: (owner) => isProcessAlive({pid: owner.pid, startTime: String(owner.startTime)}),
    isPodAlive: (uid) =>
      runtime.store.sandboxIds().some((id) => {
        try {
          const record = runtime.store.readSandbox(id);
          return record?.config.metadata.uid === uid && record.holder !== undefined && isProcessAlive(record.holder);
        } catch {
          return true;
        }
      }),
  });
}
