import {randomBytes} from 'node:crypto';
import {existsSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {noCapabilities} from '../../native-free/capability.ts';
import type {
  CallOptions,
  ContainerConfig,
  ExecSyncResponse,
  IDMapping,
  LinuxContainerResources,
  Mount,
  PodSandboxConfig,
  ProgramStream,
  RuntimeService,
  StreamHandlers,
  StreamingRuntimeService,
  StreamRequest,
} from '../../native-free/cri.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {type Agent, AgentFailure, type Launched, type ProcessIdentity, type ProgramExit} from '../host/agent.ts';
import {bootId, isProcessAlive, startTimeOf} from '../host/proc.ts';
import {makeFolder} from '../host/state-files.ts';
import type {Step} from '../host/step.ts';
import type {Mode, ModeSetup} from '../userns/mode.ts';
import {cgroupsOf, endCgroups, enforceableOf, makeCgroups} from './accounting.ts';
import {AttachConnection} from './attach-client.ts';
import type {PlannedMount} from './container-plan.ts';
import {userOf} from './container-user.ts';
import {FifoPool} from './fifo-pool.ts';
import {probeIdmap} from './idmap-probe.ts';
import {withImage} from './image-program.ts';
import type {ContainerImage, ImageSource} from './image-source.ts';
import {Inventory} from './inventory.ts';
import {mappingsOf, mappingText, type PodMappings, requireMappings} from './mappings.ts';
import {planMount} from './mount-plan.ts';
import {
  hostnameOf,
  isPlain,
  pidOptionsOf,
  requireNamespaces,
  requireSandboxNamespaces,
  sharesOf,
  sysctlsOf,
} from './node-namespaces.ts';
import {argvOf, isStoreImage, Planner, requireFolder, unknownImage} from './planner.ts';
import {capabilitiesOf, ownerOf, programOf} from './program.ts';
import type {SeccompFilter} from './sandbox-plan.ts';
import {filterOf, refuseSecurityModules} from './security-profile.ts';
import {type ContainerRecord, type SandboxRecord, StateStore} from './state-store.ts';
import {explained} from './step-failure-later.ts';

export interface RuntimeOptions {
  readonly root: string;
  readonly setup: ModeSetup;
  readonly agent: Agent;
  /** `bound`: pods die with this process. `detached`: they outlive it, each container with a small supervisor. */
  readonly lifetime: 'bound' | 'detached';
  /** The store of images; loaded when a container wants one of them. */
  readonly images?: () => Promise<ImageSource>;
  /** A container whose limits cannot be enforced here is refused, instead of started without them. */
  readonly requireLimits?: boolean;
}

/** The sum of what ExecSync keeps, a little under gRPC's usual 16 MiB message. */
const execSyncLimit = 15 * 1024 * 1024;

function nowNs(): string {
  // Finer than Date.now(): containers made within a millisecond keep their order.
  return String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
}

function sandboxKey({metadata}: PodSandboxConfig): string {
  return `${metadata.namespace}/${metadata.name}/${metadata.uid}/${metadata.attempt}`;
}

interface LiveContainer {
  readonly launched: Launched;
  exit: ProgramExit | undefined;
}

/** A CRI runtime on Linux, in process. Its state is files, so that several processes may work on one node at once. */
export class Runtime implements StreamingRuntimeService {
  readonly store: StateStore;
  readonly inventory: Inventory;
  readonly planner: Planner;
  readonly setup: ModeSetup;
  readonly agent: Agent;
  readonly lifetime: 'bound' | 'detached';
  readonly #self: ProcessIdentity;
  readonly #requireLimits: boolean;
  /** Mapping → what the agent keeps under it: a process in the mapped namespace that waits for the rest of its plan. */
  readonly #prepared = new Map<string, string>();
  readonly #warm = new Map<string, {holder: Launched}>();
  readonly #holders = new Map<string, Launched>();
  readonly #live = new Map<string, LiveContainer>();
  readonly #fifos: FifoPool;
  readonly #images: RuntimeOptions['images'];
  /** Paths whose mounts were found to take shifted ids. */
  readonly #shiftable = new Set<string>();
  #alternatives: Promise<void> | undefined;
  #nextKey = 0;

  constructor(options: RuntimeOptions) {
    this.store = StateStore.open(options.root);
    this.inventory = new Inventory(this.store);
    this.setup = options.setup;
    this.agent = options.agent;
    this.lifetime = options.lifetime;
    this.#images = options.images;
    this.#requireLimits = options.requireLimits ?? false;
    this.#self = {pid: process.pid, startTime: startTimeOf(process.pid) ?? ''};
    this.planner = new Planner(options.root);
    this.#fifos = new FifoPool(this.agent, join(options.root, 'fifos'));
  }

  get mode(): Mode {
    return this.setup.mode;
  }

  // ── user namespaces ahead of their pods

  /** Makes the mapped user namespace of a block ahead of its pod, so that the pod's start needs no handshake. */
  async prepareUserns(uids: IDMapping, gids: IDMapping): Promise<void> {
    const text = this.#mapKey({uids, gids});
    if (this.#prepared.has(text)) return;
    const steps = this.#usernsSteps({uids, gids});
    try {
      this.#prepared.set(text, await this.agent.park(steps));
    } catch (error) {
      throw await explained(error, steps, 'prepare a user namespace');
    }
  }

  /** Makes a whole sandbox ahead of its pod; runPodSandbox with the same mapping then only names it. */
  async prepareSandbox(uids: IDMapping, gids: IDMapping): Promise<void> {
    const steps = [...this.#usernsSteps({uids, gids}), ...this.#sandboxSteps()];
    const holder = await this.#launch(this.#holderOptions(), steps, 'prepare a sandbox', 'exec');
    this.#warm.set(this.#mapKey({uids, gids}), {holder});
  }

  #mapKey({uids, gids}: PodMappings): string {
    return `${mappingText([uids])};${mappingText([gids])}`;
  }

  // ── sandboxes

  #usernsSteps(mappings: PodMappings | undefined): Step[] {
    return this.planner.userns({mappings, groups: this.setup.groups});
  }

  #sandboxSteps(config?: PodSandboxConfig, seccomp?: SeccompFilter): Step[] {
    return this.planner.sandbox(config, {bound: this.lifetime === 'bound', ...(seccomp ? {seccomp} : {})});
  }

  #holderOptions(sandboxId?: string): Record<string, string> {
    if (this.lifetime === 'bound') return {holder: '1'};
    const pidfile = sandboxId === undefined ? {} : {pidfile: join(this.store.sandboxFolder(sandboxId), 'started')};
    return {holder: '1', detached: '1', ...pidfile};
  }

  async #launch(
    options: Record<string, string>,
    steps: readonly Step[],
    action: string,
    until: 'pid' | 'exec',
  ): Promise<Launched & {id: string}> {
    try {
      return await this.agent.launch(options, steps, until);
    } catch (error) {
      throw await explained(error, steps, action);
    }
  }

  async runPodSandbox(
    request: {config: PodSandboxConfig; runtimeHandler?: string},
    options: CallOptions = {},
  ): Promise<{podSandboxId: string}> {
    const {config} = request;
    const handler = request.runtimeHandler ?? '';
    if (handler !== '' && handler !== 'subroot')
      throw subrootError('SUBROOT_CONFIG_INVALID', {
        field: 'runtime_handler',
        why: `the handler ${handler} is not known; there is "" and "subroot"`,
      });
    const {metadata} = config;
    for (const field of ['name', 'namespace', 'uid'] as const)
      if (!metadata?.[field])
        throw subrootError('SUBROOT_CONFIG_INVALID', {field: `metadata.${field}`, why: 'it is empty'});
    const context = config.linux?.securityContext;
    const mappings = requireMappings(context?.namespaceOptions);
    requireNamespaces(context?.namespaceOptions, mappings !== undefined);
    sysctlsOf(config);
    requireCgroupParent(config.linux?.cgroupParent);
    refuseSecurityModules(context);
    const seccomp = await filterOf(context, noCapabilities);
    throwIfAborted(options.signal, `starting sandbox ${metadata.name}`);

    const id = randomBytes(32).toString('hex');
    const key = sandboxKey(config);
    this.trace(this.store.sandboxFolder(id));
    let holder: Launched | undefined;
    try {
      const record: SandboxRecord = {
        id,
        config,
        runtimeHandler: handler,
        mode: this.setup.mode,
        createdAt: nowNs(),
        bootId: bootId(),
        ...(this.setup.mode === 'host' ? {} : {outer: this.setup.outer}),
        ...(this.lifetime === 'bound' ? {boundTo: this.#self} : {}),
      };
      this.store.writeSandbox(record);
      this.#reserve('sandbox', key, id);
      this.trace(this.store.namePath('sandbox', key));
      holder = await this.#startHolder(id, config, mappings, seccomp);
      this.store.writeSandbox({...record, holder: {pid: holder.pid, startTime: holder.startTime}});
      throwIfAborted(options.signal, `starting sandbox ${metadata.name}`);
      if (this.lifetime === 'bound') this.#holders.set(id, holder);
      return {podSandboxId: id};
    } catch (error) {
      if (holder) await this.#kill(holder, 9);
      this.store.removeSandbox(id);
      this.store.releaseName('sandbox', key, id);
      this.untrace(this.store.namePath('sandbox', key), this.store.sandboxFolder(id));
      throw error;
    }
  }

  async #startHolder(
    id: string,
    config: PodSandboxConfig,
    mappings: PodMappings | undefined,
    seccomp: SeccompFilter | undefined,
  ): Promise<Launched> {
    const {name} = config.metadata;
    const text = mappings && this.#mapKey(mappings);
    const warm = text === undefined ? undefined : await this.#takeWarm(text, config);
    if (text !== undefined && warm) {
      await this.agent.request('hostname', [String(warm.holder.pid), warm.holder.startTime, hostnameOf(config)]);
      return warm.holder;
    }
    const key = text === undefined ? undefined : this.#prepared.get(text);
    if (text !== undefined) this.#prepared.delete(text);
    const steps = this.#sandboxSteps(config, seccomp);
    return key === undefined
      ? await this.#launch(
          this.#holderOptions(id),
          [...this.#usernsSteps(mappings), ...steps],
          `start sandbox ${name}`,
          'pid',
        )
      : await this.#launch({...this.#holderOptions(id), key}, steps, `start sandbox ${name}`, 'pid');
  }

  /** A sandbox that was made ahead for these ids; one that the pod cannot have ends, since its block has one user namespace. */
  async #takeWarm(mapping: string, config: PodSandboxConfig): Promise<{holder: Launched} | undefined> {
    const warm = this.#warm.get(mapping);
    if (!warm) return undefined;
    this.#warm.delete(mapping);
    if (isPlain(config)) return warm;
    await this.#kill(warm.holder, 9, warm.holder.exited);
    return undefined;
  }

  /** Paths that the agent removes if we are killed: a bound pod leaves no file behind either. */
  trace(...paths: string[]): void {
    if (this.lifetime === 'bound') this.agent.tell('leftover', paths);
  }

  /** Paths that are gone, or somebody else's from now on. */
  untrace(...paths: string[]): void {
    if (this.lifetime === 'bound') this.agent.tell('keep', paths);
  }

  /** Takes a name for a record that is written already, so that a name without a record is a dead process's, and free. */
  #reserve(kind: 'sandbox' | 'container', name: string, id: string): void {
    for (;;) {
      const holder = this.store.reserveName(kind, name, id, this.#self);
      if (holder === undefined) return;
      const folder = kind === 'sandbox' ? this.store.sandboxFolder(holder.id) : this.store.containerFolder(holder.id);
      if (existsSync(folder)) {
        const code = kind === 'sandbox' ? 'SUBROOT_SANDBOX_NAME_TAKEN' : 'SUBROOT_CONTAINER_NAME_TAKEN';
        throw subrootError(code, {name, id: holder.id.slice(0, 13)});
      }
      this.store.releaseName(kind, name, holder.id);
    }
  }

  async stopPodSandbox(request: {podSandboxId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.inventory.findSandbox(request.podSandboxId);
    if (!record) return;
    throwIfAborted(options.signal, `stopping sandbox ${record.config.metadata.name}`);
    if (record.holder && record.bootId === bootId() && record.stopped !== true) {
      if (sharesOf(record.config).pid) await this.#killContainers(record.id);
      await this.#kill(record.holder, 9, this.#holders.get(record.id)?.exited);
      // Every other container's init is in a pid namespace below the holder's: the kernel has killed them with it.
      const running = this.inventory
        .containersOf(record.id)
        .filter((container) => container.init && !this.store.hasExit(container.id));
      for (const container of running) await this.#untilExited(container, 2_000);
    }
    if (record.stopped === true) return;
    try {
      this.store.writeSandbox({...record, stopped: true});
    } catch {
      // On a full disk too a pod can be stopped and removed: its dead holder says the same.
    }
  }

  /** On the node's pid namespace no holder's death ends them; the supervisor of each ends what it leaves in its mount namespace. */
  async #killContainers(sandboxId: string): Promise<void> {
    for (const {id, init} of this.inventory.containersOf(sandboxId))
      if (init && !this.store.hasExit(id)) await this.#kill(init, 9);
  }

  async removePodSandbox(request: {podSandboxId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.inventory.findSandbox(request.podSandboxId);
    if (!record) return;
    await this.stopPodSandbox({podSandboxId: record.id}, options);
    for (const container of this.inventory.containersOf(record.id)) await this.#forgetContainer(container, record);
    const key = sandboxKey(record.config);
    this.#holders.delete(record.id);
    if (record.holder === undefined) await this.endRetired(record.id);
    this.store.removeSandbox(record.id);
    this.store.releaseName('sandbox', key, record.id);
    this.untrace(this.store.namePath('sandbox', key), this.store.sandboxFolder(record.id));
  }

  /** Ends what a supervisor had started for a sandbox of which nobody knew, because who asked for it was killed. */
  async endRetired(id: string): Promise<void> {
    const started = this.store.retireSandbox(id);
    if (started) await this.#kill(started, 9);
  }

  // ── what is

  podSandboxStatus(request: Parameters<RuntimeService['podSandboxStatus']>[0]) {
    return this.inventory.podSandboxStatus(request);
  }

  listPodSandbox(request: Parameters<RuntimeService['listPodSandbox']>[0] = {}) {
    return this.inventory.listPodSandbox(request);
  }

  containerStatus(request: Parameters<RuntimeService['containerStatus']>[0]) {
    return this.inventory.containerStatus(request);
  }

  listContainers(request: Parameters<RuntimeService['listContainers']>[0] = {}) {
    return this.inventory.listContainers(request);
  }

  // ── containers

  async createContainer(
    request: {podSandboxId: string; config: ContainerConfig; sandboxConfig: PodSandboxConfig},
    options: CallOptions = {},
  ): Promise<{containerId: string}> {
    const sandbox = this.inventory.requireSandbox(request.podSandboxId);
    if (!this.inventory.isReady(sandbox))
      throw subrootError('SUBROOT_WRONG_STATE', {
        kind: 'sandbox',
        id: sandbox.id.slice(0, 13),
        state: 'NOTREADY',
        verb: 'CreateContainer',
        needed: 'READY',
        mend: 'remove it and run the pod anew',
      });
    if (!request.config.metadata?.name)
      throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'metadata.name', why: 'it is empty'});
    throwIfAborted(options.signal, `creating container ${request.config.metadata.name}`);
    this.#requireSameUserns(sandbox, request.config);
    requireSandboxNamespaces(request.config.linux?.securityContext?.namespaceOptions, sandbox.config);
    refuseSecurityModules(request.config.linux?.securityContext);
    await this.#requireMounts(request.config, sandbox);

    const id = randomBytes(32).toString('hex');
    const image = isStoreImage(request.config) ? await this.#hold(id, request.config, sandbox, options) : undefined;
    if (!image) requireFolder(request.config);
    const key = `${sandbox.id}/${request.config.metadata.name}/${request.config.metadata.attempt}`;
    this.trace(this.store.containerFolder(id));
    try {
      const config = image ? withImage(request.config, image) : request.config;
      const argv = argvOf(config);
      const context = config.linux?.securityContext;
      const user = userOf(config, image?.readFile);
      programOf({config, user}, sandbox);
      const seccomp = await filterOf(context, capabilitiesOf(context).bounding);
      const resources = await enforceableOf(config, this.#requireLimits);
      const cgroups = await cgroupsOf(id, sandbox, resources);
      const logDirectory = sandbox.config.logDirectory;
      const logPath = logDirectory && config.logPath ? join(logDirectory, config.logPath) : '';
      if (logPath) makeFolder(dirname(logPath), 0o755);
      this.store.writeContainer({
        id,
        sandboxId: sandbox.id,
        config,
        logPath,
        createdAt: nowNs(),
        ...(config.metadata.attempt > 0 ? this.#firstOf(sandbox.id, config.metadata.name) : {}),
        argv,
        user,
        ...(seccomp ? {seccomp} : {}),
        ...(image ? {image: pickImage(image)} : {}),
        ...(resources ? {resources} : {}),
        ...(cgroups ? {cgroups} : {}),
      });
      this.#reserve('container', key, id);
      this.trace(this.store.namePath('container', key));
      return {containerId: id};
    } catch (error) {
      this.store.removeContainer(id);
      this.store.releaseName('container', key, id);
      this.#letGo(image);
      this.untrace(this.store.namePath('container', key), this.store.containerFolder(id));
      throw error;
    }
  }

  /** The image of the store that a container is to run on, kept for it. Errors: SUBROOT_IMAGE_*. */
  async #hold(
    container: string,
    config: ContainerConfig,
    sandbox: SandboxRecord,
    {signal}: CallOptions,
  ): Promise<ContainerImage> {
    const source = await this.#images?.();
    const use = {container, mark: this.store.sandboxFolder(sandbox.id), sandbox};
    const image = await source?.hold(config.image.image, use, signal);
    if (!image) throw unknownImage(config, 'it is not in the store of images');
    this.trace(image.usePath);
    return image;
  }

  #letGo(image: {readonly usePath: string} | undefined): void {
    if (!image) return;
    rmSync(image.usePath, {force: true});
    this.untrace(image.usePath);
  }

  /** When the first container of a name was made, as far as one that follows it still knows. */
  #firstOf(sandboxId: string, name: string): {firstAt?: string} {
    const older = this.inventory.containersOf(sandboxId).filter(({config}) => config.metadata.name === name);
    const [firstAt] = older
      .map((record) => record.firstAt ?? record.createdAt)
      .sort((a, b) => Number(BigInt(a) - BigInt(b)));
    return firstAt === undefined ? {} : {firstAt};
  }

  async updateContainerResources(
    request: {containerId: string; linux: LinuxContainerResources},
    options: CallOptions = {},
  ): Promise<void> {
    const record = this.inventory.requireContainer(request.containerId);
    throwIfAborted(options.signal, `updating container ${record.config.metadata.name}`);
    const {updateResources} = await import('./container-cgroup.ts');
    const sandbox = this.inventory.requireSandbox(record.sandboxId);
    const updated = await updateResources(record, this.inventory.stateOf(record), request.linux, (resources) =>
      cgroupsOf(record.id, sandbox, resources),
    );
    if (updated) this.store.writeContainer(updated);
  }

  #requireSameUserns(sandbox: SandboxRecord, config: ContainerConfig): void {
    const own = requireMappings(config.linux?.securityContext?.namespaceOptions);
    const pod = mappingsOf(sandbox.config);
    if (config.linux?.securityContext?.namespaceOptions && JSON.stringify(own) !== JSON.stringify(pod)) {
      throw subrootError('SUBROOT_CONFIG_INVALID', {
        field: 'namespace_options.userns_options',
        why: 'it differs from that of the sandbox; all containers of a pod share one user namespace',
      });
    }
  }

  /** Makes the links of /etc/alternatives once per agent, on a tmpfs of the agent's own mount namespace. */
  #makeAlternatives(): Promise<void> {
    this.#alternatives ??= (async () => {
      const {alternatives} = this.planner;
      if (!alternatives) return;
      const {folder, links} = alternatives;
      makeFolder(folder, 0o755);
      const steps: Step[] = [
        ['mount', 'tmpfs', folder, 'tmpfs', 'nosuid,nodev,noexec', 'mode=0755'],
        ...links.map(([name, target]): Step => ['symlink', target, `${folder}/${name}`]),
      ];
      await this.agent.request('local', [], steps);
    })();
    return this.#alternatives;
  }

  /** Why mounts of a path cannot have shifted ids; undefined when they can. */
  async whyNotIdmapped(path: string): Promise<string | undefined> {
    const isOwn = path.startsWith(`${this.#agentFolder}/`) || this.setup.mode !== 'host';
    const answer = await probeIdmap(this.agent, this.setup, path, isOwn ? 'own' : 'host');
    if (!answer.ok) return answer.why;
    if (this.#shiftable.size >= 1000) this.#shiftable.clear();
    this.#shiftable.add(path);
    return undefined;
  }

  /** Where the agent's own mounts are: volumes of the kubelet's part. */
  get #agentFolder(): string {
    return join(this.store.root, 'ledger', 'pods');
  }

  #planMount(mount: Mount, sandbox: SandboxRecord): PlannedMount {
    const mappings = mappingsOf(sandbox.config);
    return planMount(mount, {mode: this.setup.mode, mappings, agentFolder: this.#agentFolder});
  }

  /** Everything that a container's mounts ask for must be possible. Errors: SUBROOT_CONFIG_INVALID. */
  async #requireMounts(config: ContainerConfig, sandbox: SandboxRecord): Promise<void> {
    for (const mount of config.mounts ?? []) {
      const {idmapped, hostPath} = this.#planMount(mount, sandbox);
      // Asked of the kubelet's part a moment ago, and again by the mount itself.
      if (!idmapped || this.#shiftable.has(hostPath)) continue;
      const why = await this.whyNotIdmapped(hostPath);
      if (why !== undefined) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'mounts.uid_mappings', why});
    }
  }

  async startContainer(request: {containerId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.inventory.requireContainer(request.containerId);
    const state = this.inventory.stateOf(record);
    const wrong = (needed: string, actual: string) =>
      subrootError('SUBROOT_WRONG_STATE', {
        kind: 'container',
        id: record.id.slice(0, 13),
        state: actual,
        verb: 'StartContainer',
        needed,
        mend: 'make a new container; one is started once',
      });
    if (state !== 'CONTAINER_CREATED') throw wrong('CREATED', state.slice('CONTAINER_'.length));
    throwIfAborted(options.signal, `starting container ${record.config.metadata.name}`);
    const sandbox = this.inventory.requireSandbox(record.sandboxId);
    const {holder} = sandbox;
    if (!holder || !this.inventory.isReady(sandbox)) throw wrong('in a READY sandbox', 'in a NOTREADY sandbox');
    if (record.config.image.image === 'host') await this.#makeAlternatives();
    const steps = this.planner.container(record, sandbox, holder.pid, (mount) => this.#planMount(mount, sandbox));
    const folder = this.store.containerFolder(record.id);
    const launchOptions: Record<string, string> = {
      in: `${holder.pid}:${holder.startTime}`,
      owner: ownerOf(sandbox, programOf(record, sandbox)),
      exitfile: join(folder, 'exit'),
      socket: folder,
      ...(record.logPath ? {log: record.logPath} : {}),
      ...(record.config.stdin ? {stdin: '1'} : {}),
      ...(record.config.stdinOnce ? {stdinonce: '1'} : {}),
      ...(record.config.tty ? {tty: '1'} : {}),
      ...(this.lifetime === 'detached' ? {detached: '1', pidfile: join(folder, 'started')} : {}),
      ...(['POD', 'NODE'].includes(sandbox.config.linux?.securityContext?.namespaceOptions?.pid ?? '')
        ? {sharedpid: '1'}
        : {}),
      ...pidOptionsOf(sandbox),
    };
    if (!this.store.claimStart(record.id)) throw wrong('CREATED', 'being started');
    let running: Launched | undefined;
    try {
      await makeCgroups(record, sandbox, (paths) => this.trace(...paths));
      const launched = await this.#launch(
        launchOptions,
        steps,
        `start container ${record.config.metadata.name}`,
        'exec',
      );
      running = launched;
      this.store.writeContainer({
        ...record,
        startedAt: nowNs(),
        init: {pid: launched.pid, startTime: launched.startTime},
        supervisor: launched.supervisor,
      });
      if (this.lifetime === 'bound') {
        const live: LiveContainer = {launched, exit: undefined};
        this.#live.set(record.id, live);
        launched.exited.then(
          (exit) => {
            live.exit = exit;
          },
          () => {},
        );
      }
    } catch (error) {
      // It runs and nobody would know of it.
      if (running) await this.#kill(running, 9);
      const message = error instanceof SubrootError ? error.shortMessage : String(error);
      try {
        this.store.writeContainer({...record, startError: {message, finishedAt: nowNs(), exitCode: 128}});
      } catch {
        // The first error says more: the disk that this could not be written to is the cause.
      }
      throw error;
    }
  }

  /** Sends a signal to exactly that process; after SIGKILL waits until it is gone, by its agent's word where that is its parent. */
  async #kill(target: ProcessIdentity, signal: number, exited?: Promise<unknown>): Promise<void> {
    // An agent in another outer namespace than the pod's may not signal it; the owner of both, which we are, may.
    if (this.setup.mode !== 'host') {
      if (isProcessAlive(target)) process.kill(target.pid, signal);
    } else
      try {
        await this.agent.request('kill', [String(target.pid), target.startTime, String(signal)]);
      } catch (error) {
        if (!(error instanceof AgentFailure) || error.errno !== 'ESRCH') throw error;
        return;
      }
    if (signal !== 9) return;
    if (exited) await this.agent.await(exited);
    for (let delay = 0; isProcessAlive(target); delay = Math.min(delay + 1, 10)) await sleep(delay);
  }

  /** Kills a program that joined a container, and what it started. The start time is `-` when it has ended and others of it have not. */
  async #killTree(target: ProcessIdentity, init: ProcessIdentity): Promise<void> {
    try {
      await this.agent.request('killtree', [String(target.pid), target.startTime, String(init.pid)]);
    } catch (error) {
      if (!(error instanceof AgentFailure) || error.errno !== 'ESRCH') throw error;
    }
  }

  /** Waits until a container's exit is on record; false when that took longer than `ms`. */
  async #untilExited(record: ContainerRecord, ms: number, signal?: AbortSignal): Promise<boolean> {
    const {init} = record;
    if (!init) return true;
    const end = performance.now() + ms;
    let gone = 0;
    for (let delay = 0; ; delay = Math.min(delay + 1, 20)) {
      if (this.store.hasExit(record.id)) return true;
      // Dead without a record: its supervisor was killed too. It gets a moment to have been merely slow.
      if (!isProcessAlive(init) && ++gone > 20) return true;
      if (performance.now() > end) return false;
      throwIfAborted(signal, `stopping container ${record.config.metadata.name}`);
      await sleep(delay);
    }
  }

  async stopContainer(request: {containerId: string; timeout: number}, options: CallOptions = {}): Promise<void> {
    const record = this.inventory.findContainer(request.containerId);
    if (!record?.init || this.inventory.stateOf(record) !== 'CONTAINER_RUNNING') return;
    if (request.timeout > 0) {
      await this.#kill(record.init, signalNumber(record.config.stopSignal ?? 'TERM'));
      if (await this.#untilExited(record, request.timeout * 1000, options.signal)) return;
    }
    await this.#kill(record.init, 9);
    await this.#untilExited(record, 5_000);
  }

  async removeContainer(request: {containerId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.inventory.findContainer(request.containerId);
    if (!record) return;
    await this.stopContainer({containerId: record.id, timeout: 0}, options);
    await this.#forgetContainer(record, this.store.readSandbox(record.sandboxId));
  }

  async #forgetContainer(record: ContainerRecord, sandbox: SandboxRecord | undefined): Promise<void> {
    const {name, attempt} = record.config.metadata;
    await endCgroups(record, sandbox, (paths) => this.untrace(...paths));
    const key = `${record.sandboxId}/${name}/${attempt}`;
    this.#live.delete(record.id);
    this.store.removeContainer(record.id);
    this.store.releaseName('container', key, record.id);
    this.#letGo(record.image);
    this.untrace(this.store.namePath('container', key), this.store.containerFolder(record.id));
  }

  // ── programs in containers

  async execSync(
    request: {containerId: string; cmd: readonly string[]; timeout?: number},
    options: CallOptions = {},
  ): Promise<ExecSyncResponse> {
    const plan = this.inventory.planExec(request.containerId, request.cmd);
    const {init} = this.inventory.requireRunning(request.containerId, 'ExecSync');
    const [command = ''] = request.cmd;
    throwIfAborted(options.signal, `running ${command}`);
    const streams = await this.#fifos.take(execSyncLimit);
    try {
      const launched = await this.#launch(
        {...plan.options, fifo: streams.folder},
        plan.steps,
        `run ${command} in container ${request.containerId.slice(0, 13)}`,
        'exec',
      );
      const seconds = request.timeout ?? 0;
      const stop = new AbortController();
      let hasEnded = false;
      // Its end and the end of its output: what it left in the background may write for ever.
      const whole = launched.exited.then(async ({exitCode}) => {
        hasEnded = true;
        return {...(await streams.collect()), exitCode};
      });
      const limits = [
        ...(seconds > 0 ? [afterSeconds(seconds, stop.signal)] : []),
        ...(options.signal ? [onAbort(options.signal, stop.signal)] : []),
      ];
      const outcome = await this.agent.await(Promise.race([whole, ...limits])).finally(() => stop.abort());
      if (typeof outcome !== 'string') return outcome;
      await this.#killTree(hasEnded ? {pid: launched.pid, startTime: '-'} : launched, init);
      throw outcome === 'timeout'
        ? subrootError('SUBROOT_EXEC_TIMEOUT', {command, seconds})
        : subrootError('SUBROOT_CANCELLED', {what: `running ${command}`});
    } finally {
      streams.close();
    }
  }

  /** A program in a running container, with streams. Its output waits until this returns, and is then read no faster than it is taken. */
  async exec(
    request: StreamRequest & {readonly cmd: readonly string[]},
    handlers: StreamHandlers,
    options: CallOptions = {},
  ): Promise<ProgramStream> {
    requireStreams(request);
    const plan = this.inventory.planExec(request.containerId, request.cmd, {terminal: request.tty ?? false});
    const {init} = this.inventory.requireRunning(request.containerId, 'Exec');
    const [command = ''] = request.cmd;
    throwIfAborted(options.signal, `running ${command}`);
    const folder = join(this.store.root, 'fifos', `${process.pid}-exec-${this.#nextKey++}`);
    makeFolder(folder, 0o700);
    this.trace(folder);
    const forget = () => {
      rmSync(folder, {recursive: true, force: true});
      this.untrace(folder);
    };
    try {
      const agentOptions = {...plan.options, socket: folder, hold: '1', ...(request.stdin ? {stdin: '1'} : {})};
      const action = `run ${command} in container ${request.containerId.slice(0, 13)}`;
      const launched = await this.#launch(agentOptions, plan.steps, action, 'exec');
      options.signal?.addEventListener('abort', () => void this.#killTree(launched, init).catch(() => {}), {
        once: true,
      });
      const connection = await AttachConnection.open(folder, handlers);
      connection.ended.finally(forget).catch(() => {});
      return connection;
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Connects to the streams of a container's own program; it does not end when the connection does. */
  async attach(request: StreamRequest, handlers: StreamHandlers, options: CallOptions = {}): Promise<ProgramStream> {
    requireStreams(request);
    const {folder} = this.inventory.attachFolder(request.containerId);
    throwIfAborted(options.signal, 'attaching');
    const connection = await AttachConnection.open(folder, {
      ...(request.stdout && handlers.onStdout ? {onStdout: handlers.onStdout} : {}),
      ...(request.stderr && handlers.onStderr ? {onStderr: handlers.onStderr} : {}),
    });
    options.signal?.addEventListener('abort', () => connection.close(), {once: true});
    return connection;
  }

  /** Ends the agent; what is bound to it dies with it. */
  async close(): Promise<void> {
    this.#fifos.close();
    await this.agent.close();
  }
}

