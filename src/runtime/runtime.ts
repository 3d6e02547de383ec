import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, isAbsolute, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {capabilityNames, defaultCapabilities, parseCapabilities, type CapabilityName} from '../../native-free/capability.ts';
import type {
  CallOptions,
  Container,
  ContainerConfig,
  ContainerFilter,
  ContainerState,
  ContainerStatus,
  ExecSyncResponse,
  IDMapping,
  NamespaceOption,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxFilter,
  PodSandboxStatus,
  RuntimeService,
} from '../../native-free/cri.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {type Agent, AgentFailure, type Launched, type ProcessIdentity, type ProgramExit} from '../host/agent.ts';
import {bootId, isProcessAlive, startTimeOf} from '../host/proc.ts';
import type {Step} from '../host/step.ts';
import type {Mode, ModeSetup} from '../userns/mode.ts';
import {type ContainerPlanInput, planContainer, planExec, type PlannedMount, type ProgramIdentity, type RootSource} from './container-plan.ts';
import {builtinEtc, hostsFile, resolvFile} from './etc-files.ts';
import {FifoPool} from './fifo-pool.ts';
import {planSandbox} from './sandbox-plan.ts';
import {type ContainerRecord, type SandboxRecord, StateStore} from './state-store.ts';
import {explainStep} from './step-failure.ts';
import {readAlternatives, readUserland, type UserlandEntry} from './userland.ts';

export interface RuntimeOptions {
  readonly root: string;
  readonly setup: ModeSetup;
  readonly agent: Agent;
  /** `bound`: pods die with this process. `detached`: they outlive it, each container with a small supervisor. */
  readonly lifetime: 'bound' | 'detached';
}

/** What OCI runtimes hide and protect when the request does not say. */
export const defaultMaskedPaths = ['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware'];
export const defaultReadonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The sum of what ExecSync keeps, a little under gRPC's usual 16 MiB message. */
const execSyncLimit = 15 * 1024 * 1024;

function nowNs(): string {
  return String(BigInt(Date.now()) * 1_000_000n);
}

function mappingText(mappings: readonly IDMapping[]): string {
  return mappings.map(({containerId, hostId, length}) => `${containerId} ${hostId} ${length}`).join('\n');
}

/** Checks a request's userns options as every CRI runtime does; undefined means the node's own namespace. Source: cri-v1 facts §7. */
function requireMappings(options: NamespaceOption | undefined, field: string): {uids: IDMapping; gids: IDMapping} | undefined {
  const userns = options?.usernsOptions;
  if (userns === undefined) return undefined;
  const refuse = (why: string) => subrootError('SUBROOT_CONFIG_INVALID', {field: `${field}.userns_options`, why});
  if (userns.mode === 'NODE') {
    if (userns.uids.length > 0 || userns.gids.length > 0) throw refuse('mode NODE takes no mappings');
    return undefined;
  }
  if (userns.mode !== 'POD') throw refuse(`mode ${userns.mode} is not supported; it must be POD or NODE`);
  for (const [kind, list] of [['uids', userns.uids], ['gids', userns.gids]] as const) {
    if (list.length !== 1) throw refuse(`mode POD takes exactly one mapping in ${kind}, not ${list.length}`);
    for (const {containerId, hostId, length} of list) {
      if (containerId !== 0) throw refuse(`${kind} must map container id 0, not start at ${containerId}`);
      if (!Number.isInteger(length) || length < 1) throw refuse(`${kind} has length ${length}`);
      // Checked here because the kernel folds numbers past 2^32 and would install host root.
      if (!Number.isInteger(hostId) || hostId < 0 || hostId + length > 4_294_967_295) throw refuse(`${kind} reaches past 4294967294: ${hostId} + ${length}`);
    }
  }
  const [uids] = userns.uids;
  const [gids] = userns.gids;
  return uids && gids ? {uids, gids} : undefined;
}

function sandboxKey({metadata}: PodSandboxConfig): string {
  return `${metadata.namespace}/${metadata.name}/${metadata.uid}/${metadata.attempt}`;
}

interface LiveContainer {
  readonly launched: Launched;
  exit: ProgramExit | undefined;
}

/** A CRI runtime on Linux, in process. Its state is files, so that several processes may work on one node at once. */
export class Runtime implements RuntimeService {
  readonly store: StateStore;
  readonly setup: ModeSetup;
  readonly agent: Agent;
  readonly lifetime: 'bound' | 'detached';
  readonly #self: ProcessIdentity;
  readonly #userland: readonly UserlandEntry[];
  readonly #cgroup2: boolean;
  readonly #prepared = new Map<string, string>();
  readonly #warm = new Map<string, {holder: Launched}>();
  readonly #live = new Map<string, LiveContainer>();
  readonly #fifos: FifoPool;
  #alternatives: Promise<string | undefined> | undefined;
  #nextKey = 0;

