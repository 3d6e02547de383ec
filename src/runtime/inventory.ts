import type {
  Container,
  ContainerFilter,
  ContainerState,
  ContainerStatus,
  PodSandbox,
  PodSandboxFilter,
  PodSandboxStatus,
} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import type {ProcessIdentity} from '../host/agent.ts';
import {bootId, isProcessAlive} from '../host/proc.ts';
import type {Step} from '../host/step.ts';
import {type ProgramIdentity, planExec} from './container-plan.ts';
import {mappingsOf} from './mappings.ts';
import {pidOptionsOf, sharesOf} from './node-namespaces.ts';
import {accountingOf, ownerOf, programOf, requireIds} from './program.ts';
import type {ContainerRecord, SandboxRecord, StateStore} from './state-store.ts';

/** What a program that joins a container may differ in from the container's own. */
export interface JoinOptions {
  readonly terminal?: boolean;
  /** A session of its own; false lets the terminal's Ctrl-C reach the program as it reaches us. */
  readonly ownSession?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A request for the agent: its options and the plan. */
export interface AgentRequest {
  readonly options: Record<string, string>;
  readonly steps: Step[];
}

/** What the state folder and /proc say of all pods. It changes nothing and needs no agent, so that listing is cheap. */
export class Inventory {
  readonly store: StateStore;

  constructor(store: StateStore) {
    this.store = store;
  }