/** Throws SUBROOT_CONFIG_INVALID for a parent of groups that would lead out of their hierarchy. */
function requireCgroupParent(parent = ''): void {
  if (!parent.split('/').includes('..') && !parent.includes('\0')) return;
  throw subrootError('SUBROOT_CONFIG_INVALID', {
    field: 'linux.cgroup_parent',
    why: `${parent} leads out of the hierarchy`,
  });
}

/** What a container's record keeps of its image. */
function pickImage({id, lowers, isShifted, usePath}: ContainerImage): NonNullable<ContainerRecord['image']> {
  return {id, lowers, isShifted, usePath};
}

/** The proto's rules for stream flags. Errors: SUBROOT_CONFIG_INVALID. */
function requireStreams({tty, stdin, stdout, stderr}: StreamRequest): void {
  if (!stdin && !stdout && !stderr) {
    throw subrootError('SUBROOT_CONFIG_INVALID', {
      field: 'stdin, stdout, stderr',
      why: 'one of them must be asked for',
    });
  }
  if (tty && stderr) {
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'stderr', why: 'a terminal has one output stream only'});
  }
}

const signalNumbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  CONT: 18,
  STOP: 19,
  WINCH: 28,
  PWR: 30,
};

/** By name, number, or place among the realtime signals, as images write it. Source: signal(7), with 34 as the C library's first. */
function signalNumber(word: string): number {
  const name = word.replace(/^SIG/, '');
  const [, end, sign, places = '0'] = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (end !== undefined) return (end === 'MIN' ? 34 : 64) + Number(`${sign ?? '+'}${places}`);
  const number = /^\d+$/.test(name) ? Number(name) : signalNumbers[name];
  return number !== undefined && number > 0 && number < 65 ? number : 15;
}

function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw subrootError('SUBROOT_CANCELLED', {what}, signal.reason);
}

function afterSeconds(seconds: number, stop: AbortSignal): Promise<'timeout'> {
  return sleep(seconds * 1000, 'timeout' as const, {signal: stop}).catch(() => 'timeout' as const);
}

function onAbort(signal: AbortSignal, stop: AbortSignal): Promise<'cancelled'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('cancelled');
    signal.addEventListener('abort', () => resolve('cancelled'), {once: true, signal: stop});
  });
}