  constructor(options: RuntimeOptions) {
    this.store = StateStore.open(options.root);
    this.setup = options.setup;
    this.agent = options.agent;
    this.lifetime = options.lifetime;
    this.#self = {pid: process.pid, startTime: startTimeOf(process.pid) ?? ''};
    this.#userland = readUserland();
    this.#cgroup2 = readFileSync('/proc/self/mountinfo', 'latin1').includes(' - cgroup2 ');
    this.#fifos = new FifoPool(this.agent, join(options.root, 'fifos'));
  }

  get mode(): Mode {
    return this.setup.mode;
  }

  // ── user namespaces ahead of their pods

  /** Makes the mapped user namespace of a block ahead of its pod, so that the pod's start needs no handshake. */
  async prepareUserns(uids: IDMapping, gids: IDMapping): Promise<void> {
    const text = this.#mapKey(uids, gids);
    if (!this.#prepared.has(text)) this.#prepared.set(text, await this.#makeUserns(uids, gids));
  }

  /** Makes a whole sandbox ahead of its pod; runPodSandbox with the same mapping then only names it. */
  async prepareSandbox(uids: IDMapping, gids: IDMapping): Promise<void> {
    const key = await this.#makeUserns(uids, gids);
    const steps = this.#sandboxSteps(key, 'localhost');
    const holder = await this.#launch(this.#holderOptions(), steps, 'prepare a sandbox', 'exec');
    await this.agent.request('drop', [key]);
    this.#warm.set(this.#mapKey(uids, gids), {holder});
  }

  #mapKey(uids: IDMapping, gids: IDMapping): string {
    return `${mappingText([uids])};${mappingText([gids])}`;
  }