  requireSandbox(ref: string): SandboxRecord {
    const record = this.findSandbox(ref);
    if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'sandbox', ref: ref || '""', list: 'pods'});
    return record;
  }

  findSandbox(ref: string): SandboxRecord | undefined {
    if (isFullId(ref)) return this.store.readSandbox(ref);
    const id = uniquePrefix(ref, this.store.sandboxIds(), 'sandbox');
    return id === undefined ? undefined : this.store.readSandbox(id);
  }

  isReady(record: SandboxRecord): boolean {
    return (
      record.holder !== undefined &&
      record.stopped !== true &&
      record.bootId === bootId() &&
      isProcessAlive(record.holder)
    );
  }

  describeSandbox(record: SandboxRecord): PodSandbox {
    return {
      id: record.id,
      metadata: record.config.metadata,
      state: this.isReady(record) ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
      createdAt: BigInt(record.createdAt),
      labels: record.config.labels ?? {},
      annotations: record.config.annotations ?? {},
      runtimeHandler: record.runtimeHandler,
    };
  }

  async podSandboxStatus(request: {
    podSandboxId: string;
    verbose?: boolean;
  }): Promise<{status: PodSandboxStatus; info: Record<string, string>}> {
    const record = this.requireSandbox(request.podSandboxId);
    const options = record.config.linux?.securityContext?.namespaceOptions ?? {
      network: 'POD',
      pid: 'CONTAINER',
      ipc: 'POD',
    };
    const status = {...this.describeSandbox(record), network: {ip: ''}, linux: {namespaces: {options}}};
    const info = request.verbose
      ? {
          info: JSON.stringify({
            pid: record.holder?.pid,
            startTime: record.holder?.startTime,
            mode: record.mode,
            bound: record.boundTo !== undefined,
          }),
        }
      : {};
    return {status, info};
  }

  async listPodSandbox(request: {filter?: PodSandboxFilter} = {}): Promise<{items: PodSandbox[]}> {
    const {filter = {}} = request;
    const items = this.readableSandboxes()
      .filter((record) => !filter.id || record.id.startsWith(filter.id))
      .filter((record) => matchesLabels(record.config.labels, filter.labelSelector))
      .map((record) => this.describeSandbox(record))
      .filter((item) => !filter.state || item.state === filter.state)
      .sort((a, b) => Number(b.createdAt - a.createdAt));
    return {items};
  }

  /** Every sandbox whose record can be read; a damaged one is `gc`'s to set aside and never hides the others. */
  readableSandboxes(): SandboxRecord[] {
    return this.store.sandboxIds().flatMap((id) => {
      try {
        return this.store.readSandbox(id) ?? [];
      } catch {
        return [];
      }
    });
  }

  containersOf(sandboxId: string): ContainerRecord[] {
    return this.#readable(this.store.containerIdsOf(sandboxId)).filter((record) => record.sandboxId === sandboxId);
  }

  /** The newest container of each name, in the order in which the first of each name was made. */
  currentContainers(sandboxId: string): ContainerRecord[] {
    const newest = new Map<string, ContainerRecord>();
    for (const record of this.containersOf(sandboxId)) {
      const {name, attempt} = record.config.metadata;
      const other = newest.get(name);
      if (!other || other.config.metadata.attempt < attempt) newest.set(name, record);
    }
    const order = ({firstAt, createdAt}: ContainerRecord) => BigInt(firstAt ?? createdAt);
    return [...newest.values()].sort((a, b) => Number(order(a) - order(b)));
  }

  readableContainers(): ContainerRecord[] {
    return this.#readable(this.store.containerIds());
  }

  #readable(ids: readonly string[]): ContainerRecord[] {
    return ids.flatMap((id) => {
      try {
        return this.store.readContainer(id) ?? [];
      } catch {
        return [];
      }
    });
  }

  findContainer(ref: string): ContainerRecord | undefined {
    if (isFullId(ref)) return this.store.readContainer(ref);
    const id = uniquePrefix(ref, this.store.containerIds(), 'container');
    return id === undefined ? undefined : this.store.readContainer(id);
  }

  requireContainer(ref: string): ContainerRecord {
    const record = this.findContainer(ref);
    if (!record) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'container', ref: ref || '""', list: 'ps -a'});
    return record;
  }

  stateOf(record: ContainerRecord): ContainerState {
    if (record.startError) return 'CONTAINER_EXITED';
    if (!record.init) return 'CONTAINER_CREATED';
    return this.#hasEnded(record, record.init) ? 'CONTAINER_EXITED' : 'CONTAINER_RUNNING';
  }

  /** Dead and on record, or dead with nobody left who would record it; in between it counts as running. */
  #hasEnded(record: ContainerRecord, init: ProcessIdentity): boolean {
    if (this.store.hasExit(record.id)) return true;
    if (isProcessAlive(init)) return false;
    return !(record.supervisor && isProcessAlive(record.supervisor)) || this.store.hasExit(record.id);
  }

  async containerStatus(request: {
    containerId: string;
    verbose?: boolean;
  }): Promise<{status: ContainerStatus; info: Record<string, string>}> {
    const record = this.requireContainer(request.containerId);
    const state = this.stateOf(record);
    const exit = this.store.readExit(record.id);
    const sandbox = this.store.readSandbox(record.sandboxId);
    const program = sandbox ? programOf(record, sandbox) : undefined;
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
      imageRef: record.image?.id ?? record.config.image.image,
      reason: record.startError ? 'StartError' : ended ? await reasonOf(record, exitCode) : '',
      message: record.startError?.message ?? (lost ? 'its supervisor was killed, and the exit code with it' : ''),
      labels: record.config.labels ?? {},
      annotations: record.config.annotations ?? {},
      mounts: record.config.mounts ?? [],
      logPath: record.logPath,
      ...resourcesOf(record),
      ...(program
        ? {
            user: {
              linux: {
                uid: program.uid,
                gid: program.gid,
                supplementalGroups: [program.gid, ...program.groups.filter((group) => group !== program.gid)],
              },
            },
          }
        : {}),
    };
    const info = request.verbose
      ? {
          info: JSON.stringify({
            pid: record.init?.pid,
            startTime: record.init?.startTime,
            sandboxID: record.sandboxId,
            argv: record.argv,
          }),
        }
      : {};
    return {status, info};
  }

  async listContainers(request: {filter?: ContainerFilter} = {}): Promise<{containers: Container[]}> {
    const {filter = {}} = request;
    const {podSandboxId = ''} = filter;
    const containers = (isFullId(podSandboxId) ? this.containersOf(podSandboxId) : this.readableContainers())
      .filter((record) => !filter.id || record.id.startsWith(filter.id))
      .filter((record) => !filter.podSandboxId || record.sandboxId.startsWith(filter.podSandboxId))
      .filter((record) => matchesLabels(record.config.labels, filter.labelSelector))
      .map(
        (record): Container => ({
          id: record.id,
          podSandboxId: record.sandboxId,
          metadata: record.config.metadata,
          image: record.config.image,
          imageRef: record.image?.id ?? record.config.image.image,
          state: this.stateOf(record),
          createdAt: BigInt(record.createdAt),
          labels: record.config.labels ?? {},
          annotations: record.config.annotations ?? {},
        }),
      )
      .filter((item) => !filter.state || item.state === filter.state)
      .sort((a, b) => Number(b.createdAt - a.createdAt));
    return {containers};
  }

  requireRunning(ref: string, verb: string): {record: ContainerRecord; sandbox: SandboxRecord; init: ProcessIdentity} {
    const record = this.requireContainer(ref);
    const state = this.stateOf(record);
    if (state !== 'CONTAINER_RUNNING' || !record.init) {
      throw subrootError('SUBROOT_WRONG_STATE', {
        kind: 'container',
        id: record.id.slice(0, 13),
        state: state.slice('CONTAINER_'.length),
        verb,
        needed: 'RUNNING',
        mend: 'see why with `subroot logs` and `subroot inspect`',
      });
    }
    return {record, sandbox: this.requireSandbox(record.sandboxId), init: record.init};
  }

  /** The request of a program that joins a container, for the agent in either way: resident, or once with the caller's streams. */
  planExec(containerId: string, argv: readonly string[], options: JoinOptions = {}): AgentRequest {
    if (argv.length === 0) throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'cmd', why: 'it is empty'});
    const {record, sandbox, init} = this.requireRunning(containerId, 'Exec');
    const own = programOf(record, sandbox);
    const env = new Map(own.env);
    // As containerd does; without it readline and curses take the terminal for a dumb one.
    if (options.terminal && !env.has('TERM')) env.set('TERM', 'xterm');
    for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, value);
    const program: ProgramIdentity = {
      ...own,
      uid: options.uid ?? own.uid,
      gid: options.gid ?? own.gid,
      cwd: options.cwd ?? own.cwd,
      env: [...env],
    };
    requireIds(sandbox, {uid: [program.uid]}, {gid: [program.gid]});
    const mappings = mappingsOf(sandbox.config);
    const steps = planExec({
      hasUserns: mappings !== undefined,
      shares: sharesOf(sandbox.config),
      ownsNode: sandbox.mode === 'host',
      groups: sandbox.mode === 'single' ? '-' : '',
      terminal: options.terminal ?? false,
      ttyGroup: mappings ? mappings.gids.length > 5 : sandbox.mode === 'host',
      ownSession: options.ownSession ?? true,
      accounting: accountingOf(record),
      program,
      argv,
    });
    const agentOptions: Record<string, string> = {
      in: `${init.pid}:${init.startTime}`,
      owner: ownerOf(sandbox, program),
      ...(options.terminal ? {tty: '1'} : {}),
      ...pidOptionsOf(sandbox),
    };
    return {options: agentOptions, steps};
  }

  /** The folder of a container's attach socket, for those who attach. Throws unless it runs. */
  attachFolder(containerId: string): {folder: string; tty: boolean; stdin: boolean} {
    const {record} = this.requireRunning(containerId, 'Attach');
    return {
      folder: this.store.containerFolder(record.id),
      tty: record.config.tty ?? false,
      stdin: record.config.stdin ?? false,
    };
  }
}

