import {join} from 'node:path';
import type {Options, Result, TemplateExpression} from 'execa';
import type {StreamHandlers} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {type ChainTranslation, type IdMap, toContainerId, toHostId, translateChain} from '../../native-free/id-map.ts';
import {type ContainerRole, stopWishesOf} from '../../sim/index.ts';
import {AgentFailure} from '../host/agent.ts';
import {prepareOnce} from '../host/once.ts';
import type {Terminal} from '../pty/terminal.ts';
import {AttachConnection} from '../runtime/attach-client.ts';
import type {Inventory} from '../runtime/inventory.ts';
import {type LogRecord, readLog} from '../runtime/log-reader.ts';
import {chainOf, mapOf} from '../runtime/mappings.ts';
import type {ContainerRecord, SandboxRecord} from '../runtime/state-store.ts';
import {explainStepLater} from '../runtime/step-failure-later.ts';
import type {Mode} from '../userns/mode.ts';
import {type Evidence, readEvidence} from './evidence.ts';
import {hopOf} from './hop.ts';
import type {CallOptions, PodNode, StopOptions} from './node.ts';
import {blockOf} from './pod-list.ts';
import type {Supervision} from './supervision.ts';

/** Options of a program run in a pod; the rest is execa's. */
export interface ExecOptions {
  /** The container, when the pod has more than one; the first by default. */
  readonly container?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Folder inside the container. */
  readonly cwd?: string;
  /** Container-side ids instead of the container's own. */
  readonly uid?: number;
  readonly gid?: number;
}

/** What is known of a container of a pod. */
export interface ContainerOverview {
  readonly id: string;
  readonly name: string;
  readonly role: ContainerRole;
  /** `CREATED`, `RUNNING`, `EXITED`. */
  readonly state: string;
  readonly exitCode: number;
  /** As the caller sees it; undefined when it never ran. */
  readonly pid: number | undefined;
  readonly restarts: number;
}

/** Translates ids of a pod: `toHost(0)` is what root in the pod is for the caller. */
export interface PodIdMap {
  readonly uid: IdMap;
  readonly gid: IdMap;
  /** The caller's uid of a uid in the pod, undefined when it is not mapped there. */
  toHost(containerUid: number): number | undefined;
  /** The pod's uid of one of the caller's uids, undefined when it is not mapped in the pod. */
  toContainer(hostUid: number): number | undefined;
  /** Every level between the pod and the caller, with the id at each. */
  trace(containerUid: number): ChainTranslation;
}

type Execa<OptionsType extends Options> = (
  strings: TemplateStringsArray,
  ...values: readonly TemplateExpression[]
) => Promise<Result<OptionsType>>;

/** A pod as its records and /proc show it: everything that needs no agent of its own. */
export class PodView {
  protected readonly record: SandboxRecord;
  readonly #inventory: Inventory;

  /** @internal use PodNode.pod or findPod */
  constructor(inventory: Inventory, record: SandboxRecord) {
    this.#inventory = inventory;
    this.record = record;
  }