  /**
   * The kernel object behind a mapping: a namespace made by a process that has become the pod's own base id, so that its budgets
   * (inotify, namespaces, keys) are its own. Source: kernel/ucount.c, kubernetes-userns facts §9.3.
   */
  async #makeUserns(uids: IDMapping, gids: IDMapping): Promise<string> {
    const key = `k${this.#nextKey++}`;
    try {
      await this.agent.request('userns', [key, String(uids.hostId), String(gids.hostId), this.setup.groups, mappingText([uids]), mappingText([gids])]);
    } catch (error) {
      if (!(error instanceof AgentFailure)) throw error;
      if (error.errno === 'ENOSPC') throw subrootError('SUBROOT_USERNS_LIMIT', {limit: readSysctl('user/max_user_namespaces'), errno: error.errno}, error);
      throw subrootError('SUBROOT_IDMAP_REFUSED', {map: mappingText([uids]), file: 'uid_map, gid_map', errno: `${error.errno}, ${error.text}`}, error);
    }
    return key;
  }

  // ── sandboxes

  #sandboxSteps(usernsKey: string | undefined, hostname: string): Step[] {
    return planSandbox({userland: this.#userland, usernsKey, hostname, groups: this.setup.groups, bound: this.lifetime === 'bound'});
  }

  #holderOptions(): Record<string, string> {
    return this.lifetime === 'bound' ? {} : {detached: '1', unsupervised: '1'};
  }

  async #launch(options: Record<string, string>, steps: readonly Step[], action: string, until: 'pid' | 'exec'): Promise<Launched & {id: string}> {
    try {
      return await this.agent.launch(options, steps, until);
    } catch (error) {
      throw error instanceof AgentFailure ? explainStep(error, steps, action) : error;
    }
  }

  async runPodSandbox(request: {config: PodSandboxConfig; runtimeHandler?: string}, options: CallOptions = {}): Promise<{podSandboxId: string}> {
    const {config} = request;
    const handler = request.runtimeHandler ?? '';
    if (handler !== '' && handler !== 'subroot') throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'runtime_handler', why: `the handler ${handler} is not known; there is "" and "subroot"`});
    const {metadata} = config;
    for (const field of ['name', 'namespace', 'uid'] as const) if (!metadata?.[field]) throw subrootError('SUBROOT_CONFIG_INVALID', {field: `metadata.${field}`, why: 'it is empty'});
    const namespaces = config.linux?.securityContext?.namespaceOptions;
    const mappings = requireMappings(namespaces, 'linux.security_context.namespace_options');
    for (const [field, mode] of Object.entries({network: namespaces?.network, ipc: namespaces?.ipc, pid: namespaces?.pid})) {
      if (mode === 'NODE') throw subrootError('SUBROOT_CONFIG_INVALID', {field: `namespace_options.${field}`, why: 'namespaces of the node cannot be shared yet'});
    }
    throwIfAborted(options.signal, `starting sandbox ${metadata.name}`);

    const id = randomBytes(32).toString('hex');
    const key = sandboxKey(config);
    this.#reserve('sandbox', key, id);
    let holder: Launched | undefined;
    try {
      const hostname = config.hostname || metadata.name;
      const record: SandboxRecord = {
        id,
        config,
        runtimeHandler: handler,
        mode: this.setup.mode,
        createdAt: nowNs(),
        bootId: bootId(),
        ...(this.lifetime === 'bound' ? {boundTo: this.#self} : {}),
      };
      this.store.writeSandbox(record);
      holder = await this.#startHolder(mappings, hostname, metadata.name);
      this.store.writeSandbox({...record, holder: {pid: holder.pid, startTime: holder.startTime}});
      throwIfAborted(options.signal, `starting sandbox ${metadata.name}`);
      return {podSandboxId: id};
    } catch (error) {
      if (holder) await this.#kill(holder, 9);
      this.store.removeSandbox(id);
      this.store.releaseName('sandbox', key, id);
      throw error;
    }
  }

  async #startHolder(mappings: {uids: IDMapping; gids: IDMapping} | undefined, hostname: string, name: string): Promise<Launched> {
    if (mappings === undefined) return await this.#launch(this.#holderOptions(), this.#sandboxSteps(undefined, hostname), `start sandbox ${name}`, 'pid');
    const text = this.#mapKey(mappings.uids, mappings.gids);
    const warm = this.#warm.get(text);
    if (warm) {
      this.#warm.delete(text);
      await this.agent.request('hostname', [String(warm.holder.pid), warm.holder.startTime, hostname]);
      return warm.holder;
    }
    const key = this.#prepared.get(text) ?? (await this.#makeUserns(mappings.uids, mappings.gids));
    this.#prepared.delete(text);
    try {
      return await this.#launch(this.#holderOptions(), this.#sandboxSteps(key, hostname), `start sandbox ${name}`, 'pid');
    } finally {
      this.agent.request('drop', [key]).catch(() => {});
    }
  }

  #reserve(kind: 'sandbox' | 'container', name: string, id: string): void {
    for (let attempt = 0; ; attempt++) {
      const holder = this.store.reserveName(kind, name, id);
      if (holder === undefined) return;
      const known = kind === 'sandbox' ? existsSync(this.store.sandboxFolder(holder)) : existsSync(this.store.containerFolder(holder));
      // A name whose owner died between taking it and making its folder is free after a moment; a folder means it is taken.
      if (known || attempt === 1) {
        throw kind === 'sandbox' ? subrootError('SUBROOT_SANDBOX_NAME_TAKEN', {name, id: holder.slice(0, 13)}) : subrootError('SUBROOT_CONTAINER_NAME_TAKEN', {name, id: holder.slice(0, 13)});
      }
      this.store.releaseName(kind, name, holder);
    }
  }

  #requireSandbox(ref: string): SandboxRecord {
    const record = this.#findSandbox(ref);
    if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'sandbox', ref: ref || '""', list: 'pods'});
    return record;
  }

  #findSandbox(ref: string): SandboxRecord | undefined {
    const id = uniquePrefix(ref, this.store.sandboxIds(), 'sandbox');
    return id === undefined ? undefined : this.store.readSandbox(id);
  }

  #isReady(record: SandboxRecord): boolean {
    return record.holder !== undefined && record.stopped !== true && record.bootId === bootId() && isProcessAlive(record.holder);
  }

  async stopPodSandbox(request: {podSandboxId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.#findSandbox(request.podSandboxId);
    if (!record) return;
    throwIfAborted(options.signal, `stopping sandbox ${record.config.metadata.name}`);
    if (record.holder && record.bootId === bootId() && record.stopped !== true) {
      await this.#kill(record.holder, 9);
      // Every container's init is in a pid namespace below the holder's: the kernel has killed them with it.
      const running = this.#containersOf(record.id).filter(container => container.init && !this.store.readExit(container.id));
      for (const container of running) await this.#untilExited(container, 2_000);
    }
    if (record.stopped !== true) this.store.writeSandbox({...record, stopped: true});
  }

  async removePodSandbox(request: {podSandboxId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.#findSandbox(request.podSandboxId);
    if (!record) return;
    await this.stopPodSandbox({podSandboxId: record.id}, options);
    for (const container of this.#containersOf(record.id)) this.#forgetContainer(container);
    this.store.removeSandbox(record.id);
    this.store.releaseName('sandbox', sandboxKey(record.config), record.id);
  }

  #describeSandbox(record: SandboxRecord): PodSandbox {
    return {
      id: record.id,
      metadata: record.config.metadata,
      state: this.#isReady(record) ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
      createdAt: BigInt(record.createdAt),
      labels: record.config.labels ?? {},
      annotations: record.config.annotations ?? {},
      runtimeHandler: record.runtimeHandler,
    };
  }

  async podSandboxStatus(request: {podSandboxId: string; verbose?: boolean}): Promise<{status: PodSandboxStatus; info: Record<string, string>}> {
    const record = this.#requireSandbox(request.podSandboxId);
    const options = record.config.linux?.securityContext?.namespaceOptions ?? {network: 'POD', pid: 'CONTAINER', ipc: 'POD'};
    const status = {...this.#describeSandbox(record), network: {ip: ''}, linux: {namespaces: {options}}};
    const info = request.verbose ? {info: JSON.stringify({pid: record.holder?.pid, startTime: record.holder?.startTime, mode: record.mode, bound: record.boundTo !== undefined})} : {};
    return {status, info};
  }

  async listPodSandbox(request: {filter?: PodSandboxFilter} = {}): Promise<{items: PodSandbox[]}> {
    const {filter = {}} = request;
    const items = this.#readableSandboxes()
      .filter(record => !filter.id || record.id.startsWith(filter.id))
      .filter(record => matchesLabels(record.config.labels, filter.labelSelector))
      .map(record => this.#describeSandbox(record))
      .filter(item => !filter.state || item.state === filter.state)
      .sort((a, b) => Number(b.createdAt - a.createdAt));
    return {items};
  }

  /** Every sandbox whose record can be read; a damaged one is `gc`'s to set aside and never hides the others. */
  #readableSandboxes(): SandboxRecord[] {
    return this.store.sandboxIds().flatMap(id => {
      try {
        return this.store.readSandbox(id) ?? [];
      } catch {
        return [];
      }
    });
  }

  // ── containers

  #containersOf(sandboxId: string): ContainerRecord[] {
    return this.#readableContainers().filter(record => record.sandboxId === sandboxId);
  }

  #readableContainers(): ContainerRecord[] {
    return this.store.containerIds().flatMap(id => {
      try {
        return this.store.readContainer(id) ?? [];
      } catch {
        return [];
      }
    });
  }

  #findContainer(ref: string): ContainerRecord | undefined {
    const id = uniquePrefix(ref, this.store.containerIds(), 'container');
    return id === undefined ? undefined : this.store.readContainer(id);
  }

  #requireContainer(ref: string): ContainerRecord {
    const record = this.#findContainer(ref);
    if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'container', ref: ref || '""', list: 'ps -a'});
    return record;
  }

  async createContainer(request: {podSandboxId: string; config: ContainerConfig; sandboxConfig: PodSandboxConfig}, options: CallOptions = {}): Promise<{containerId: string}> {
    const {config} = request;
    const sandbox = this.#requireSandbox(request.podSandboxId);
    if (!this.#isReady(sandbox)) throw subrootError('SUBROOT_WRONG_STATE', {kind: 'sandbox', id: sandbox.id.slice(0, 13), state: 'NOTREADY', verb: 'CreateContainer', needed: 'READY', mend: 'remove it and run the pod anew'});
    if (!config.metadata?.name) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'metadata.name', why: 'it is empty'});
    throwIfAborted(options.signal, `creating container ${config.metadata.name}`);
    this.#requireSameUserns(sandbox, config);
    this.#requireRoot(config);
    const argv = [...(config.command ?? []), ...(config.args ?? [])];
    if (argv.length === 0) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'command', why: 'neither the container nor its image names a program (the image `host` has no entrypoint)'});
    this.#program(config, sandbox);
    for (const mount of config.mounts ?? []) this.#planMount(mount);

    const id = randomBytes(32).toString('hex');
    const key = `${sandbox.id}/${config.metadata.name}/${config.metadata.attempt}`;
    this.#reserve('container', key, id);
    try {
      const logDirectory = sandbox.config.logDirectory;
      const logPath = logDirectory && config.logPath ? join(logDirectory, config.logPath) : '';
      if (logPath) mkdirSync(dirname(logPath), {recursive: true, mode: 0o755});
      this.store.writeContainer({id, sandboxId: sandbox.id, config, logPath, createdAt: nowNs(), argv});
      return {containerId: id};
    } catch (error) {
      this.store.removeContainer(id);
      this.store.releaseName('container', key, id);
      throw error;
    }
  }

  #requireSameUserns(sandbox: SandboxRecord, config: ContainerConfig): void {
    const own = requireMappings(config.linux?.securityContext?.namespaceOptions, 'linux.security_context.namespace_options');
    const pod = requireMappings(sandbox.config.linux?.securityContext?.namespaceOptions, 'namespace_options');
    if (config.linux?.securityContext?.namespaceOptions && JSON.stringify(own) !== JSON.stringify(pod)) {
      throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'namespace_options.userns_options', why: 'it differs from that of the sandbox; all containers of a pod share one user namespace'});
    }
  }

  #requireRoot(config: ContainerConfig): void {
    const {image} = config.image;
    if (image === 'host') return;
    if (!isAbsolute(image)) throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image: config.image.userSpecifiedImage ?? image, why: 'it is neither `host` nor the full path of a folder'});
    let isFolder: boolean;
    try {
      isFolder = statSync(image).isDirectory();
    } catch {
      throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image, why: 'there is nothing at that path'});
    }
    if (!isFolder) throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image, why: 'it is not a folder'});
  }

  #planMount(mount: {hostPath: string; containerPath: string; readonly?: boolean; uidMappings?: readonly IDMapping[]}): PlannedMount {
    if (!isAbsolute(mount.containerPath)) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'mounts.container_path', why: `${mount.containerPath} is not a full path`});
    let isDirectory: boolean;
    try {
      isDirectory = statSync(mount.hostPath).isDirectory();
    } catch {
      throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'mounts.host_path', why: `there is nothing at ${mount.hostPath}`});
    }
    return {hostPath: mount.hostPath, containerPath: mount.containerPath, readonly: mount.readonly ?? false, isDirectory, idmapped: (mount.uidMappings?.length ?? 0) > 0};
  }

  /** Ids, capabilities and environment of a container's programs: its init and whatever is exec'ed into it. */
  #program(config: ContainerConfig, sandbox: SandboxRecord): ProgramIdentity {
    const context = config.linux?.securityContext;
    const drop = parseCapabilities(context?.capabilities?.dropCapabilities ?? []);
    const add = parseCapabilities(context?.capabilities?.addCapabilities ?? []);
    const unknown = [...drop.unknown, ...add.unknown];
    if (unknown.length > 0) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'capabilities', why: `there is no capability ${unknown.join(', ')}`});
    const base: ReadonlySet<CapabilityName> = context?.privileged ? new Set(capabilityNames) : defaultCapabilities;
    const bounding = new Set([...base].filter(name => !drop.capabilities.has(name)));
    for (const name of add.capabilities) bounding.add(name);
    const uid = context?.runAsUser?.value ?? 0;
    const gid = context?.runAsGroup?.value ?? 0;
    const mappings = requireMappings(sandbox.config.linux?.securityContext?.namespaceOptions, 'namespace_options');
    for (const [field, id, length] of [['run_as_user', uid, mappings?.uids.length], ['run_as_group', gid, mappings?.gids.length]] as const) {
      if (length !== undefined && id >= length) throw subrootError('SUBROOT_CONFIG_INVALID', {field, why: `id ${id} is not in the pod's map, which has ids 0 to ${length - 1}`});
    }
    const hostname = sandbox.config.hostname || sandbox.config.metadata.name;
    const env = new Map<string, string>([['PATH', defaultPath], ['HOSTNAME', hostname], ['HOME', uid === 0 ? '/root' : '/']]);
    if (config.tty) env.set('TERM', 'xterm');
    for (const {key, value} of config.envs ?? []) env.set(key, value);
    return {uid, gid, groups: context?.supplementalGroups ?? [], bounding, noNewPrivs: context?.noNewPrivs ?? true, cwd: config.workingDir || '/', env: [...env]};
  }

  /** One folder of links per node for the image `host`, made on first use in the agent's own mount namespace. */
  #alternativesFolder(): Promise<string | undefined> {
    this.#alternatives ??= (async () => {
      const links = readAlternatives();
      if (links.length === 0) return undefined;
      const folder = '/dev/shm';
      if (!existsSync(folder)) return undefined;
      const steps: Step[] = [['mount', 'tmpfs', folder, 'tmpfs', 'nosuid,nodev,noexec', 'mode=0755'], ['mkdir', `${folder}/alternatives`, '0755'], ...links.map(([name, target]): Step => ['symlink', target, `${folder}/alternatives/${name}`])];
      await this.agent.request('local', [], steps);
      return `${folder}/alternatives`;
    })();
    return this.#alternatives;
  }

  async #containerPlan(record: ContainerRecord, sandbox: SandboxRecord, holder: ProcessIdentity): Promise<Step[]> {
    const {config} = record;
    const context = config.linux?.securityContext;
    const mappings = requireMappings(sandbox.config.linux?.securityContext?.namespaceOptions, 'namespace_options');
    const pid = sandbox.config.linux?.securityContext?.namespaceOptions?.pid ?? 'CONTAINER';
    const hostname = sandbox.config.hostname || sandbox.config.metadata.name;
    const root: RootSource =
      config.image.image === 'host'
        ? {kind: 'host', userland: this.#userland, alternatives: await this.#alternativesFolder()}
        : {kind: 'directory', path: config.image.image, idmapped: mappings !== undefined && this.setup.mode === 'host'};
    const etc: Record<string, string> = {
      ...(root.kind === 'host' ? builtinEtc : {}),
      '/etc/hostname': `${hostname}\n`,
      '/etc/hosts': hostsFile(hostname),
      '/etc/resolv.conf': resolvFile(sandbox.config.dnsConfig),
    };
    const mounts = (config.mounts ?? []).map(mount => this.#planMount(mount));
    for (const {containerPath} of mounts) delete etc[containerPath];
    const input: ContainerPlanInput = {
      root,
      holderPid: holder.pid,
      hasUserns: mappings !== undefined,
      groups: this.setup.groups,
      ownPid: pid !== 'POD',
      cgroup2: this.#cgroup2,
      ttyGroup: mappings === undefined || mappings.gids.length > 5,
      etc,
      mounts,
      maskedPaths: context?.privileged ? [] : (context?.maskedPaths ?? defaultMaskedPaths),
      readonlyPaths: context?.privileged ? [] : (context?.readonlyPaths ?? defaultReadonlyPaths),
      readonlyRoot: context?.readonlyRootfs ?? false,
      terminal: config.tty ?? false,
      program: this.#program(config, sandbox),
      argv: record.argv,
    };
    return planContainer(input);
  }

  #ownerOf(sandbox: SandboxRecord, program: ProgramIdentity): string {
    const mappings = requireMappings(sandbox.config.linux?.securityContext?.namespaceOptions, 'namespace_options');
    return `${(mappings?.uids.hostId ?? 0) + program.uid}:${(mappings?.gids.hostId ?? 0) + program.gid}`;
  }

  async startContainer(request: {containerId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.#requireContainer(request.containerId);
    const state = this.#stateOf(record);
    const wrong = (needed: string, actual: string) => subrootError('SUBROOT_WRONG_STATE', {kind: 'container', id: record.id.slice(0, 13), state: actual, verb: 'StartContainer', needed, mend: 'make a new container; one is started once'});
    if (state !== 'CONTAINER_CREATED') throw wrong('CREATED', state.slice('CONTAINER_'.length));
    throwIfAborted(options.signal, `starting container ${record.config.metadata.name}`);
    const sandbox = this.#requireSandbox(record.sandboxId);
    const {holder} = sandbox;
    if (!holder || !this.#isReady(sandbox)) throw wrong('in a READY sandbox', 'in a NOTREADY sandbox');
    const steps = await this.#containerPlan(record, sandbox, holder);
    const folder = this.store.containerFolder(record.id);
    const launchOptions: Record<string, string> = {
      in: `${holder.pid}:${holder.startTime}`,
      owner: this.#ownerOf(sandbox, this.#program(record.config, sandbox)),
      exitfile: join(folder, 'exit'),
      socket: folder,
      ...(record.logPath ? {log: record.logPath} : {}),
      ...(record.config.stdin ? {stdin: '1'} : {}),
      ...(record.config.stdinOnce ? {stdinonce: '1'} : {}),
      ...(record.config.tty ? {tty: '1'} : {}),
      ...(this.lifetime === 'detached' ? {detached: '1'} : {}),
    };
    try {
      const launched = await this.#launch(launchOptions, steps, `start container ${record.config.metadata.name}`, 'exec');
      this.store.writeContainer({...record, startedAt: nowNs(), init: {pid: launched.pid, startTime: launched.startTime}});
      if (this.lifetime === 'bound') {
        const live: LiveContainer = {launched, exit: undefined};
        this.#live.set(record.id, live);
        launched.exited.then(exit => {
          live.exit = exit;
        }, () => {});
      }
    } catch (error) {
      const message = error instanceof SubrootError ? error.shortMessage : String(error);
      this.store.writeContainer({...record, startError: {message, finishedAt: nowNs(), exitCode: 128}});
      throw error;
    }
  }

  #stateOf(record: ContainerRecord): ContainerState {
    if (record.startError) return 'CONTAINER_EXITED';
    if (!record.init) return 'CONTAINER_CREATED';
    if (this.store.readExit(record.id)) return 'CONTAINER_EXITED';
    return isProcessAlive(record.init) ? 'CONTAINER_RUNNING' : 'CONTAINER_EXITED';
  }

  async #kill(target: ProcessIdentity, signal: number): Promise<void> {
    try {
      await this.agent.request('kill', [String(target.pid), target.startTime, String(signal)]);
    } catch (error) {
      if (!(error instanceof AgentFailure) || error.errno !== 'ESRCH') throw error;
      return;
    }
    if (signal !== 9) return;
    for (let delay = 0; isProcessAlive(target); delay = Math.min(delay + 1, 10)) await sleep(delay);
  }

  /** Waits until a container's exit is on record; false when that took longer than `ms`. */
  async #untilExited(record: ContainerRecord, ms: number, signal?: AbortSignal): Promise<boolean> {
    const {init} = record;
    if (!init) return true;
    const end = performance.now() + ms;
    let gone = 0;
    for (let delay = 0; ; delay = Math.min(delay + 1, 20)) {
      if (this.store.readExit(record.id)) return true;
      // Dead without a record: its supervisor was killed too. It gets a moment to have been merely slow.
      if (!isProcessAlive(init) && ++gone > 20) return true;
      if (performance.now() > end) return false;
      throwIfAborted(signal, `stopping container ${record.config.metadata.name}`);
      await sleep(delay);
    }
  }

  async stopContainer(request: {containerId: string; timeout: number}, options: CallOptions = {}): Promise<void> {
    const record = this.#findContainer(request.containerId);
    if (!record?.init || this.#stateOf(record) !== 'CONTAINER_RUNNING') return;
    if (request.timeout > 0) {
      await this.#kill(record.init, signalNumber(record.config.stopSignal ?? 'TERM'));
      if (await this.#untilExited(record, request.timeout * 1000, options.signal)) return;
    }
    await this.#kill(record.init, 9);
    await this.#untilExited(record, 5_000);
  }

  async removeContainer(request: {containerId: string}, options: CallOptions = {}): Promise<void> {
    const record = this.#findContainer(request.containerId);
    if (!record) return;
    await this.stopContainer({containerId: record.id, timeout: 0}, options);
    this.#forgetContainer(record);
  }

  #forgetContainer(record: ContainerRecord): void {
    this.#live.delete(record.id);
    this.store.removeContainer(record.id);
    this.store.releaseName('container', `${record.sandboxId}/${record.config.metadata.name}/${record.config.metadata.attempt}`, record.id);
  }

  async containerStatus(request: {containerId: string; verbose?: boolean}): Promise<{status: ContainerStatus; info: Record<string, string>}> {
    const record = this.#requireContainer(request.containerId);
    const state = this.#stateOf(record);
    const exit = this.store.readExit(record.id);
    const sandbox = this.store.readSandbox(record.sandboxId);
    const program = sandbox ? this.#program(record.config, sandbox) : undefined;
    const ended = state === 'CONTAINER_EXITED';
    const exitCode = record.startError?.exitCode ?? exit?.exitCode ?? (ended ? 255 : 0);
    const lost = ended && !exit && !record.startError;
    const status: ContainerStatus = {
      id: record.id,
      metadata: record.config.metadata,
      state,
      createdAt: BigInt(record.createdAt),
      startedAt: BigInt(record.startedAt ?? 0),
      finishedAt: BigInt(record.startError?.finishedAt ?? exit?.finishedAt ?? (ended ? (record.startedAt ?? 0) : 0)),
      exitCode,
      image: record.config.image,
      imageRef: record.config.image.image,
      reason: record.startError ? 'StartError' : ended ? (exitCode === 0 ? 'Completed' : 'Error') : '',
      message: record.startError?.message ?? (lost ? 'its supervisor was killed, and the exit code with it' : ''),
      labels: record.config.labels ?? {},
      annotations: record.config.annotations ?? {},
      mounts: record.config.mounts ?? [],
      logPath: record.logPath,
      ...(program ? {user: {linux: {uid: program.uid, gid: program.gid, supplementalGroups: [program.gid, ...program.groups.filter(group => group !== program.gid)]}}} : {}),
    };
    const info = request.verbose ? {info: JSON.stringify({pid: record.init?.pid, startTime: record.init?.startTime, sandboxID: record.sandboxId, argv: record.argv})} : {};
    return {status, info};
  }

  async listContainers(request: {filter?: ContainerFilter} = {}): Promise<{containers: Container[]}> {
    const {filter = {}} = request;
    const containers = this.#readableContainers()
      .filter(record => !filter.id || record.id.startsWith(filter.id))
      .filter(record => !filter.podSandboxId || record.sandboxId.startsWith(filter.podSandboxId))
      .filter(record => matchesLabels(record.config.labels, filter.labelSelector))
      .map((record): Container => ({
        id: record.id,
        podSandboxId: record.sandboxId,
        metadata: record.config.metadata,
        image: record.config.image,
        imageRef: record.config.image.image,
        state: this.#stateOf(record),
        createdAt: BigInt(record.createdAt),
        labels: record.config.labels ?? {},
        annotations: record.config.annotations ?? {},
      }))
      .filter(item => !filter.state || item.state === filter.state)
      .sort((a, b) => Number(b.createdAt - a.createdAt));
    return {containers};
  }

  // ── programs in containers

  #requireRunning(ref: string, verb: string): {record: ContainerRecord; sandbox: SandboxRecord; init: ProcessIdentity} {
    const record = this.#requireContainer(ref);
    const state = this.#stateOf(record);
    if (state !== 'CONTAINER_RUNNING' || !record.init) {
      throw subrootError('SUBROOT_WRONG_STATE', {kind: 'container', id: record.id.slice(0, 13), state: state.slice('CONTAINER_'.length), verb, needed: 'RUNNING', mend: 'see why with `subroot logs` and `subroot inspect`'});
    }
    return {record, sandbox: this.#requireSandbox(record.sandboxId), init: record.init};
  }

  /** The request of a program that joins a container, for the agent in either way: resident, or once with the caller's streams. */
  planExec(containerId: string, argv: readonly string[], options: {terminal?: boolean; ownSession?: boolean; env?: Readonly<Record<string, string>>; cwd?: string; uid?: number; gid?: number} = {}): {options: Record<string, string>; steps: Step[]} {
    if (argv.length === 0) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'cmd', why: 'it is empty'});
    const {record, sandbox, init} = this.#requireRunning(containerId, 'Exec');
    const own = this.#program(record.config, sandbox);
    const env = new Map(own.env);
    for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, value);
    const program: ProgramIdentity = {...own, uid: options.uid ?? own.uid, gid: options.gid ?? own.gid, cwd: options.cwd ?? own.cwd, env: [...env]};
    const mappings = requireMappings(sandbox.config.linux?.securityContext?.namespaceOptions, 'namespace_options');
    const steps = planExec({
      hasUserns: mappings !== undefined,
      groups: this.setup.groups,
      terminal: options.terminal ?? false,
      ttyGroup: mappings === undefined || mappings.gids.length > 5,
      ownSession: options.ownSession ?? true,
      program,
      argv,
    });
    const agentOptions: Record<string, string> = {
      in: `${init.pid}:${init.startTime}`,
      owner: this.#ownerOf(sandbox, program),
      ...(options.terminal ? {tty: '1'} : {}),
    };
    return {options: agentOptions, steps};
  }

  async execSync(request: {containerId: string; cmd: readonly string[]; timeout?: number}, options: CallOptions = {}): Promise<ExecSyncResponse> {
    const plan = this.planExec(request.containerId, request.cmd);
    const [command = ''] = request.cmd;
    throwIfAborted(options.signal, `running ${command}`);
    const streams = await this.#fifos.take(execSyncLimit);
    try {
      const launched = await this.#launch({...plan.options, fifo: streams.folder}, plan.steps, `run ${command} in container ${request.containerId.slice(0, 13)}`, 'exec');
      const seconds = request.timeout ?? 0;
      const stop = new AbortController();
      const outcome = await this.agent.await(
        Promise.race([
        launched.exited,
        ...(seconds > 0 ? [sleep(seconds * 1000, 'timeout' as const, {signal: stop.signal, ref: true}).catch(() => 'timeout' as const)] : []),
        ...(options.signal ? [onAbort(options.signal, stop.signal)] : []),
      ]),
      );
      stop.abort();
      if (outcome === 'timeout' || outcome === 'cancelled') {
        await this.#kill(launched, 9);
        throw outcome === 'timeout' ? subrootError('SUBROOT_EXEC_TIMEOUT', {command, seconds}) : subrootError('SUBROOT_CANCELLED', {what: `running ${command}`});
      }
      const {stdout, stderr} = await streams.collect();
      return {stdout, stderr, exitCode: outcome.exitCode};
    } finally {
      streams.close();
    }
  }

  /** The folder of a container's attach socket, for those who attach. Throws unless it runs. */
  attachFolder(containerId: string): {folder: string; tty: boolean; stdin: boolean} {
    const {record} = this.#requireRunning(containerId, 'Attach');
    return {folder: this.store.containerFolder(record.id), tty: record.config.tty ?? false, stdin: record.config.stdin ?? false};
  }

  /** Ends the agent; what is bound to it dies with it. */
  async close(): Promise<void> {
    this.#fifos.close();
    await this.agent.close();
  }
}