/** Why a program ended. Its groups stay until the container is removed, and they remember whom the kernel killed for lack of memory. */
async function reasonOf({cgroups}: ContainerRecord, exitCode: number): Promise<string> {
  if (exitCode === 0) return 'Completed';
  if (exitCode !== 137 || !cgroups) return 'Error';
  const {oomKillsOf} = await import('../host/cgroups.ts');
  return oomKillsOf(cgroups) > 0 ? 'OOMKilled' : 'Error';
}

/** Resources as they are applied. */
function resourcesOf(record: ContainerRecord): Pick<ContainerStatus, 'resources'> {
  const linux = record.resources ?? record.config.linux?.resources;
  if (!linux) return {};
  const {oomScoreAdj} = accountingOf(record);
  const applied = record.resources ?? {};
  return {resources: {linux: {...applied, ...(oomScoreAdj === undefined ? {} : {oomScoreAdj})}}};
}

function matchesLabels(
  labels: Readonly<Record<string, string>> | undefined,
  selector: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

function isFullId(ref: string): boolean {
  return /^[0-9a-f]{64}$/.test(ref);
}

/** The id that a reference is a prefix of, if it is the only one. */
function uniquePrefix(ref: string, ids: readonly string[], kind: string): string | undefined {
  if (ref === '') throw subrootError('SUBROOT_CONFIG_INVALID', {field: `${kind}_id`, why: 'it is empty'});
  const matches = ids.filter((id) => id.startsWith(ref));
  if (matches.length > 1)
    throw subrootError('SUBROOT_AMBIGUOUS', {
      ref,
      count: matches.length,
      kind,
      matches: matches.map((id) => id.slice(0, 13)).join(', '),
    });
  return matches[0];
}