  /** The sandbox id: 64 hexadecimal digits. */
  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.config.metadata.name;
  }

  get namespace(): string {
    return this.record.config.metadata.namespace;
  }

  get uid(): string {
    return this.record.config.metadata.uid;
  }

  get mode(): Mode {
    return this.record.mode;
  }

  /** Pid of the process that keeps the pod's namespaces, as the caller sees it. */
  get pid(): number {
    const {holder} = this.record;
    if (!holder) throw this.#gone('its process');
    return holder.pid;
  }

  /** Its ids as the caller's: the first and how many. Undefined for a pod in the node's own user namespace. */
  get block(): {readonly first: number; readonly size: number} | undefined {
    return blockOf(this.record);
  }

  get map(): PodIdMap {
    const uid = mapOf(this.record, 'uid');
    const gid = mapOf(this.record, 'gid');
    const chain = chainOf(this.record, 'uid');
    return {
      uid,
      gid,
      toHost: (id) => toHostId(uid, id),
      toContainer: (id) => toContainerId(uid, id),
      trace: (id) => translateChain(chain, id, 'to-host'),
    };
  }

  #gone(what: string) {
    return subrootError('SUBROOT_PROCESS_GONE', {action: `reach ${what} of pod ${this.name}`});
  }

  /**
   * The containers, the newest of each name, in the order in which their names came first. `restarts` says how often it was started
   * again; init containers and sidecars are among them.
   */
  async containers(): Promise<ContainerOverview[]> {
    const details = this.#inventory.currentContainers(this.id).map(async ({id, config}) => {
      const {status, info} = await this.#inventory.containerStatus({containerId: id, verbose: true});
      const {pid} = JSON.parse(info.info ?? '{}') as {pid?: number};
      const {name, attempt} = config.metadata;
      const {role} = stopWishesOf(config.annotations ?? {});
      const state = status.state.slice('CONTAINER_'.length);
      return {id, name, role, state, exitCode: status.exitCode, pid, restarts: attempt};
    });
    return await Promise.all(details);
  }

  /** The id of a container by name, or of the first of the pod's `containers`. Errors: SUBROOT_POD_HAS_NO_CONTAINER. */
  async containerId(name?: string): Promise<string> {
    const all = this.#inventory.currentContainers(this.id);
    const isApp = ({config}: ContainerRecord) => stopWishesOf(config.annotations ?? {}).role === 'app';
    const named =
      name === undefined ? (all.find(isApp) ?? all[0]) : all.find(({config}) => config.metadata.name === name);
    // An id is told from a name by its length: a name that is a hexadecimal digit or two would fit many ids.
    const found =
      named ??
      (name !== undefined && name.length >= 4
        ? this.#inventory.containersOf(this.id).find(({id}) => id.startsWith(name))
        : undefined);
    if (!found)
      throw subrootError('SUBROOT_POD_HAS_NO_CONTAINER', {
        pod: this.name,
        container: name ?? '(none)',
        containers: all.map(({config}) => config.metadata.name).join(', ') || 'none',
      });
    return found.id;
  }

  /**
   * Runs a program in a container of the pod: `` await pod.$`id -u` ``, or with execa's options `` await pod.$({input: 'x'})`cat` ``.
   * Result and error have execa's shape (stdout, stderr, exitCode, failed, timedOut, isCanceled, …); values become one argument each,
   * arrays several, and no shell reads them. A program that cannot be started rejects with SUBROOT_COMMAND_NOT_FOUND and the like.
   */
  $: Execa<Record<never, never>> &
    (<OptionsType extends Options>(options: OptionsType & ExecOptions) => Execa<OptionsType>) = ((
    first: TemplateStringsArray | (Options & ExecOptions),
    ...values: readonly TemplateExpression[]
  ) => {
    if (Array.isArray(first) && 'raw' in first) return this.#run({}, first as TemplateStringsArray, values);
    const options = first as Options & ExecOptions;
    return (strings: TemplateStringsArray, ...inner: readonly TemplateExpression[]) =>
      this.#run(options, strings, inner);
  }) as never;

  /** Runs an argument list in the pod; as `$`, for those who have an array. */
  async exec<OptionsType extends Options = Record<never, never>>(
    argv: readonly string[],
    options?: OptionsType & ExecOptions,
  ): Promise<Result<OptionsType>> {
    return (await this.#run((options ?? {}) as Options & ExecOptions, emptyTemplate, [
      argv,
    ])) as unknown as Result<OptionsType>;
  }

  async #run(
    options: Options & ExecOptions,
    strings: TemplateStringsArray,
    values: readonly TemplateExpression[],
  ): Promise<Result> {
    const {container, env, cwd, uid, gid, ...rest} = options;
    const containerId = await this.containerId(container);
    const {execa, ExecaError} = await import('execa');
    // The program's own words are put together by execa's rules, by letting it build the command line of our helper.
    const marker = '@subroot@';
    const built = buildWords(strings, values);
    const plan = this.#inventory.planExec(containerId, built, {
      ownSession: true,
      ...(env ? {env: env as Record<string, string>} : {}),
      ...(typeof cwd === 'string' ? {cwd} : {}),
      ...(uid === undefined ? {} : {uid}),
      ...(gid === undefined ? {} : {gid}),
    });
    const once = prepareOnce(
      join(this.#inventory.store.root, 'plans'),
      {...plan.options, ...hopOf(this.record)},
      plan.steps,
    );
    const [file = '', ...args] = once.argv;
    const command = built.join(' ');
    try {
      const result = await execa(file, args, {...rest, env: {LC_ALL: 'C'}, cwd: '/'} as Options);
      // With `reject: false` too: a program that never ran has no result.
      const failure = result.failed ? once.failure() : undefined;
      if (failure) throw failure;
      return rename(result, [file, ...args].join(' '), command) as Result;
    } catch (error) {
      const failure = error instanceof AgentFailure ? error : once.failure();
      if (failure) throw await explainStepLater(failure, plan.steps, `run ${built[0] ?? marker}`);
      if (error instanceof ExecaError) rename(error, [file, ...args].join(' '), command);
      throw error;
    } finally {
      once.discard();
    }
  }

  /** The command that runs a program in the pod with the caller's own streams; `failure` explains why it never ran. */
  async prepareExec(argv: readonly string[], options: ExecOptions & {readonly terminal?: boolean} = {}) {
    const {container, ...rest} = options;
    const plan = this.#inventory.planExec(await this.containerId(container), argv, {...rest, ownSession: false});
    const once = prepareOnce(
      join(this.#inventory.store.root, 'plans'),
      {...plan.options, ...hopOf(this.record)},
      plan.steps,
    );
    return {
      argv: once.argv,
      isPending: once.isPending,
      failure: async () => {
        const failure = once.failure();
        return failure && (await explainStepLater(failure, plan.steps, `run ${argv[0] ?? ''}`));
      },
      discard: once.discard,
    };
  }

  /** A program in a terminal of its own: node-pty's when it is installed, else one of script(1). */
  async terminal(
    argv: readonly string[],
    options: ExecOptions & {
      readonly rows?: number;
      readonly columns?: number;
      readonly backend?: 'node-pty' | 'script';
    } = {},
  ): Promise<Terminal> {
    const {rows, columns, backend, ...rest} = options;
    const {openPrepared} = await import('../pty/terminal.ts');
    const prepared = await this.prepareExec(argv, {...rest, terminal: true});
    return await openPrepared(prepared, {rows: rows ?? 24, columns: columns ?? 80, ...(backend ? {backend} : {})});
  }

  /** Connects to the streams of a container that runs. */
  async attach(
    handlers: StreamHandlers,
    options: {readonly container?: string} = {},
  ): Promise<AttachConnection & {tty: boolean; stdin: boolean}> {
    const {folder, tty, stdin} = this.#inventory.attachFolder(await this.containerId(options.container));
    return Object.assign(await AttachConnection.open(folder, handlers), {tty, stdin});
  }

  /** The container's log so far, one record per line. */
  async logs(options: {readonly container?: string} = {}): Promise<LogRecord[]> {
    const {status} = await this.#inventory.containerStatus({containerId: await this.containerId(options.container)});
    return readLog(status.logPath);
  }

  /** Resolves when all containers but sidecars have ended, with the exit code of the first that failed, or 0. */
  async wait(options: CallOptions = {}): Promise<number> {
    for (let delay = 1; ; delay = Math.min(delay * 2, 50)) {
      const containers = (await this.containers()).filter(({role}) => role !== 'sidecar');
      if (containers.every(({state}) => state === 'EXITED'))
        return containers.find(({exitCode}) => exitCode !== 0)?.exitCode ?? 0;
      if (options.signal?.aborted)
        throw subrootError('SUBROOT_CANCELLED', {what: `waiting for pod ${this.name}`}, options.signal.reason);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

/** A pod that can be stopped and removed. With `await using` it is removed at the end of the scope. */
export class RunningPod extends PodView implements AsyncDisposable {
  readonly #node: PodNode;
  /** Milliseconds from the call to the last container running; 0 for a pod that was found. */
  readonly durationMs: number;
  /** Who looks after it, when this process does: `runPod(…, {supervise: true})`. */
  readonly supervision: Supervision | undefined;

  /** @internal use PodNode.runPod or PodNode.pod */
  constructor(node: PodNode, record: SandboxRecord, durationMs: number, supervision?: Supervision) {
    super(node.runtime.inventory, record);
    this.#node = node;
    this.durationMs = durationMs;
    this.supervision = supervision;
  }

  /** As of any pod; of one that is looked after: resolves when it has ended for good, and nothing will be started again. */
  override async wait(options: CallOptions = {}): Promise<number> {
    await this.supervision?.until(({phase}) => phase === 'Succeeded' || phase === 'Failed', options);
    return await super.wait(options);
  }

  /** Reads the proof that this pod's root is nobody outside. */
  async evidence(): Promise<Evidence> {
    return await readEvidence(this.#node, this.record, this.pid);
  }

  /** Stops the containers (preStop hook, stop signal, the pod's grace or this one in seconds, SIGKILL) and the sandbox; records and logs stay. */
  async stop(options: StopOptions = {}): Promise<void> {
    await this.#node.stopPod(this.record, options);
  }

  /** Removes the pod and every trace of it; stops it first, at once unless a grace is given. Removing again is fine. */
  async remove(options: StopOptions = {}): Promise<void> {
    await this.#node.removePod(this.record, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

const emptyTemplate: TemplateStringsArray = Object.assign(['', ''], {raw: ['', '']});

/** Words of a template: literal text splits at spaces, a value is one word or joins what it touches, an array is several. */
function buildWords(strings: TemplateStringsArray, values: readonly TemplateExpression[]): string[] {
  const words: string[] = [];
  let open = false;
  const append = (text: string) => {
    if (open) words.push((words.pop() ?? '') + text);
    else words.push(text);
    open = true;
  };
  strings.forEach((literal, index) => {
    const pieces = literal.split(/([ \t\r\n]+)/);
    for (const piece of pieces) {
      if (piece === '') continue;
      if (/^[ \t\r\n]+$/.test(piece)) open = false;
      else append(piece);
    }
    if (index >= values.length) return;
    const value = values[index];
    const list = Array.isArray(value) ? value : [value];
    list.forEach((item, position) => {
      if (position > 0) open = false;
      append(wordOf(item));
    });
  });
  return words;
}

function wordOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  // The result of an earlier program stands for what it wrote.
  if (typeof value === 'object' && value !== null && 'stdout' in value && typeof value.stdout === 'string')
    return value.stdout;
  throw subrootError('SUBROOT_USAGE', {
    what: `a value of type ${value === null ? 'null' : typeof value} cannot be a word of a command`,
    mend: 'pass a string, a number, an array of them or a result',
  });
}

/** Lets an execa result or error speak of the program in the pod instead of the helper that joins it. */
function rename<Subject extends object>(subject: Subject, helper: string, command: string): Subject {
  const fields = subject as Record<string, unknown>;
  const escaped = typeof fields.escapedCommand === 'string' ? fields.escapedCommand : helper;
  for (const field of ['command', 'escapedCommand', 'message', 'shortMessage', 'originalMessage', 'stack']) {
    const value = fields[field];
    if (typeof value === 'string') fields[field] = value.replaceAll(helper, command).replaceAll(escaped, command);
  }
  return subject;
}