function readSysctl(path: string): string {
  try {
    return readFileSync(`/proc/sys/${path}`, 'latin1').trim();
  } catch {
    return 'unknown';
  }
}

function matchesLabels(labels: Readonly<Record<string, string>> | undefined, selector: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

/** The id that a reference names: itself, or the only one it is a prefix of. */
function uniquePrefix(ref: string, ids: readonly string[], kind: string): string | undefined {
  if (ref === '') throw subrootError('SUBROOT_CONFIG_INVALID', {field: `${kind}_id`, why: 'it is empty'});
  if (ref.length === 64) return ids.includes(ref) ? ref : undefined;
  const matches = ids.filter(id => id.startsWith(ref));
  if (matches.length > 1) throw subrootError('SUBROOT_AMBIGUOUS', {ref, count: matches.length, kind, matches: matches.map(id => id.slice(0, 13)).join(', ')});
  return matches[0];
}

const signalNumbers: Readonly<Record<string, number>> = {HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15, CONT: 18, STOP: 19, WINCH: 28, PWR: 30};

function signalNumber(name: string): number {
  return signalNumbers[name.replace(/^SIG/, '')] ?? 15;
}

function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw subrootError('SUBROOT_CANCELLED', {what}, signal.reason);
}

function onAbort(signal: AbortSignal, stop: AbortSignal): Promise<'cancelled'> {
  return new Promise(resolve => {
    if (signal.aborted) resolve('cancelled');
    signal.addEventListener('abort', () => resolve('cancelled'), {once: true, signal: stop});
  });
}
