import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {SubrootError, subrootError} from '../native-free/errors.ts';
import type {ErrorCode} from '../native-free/errors.ts';
import {BLOCK_SIZE} from '../native-free/ids.ts';
import {
  type IdBlock,
  type IdPool,
  Ledger,
  type Pod,
  parseManifests,
  poolFrom,
  type GetsubidsResult,
  removeVolumes,
  requireValidPod,
  containerConfigOf,
  sandboxConfigOf,
  startedContainers,
  startPod,
  wantsUserNamespace,
} from '../sim/index.ts';
import {bootId, isProcessAlive, startTimeOf} from './host/proc.ts';
import type {PodPlan} from './pod-plan.ts';
import {listPods, type PodSummary, requirePod} from './pod-list.ts';
import {RunningPod} from './running-pod.ts';
import {Runtime} from './runtime/runtime.ts';
import type {SandboxRecord} from './runtime/state-store.ts';
import {stateRoot} from './state-root.ts';
import {chooseMode, type Mode, type ModeSetup, startAgent} from './userns/mode.ts';

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
  /** Image names → `host` or a folder that holds a root file system. */
  readonly images?: Readonly<Record<string, string>>;
  /** What to make ahead, so that a pod's start is shorter: mapped user namespaces, or whole sandboxes. */
  readonly prepare?: {readonly ranges?: number; readonly sandboxes?: number};
}

/** A container as a test author writes it; everything else has the defaults of a pod manifest. */
export interface ContainerInput {
  readonly name?: string;
  /** `host` (default): this machine's userland, read-only. Or an absolute path, or a name in `images`. */
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly Readonly<Record<string, unknown>>[];
}

/** A pod as a test author writes it: one container's fields at the top, or `containers`. `hostUsers` is false unless said otherwise. */
export interface PodInput extends ContainerInput {
  readonly namespace?: string;
  readonly hostUsers?: boolean;
  readonly hostname?: string;
  readonly shareProcessNamespace?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  readonly containers?: readonly ContainerInput[];
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What `gc` found and removed or set aside. */
export interface GcReport {
  readonly removed: readonly {readonly kind: string; readonly what: string; readonly why: string}[];
  readonly quarantined: readonly {readonly what: string; readonly why: string}[];
}

function runGetsubids(args: readonly string[]): GetsubidsResult {
  try {
    return {kind: 'exited', code: 0, stdout: execFileSync('getsubids', [...args], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']}), stderr: ''};
  } catch (error) {
    const failure = error as {code?: string; status?: number; stdout?: string; stderr?: string};
    if (failure.code === 'ENOENT') return {kind: 'missing'};
    return {kind: 'exited', code: failure.status ?? 1, stdout: failure.stdout ?? '', stderr: failure.stderr ?? ''};
  }
}

function hasAccount(name: string): boolean {
  return readFileSync('/etc/passwd', 'latin1').includes(`\n${name}:`);
}

/** Where a mode's pods get their ids: the kubelet's pool for `host`, the granted blocks for the others. */
function poolOf(setup: ModeSetup, options: NodeOptions): {pool: IdPool; idsPerPod: number; maxPods: number} {
  const idsPerPod = options.idsPerPod ?? BLOCK_SIZE;
  if (setup.blocks === undefined) {
    const {pool} = poolFrom({
      ...(options.pool ? {explicit: options.pool} : {}),
      lookupAccount: name => ({kind: hasAccount(name) ? 'found' : 'unknown'}),
      getsubids: runGetsubids,
      idsPerPod,
      maxPods: 1,
    });
    return {pool, idsPerPod, maxPods: 1};
  }
  const [first] = setup.blocks;
  if (first === undefined || first.reduced) return {pool: {first: BLOCK_SIZE, length: BLOCK_SIZE}, idsPerPod: BLOCK_SIZE, maxPods: 1};
  return {pool: {first: first.start, length: setup.blocks.length * idsPerPod}, idsPerPod, maxPods: 1};
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
  readonly #ready: IdBlock[] = [];
  readonly #own = new Map<string, RunningPod>();
  #closed = false;

  /** @internal use createNode */
  constructor(parts: {root: string; setup: ModeSetup; runtime: Runtime; ledger: Ledger; options: NodeOptions}) {
    this.root = parts.root;
    this.setup = parts.setup;
    this.runtime = parts.runtime;
    this.ledger = parts.ledger;
    this.options = parts.options;
  }

  /** `host`, `subid` or `single`: how strong the pods of this node are. */
  get mode(): Mode {
    return this.setup.mode;
  }

  /** Makes blocks, mapped namespaces and sandboxes ahead. */
  async prepare(counts: {readonly ranges?: number; readonly sandboxes?: number}): Promise<void> {
    const sandboxes = counts.sandboxes ?? 0;
    const total = (counts.ranges ?? 0) + sandboxes;
    if (total === 0 || this.setup.mode === 'single') return;
    const blocks = this.ledger.claimPrepared(total);
    for (const [index, block] of blocks.entries()) {
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

  /** The ledger as startPod uses it: prepared blocks first, and blocks cut to what the mode can map. */
  #blocks(): Pick<Ledger, 'acquire' | 'release' | 'podDir'> {
    const {ledger} = this;
    return {
      acquire: (podUid, options) => {
        // With a single id there is nothing to keep apart: every pod has the same one, and the mode says so.
        if (this.setup.mode === 'single') return {block: this.#usable({hostId: 0, size: 1}), fresh: false};
        const prepared = this.#ready.shift();
        if (prepared) return {block: this.#usable(ledger.assignPrepared(prepared, podUid, options)), fresh: true};
        const {block, fresh} = ledger.acquire(podUid, options);
        return {block: this.#usable(block), fresh};
      },
      release: podUid => ledger.release(podUid),
      podDir: podUid => ledger.podDir(podUid),
    };
  }

  /** The pod of a manifest or of an input, checked by the rules of the Kubernetes version. Errors: SUBROOT_IMAGE_UNKNOWN, SUBROOT_POD_*. */
  resolvePod(input: PodInput | Pod): Pod {
    const pod = isPod(input) ? input : podOf(input);
    requireValidPod(pod, {kubernetes: this.options.kubernetes ?? '1.37'});
    for (const {image} of startedContainers(pod)) this.#resolveImage(image);
    return pod;
  }

  /** `host` or a folder, by the node's table of images (a tag is ignored where the table has none). */
  #resolveImage(image: string): string {
    const known = this.options.images ?? {};
    const target = known[image] ?? known[image.replace(/:[^:/]*$/, '')] ?? image;
    if (target !== 'host' && !target.startsWith('/')) throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image, why: 'subroot has no images of registries yet'});
    return target;
  }

  /**
   * Starts a pod. When it fails or is cancelled nothing of it stays.
   * Errors: what resolvePod throws, SUBROOT_POD_NAME_TAKEN, SUBROOT_POOL_EXHAUSTED, the runtime's.
   */
  async runPod(input: PodInput | Pod, options: CallOptions = {}): Promise<RunningPod> {
    const pod = this.resolvePod(input);
    const {name, namespace, uid} = pod.metadata;
    const fullName = `${namespace}/${name}`;
    this.#takeName(fullName, uid);
    const startedAt = performance.now();
    const bound = this.runtime.lifetime === 'bound';
    const logRoot = join(this.root, 'logs');
    const traces = [this.runtime.store.namePath('pod', fullName), this.ledger.podDir(uid)];
    if (bound) void this.runtime.agent.request('leftover', traces).catch(() => {});
    try {
      const started = await startPod({runtime: this.runtime, ledger: this.#blocks(), removeTree: path => this.removeTree(path)}, pod, {
        bound,
        logRoot,
        resolveImage: image => this.#resolveImage(image),
        ...(options.signal ? {signal: options.signal} : {}),
      });
      const running = this.#running(this.#record(started.podSandboxId), performance.now() - startedAt);
      if (bound) this.#own.set(uid, running);
      return running;
    } catch (error) {
      this.runtime.store.releaseName('pod', fullName, uid);
      rmSync(sandboxConfigOf(pod, undefined, {logRoot}).logDirectory ?? join(logRoot, 'none'), {recursive: true, force: true});
      throw error;
    }
  }

  /** What runPod would do, without doing any of it: no id is claimed, no file is written. */
  async planPod(input: PodInput | Pod): Promise<PodPlan> {
    const pod = this.resolvePod(input);
    const first = this.setup.blocks?.[0];
    const sample: IdBlock = {hostId: first?.start ?? this.ledger.pool.first, size: first?.reduced ? first.size : this.ledger.idsPerPod};
    const block = wantsUserNamespace(pod) ? sample : undefined;
    const logRoot = join(this.root, 'logs');
    const config = sandboxConfigOf(pod, block, {logRoot});
    const containers = pod.spec.containers.map(container => containerConfigOf(pod, container, block, {hostPathOf: mount => `(volume ${mount.name})`, resolveImage: image => this.#resolveImage(image)}));
    const {steps, containerSteps} = await this.runtime.plan(config, containers);
    const map = block && `0 ${block.hostId} ${block.size}`;
    return {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      mode: this.mode,
      reason: this.setup.reason,
      ...(block && map ? {userNamespace: {owner: {uid: block.hostId, gid: block.hostId}, uidMap: map, gidMap: map}} : {}),
      tools: this.setup.tools,
      parts: [
        {what: 'sandbox: the process that keeps the namespaces', argv: this.runtime.agentArgv, steps},
        ...pod.spec.containers.map((container, index) => ({what: `container ${container.name}`, argv: this.runtime.agentArgv, steps: containerSteps[index] ?? []})),
      ],
    };
  }

  #takeName(fullName: string, uid: string): void {
    for (let attempt = 0; ; attempt++) {
      const holder = this.runtime.store.reserveName('pod', fullName, uid);
      if (holder === undefined) return;
      const sandbox = this.runtime.inventory.readableSandboxes().find(record => record.config.metadata.uid === holder);
      if (sandbox && !this.#isDeadBound(sandbox)) throw subrootError('SUBROOT_POD_NAME_TAKEN', {name: fullName.replace(/^default\//, ''), id: sandbox.id.slice(0, 13)});
      if (attempt > 0) throw subrootError('SUBROOT_POD_NAME_TAKEN', {name: fullName.replace(/^default\//, ''), id: holder});
      // Its owner died before it had a sandbox, or with it.
      this.runtime.store.releaseName('pod', fullName, holder);
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
    return new RunningPod(this, record, durationMs);
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
  async removePod(record: SandboxRecord, options: CallOptions & {gracePeriod?: number} = {}): Promise<void> {
    const {metadata} = record.config;
    await this.stopPod(record, {gracePeriod: 0, ...options});
    await this.runtime.removePodSandbox({podSandboxId: record.id});
    await removeVolumes(this.ledger.podDir(metadata.uid), path => this.removeTree(path));
    rmSync(join(this.root, 'evidence', record.id), {recursive: true, force: true});
    if (record.config.logDirectory) rmSync(record.config.logDirectory, {recursive: true, force: true});
    if (record.mode !== 'single') this.ledger.release(metadata.uid);
    this.runtime.store.releaseName('pod', `${metadata.namespace}/${metadata.name}`, metadata.uid);
    this.#own.delete(metadata.uid);
  }

  async stopPod(record: SandboxRecord, options: CallOptions & {gracePeriod?: number} = {}): Promise<void> {
    const timeout = options.gracePeriod ?? 30;
    const call = options.signal ? {signal: options.signal} : {};
    if (timeout > 0) {
      const {containers} = await this.runtime.listContainers({filter: {podSandboxId: record.id}});
      await Promise.all(containers.map(({id}) => this.runtime.stopContainer({containerId: id, timeout}, call)));
    }
    await this.runtime.stopPodSandbox({podSandboxId: record.id}, call);
  }

  #isDeadBound(record: SandboxRecord): boolean {
    if (record.bootId !== bootId()) return true;
    return record.boundTo !== undefined && !isProcessAlive(record.boundTo) && (record.holder === undefined || !isProcessAlive(record.holder));
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
    for (const id of store.sandboxIds()) {
      let record: SandboxRecord | undefined;
      try {
        record = store.readSandbox(id);
      } catch (error) {
        quarantined.push({what: `sandbox ${id}`, why: shortOf(error)});
        continue;
      }
      if (record === undefined) await act('sandbox', id, 'its record was never written', () => store.removeSandbox(id));
      else if (this.#isDeadBound(record)) await act('pod', `${record.config.metadata.namespace}/${record.config.metadata.name}`, record.bootId === bootId() ? 'the process it was bound to is dead' : 'it is of an earlier boot', () => this.removePod(record));
      else if (record.holder === undefined && record.stopped !== true && Date.now() - Number(BigInt(record.createdAt) / 1_000_000n) > 10_000) await act('pod', `${record.config.metadata.namespace}/${record.config.metadata.name}`, 'its start was never finished', () => this.removePod(record));
      else known.set(id, record);
    }
    for (const id of store.containerIds()) {
      try {
        const record = store.readContainer(id);
        if (record === undefined) await act('container', id, 'its record was never written', () => store.removeContainer(id));
        else if (!known.has(record.sandboxId) && !store.sandboxIds().includes(record.sandboxId)) await act('container', id, 'its sandbox is gone', () => store.removeContainer(id));
      } catch (error) {
        quarantined.push({what: `container ${id}`, why: shortOf(error)});
      }
    }
    const uids = new Set([...known.values()].map(record => record.config.metadata.uid));
    const ids = new Set([...store.sandboxIds(), ...store.containerIds(), ...uids]);
    const quarantineHolds = quarantined.length > 0;
    for (const {path, id} of store.names()) {
      if (!ids.has(id) && !quarantineHolds) await act('name', path, 'nobody has it', () => rmSync(path, {force: true}));
    }
    if (!options.dryRun) for (const uid of this.ledger.sweep({isPodAlive: uid => uids.has(uid) || quarantineHolds})) removed.push({kind: 'block', what: uid, why: 'its pod is dead'});
    for (const entry of this.ledger.quarantined()) quarantined.push({what: entry.path, why: entry.reason});
    return {removed, quarantined};
  }

  /** Ends the node: bound pods are removed, prepared blocks given back, the agent ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const pod of [...this.#own.values()]) await pod.remove().catch(() => {});
    for (const block of this.#ready.splice(0)) this.ledger.releasePrepared(block);
    this.ledger.close();
    await this.runtime.close();
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

function isPod(input: PodInput | Pod): input is Pod {
  return 'metadata' in input && 'spec' in input;
}

function containerManifest(input: ContainerInput, fallbackName: string): Record<string, unknown> {
  const {env, name, image, command, args, ...rest} = input;
  return {
    name: name ?? fallbackName,
    image: image ?? 'host',
    command: command ?? (args ? undefined : ['sleep', 'infinity']),
    ...(args ? {args} : {}),
    ...(env ? {env: Object.entries(env).map(([key, value]) => ({name: key, value}))} : {}),
    ...rest,
  };
}

/** A pod manifest of an input; it goes through the same parser and rules as a file. */
export function podOf(input: PodInput): Pod {
  const {name, namespace, hostUsers, hostname, shareProcessNamespace, labels, volumes, containers, ...container} = input;
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: name ?? `pod-${randomBytes(4).toString('hex')}`, ...(namespace ? {namespace} : {}), ...(labels ? {labels} : {})},
    spec: {
      hostUsers: hostUsers ?? false,
      ...(hostname ? {hostname} : {}),
      ...(shareProcessNamespace === undefined ? {} : {shareProcessNamespace}),
      ...(volumes ? {volumes} : {}),
      containers: (containers ?? [container]).map((each, index) => containerManifest(each, index === 0 ? 'main' : `c${index}`)),
    },
  };
  const {pods, warnings} = parseManifests(JSON.stringify(manifest), {file: 'the pod'});
  const [pod] = pods;
  if (!pod) throw subrootError('SUBROOT_INTERNAL', {what: 'a pod input gave no pod'});
  const [warning] = warnings;
  if (warning) throw subrootError('SUBROOT_USAGE', {what: `the pod: ${'message' in warning ? String(warning.message) : JSON.stringify(warning)}`, mend: 'leave that field out, or correct its name'});
  return pod;
}

/**
 * Makes a node in a mode that works here. Errors: SUBROOT_PERL_MISSING, SUBROOT_MODE_*, SUBROOT_SUBID_*, SUBROOT_NEWUIDMAP_*,
 * SUBROOT_USERNS_*, SUBROOT_STATE_*, SUBROOT_LEDGER_*, SUBROOT_POOL_*.
 */
export async function createNode(options: NodeOptions = {}): Promise<PodNode> {
  const root = stateRoot(options.root);
  const setup = await chooseMode(options.mode ?? 'auto', options.idsPerPod === undefined ? {} : {blockSize: options.idsPerPod});
  const agent = await startAgent(setup);
  try {
    const runtime = new Runtime({root, setup, agent, lifetime: options.lifetime ?? 'bound'});
    mkdirSync(join(root, 'plans'), {recursive: true, mode: 0o700});
    const ledger = openLedger(root, setup, options, runtime);
    const node = new PodNode({root, setup, runtime, ledger, options});
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
    isAlive: owner => isProcessAlive({pid: owner.pid, startTime: String(owner.startTime)}),
    isPodAlive: uid => runtime.store.sandboxIds().some(id => {
      try {
        const record = runtime.store.readSandbox(id);
        return record?.config.metadata.uid === uid && record.holder !== undefined && isProcessAlive(record.holder);
      } catch {
        return true;
      }
    }),
  });
}
