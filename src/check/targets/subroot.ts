import {randomUUID} from 'node:crypto';
import {subrootError} from '../../../native-free/errors.ts';
import {packageVersion} from '../../host/machine-summary.ts';
import {runWithInput} from '../../host/run-with-input.ts';
import {createNode, type PodNode} from '../../node/node.ts';
import type {NodeOptions} from '../../node/node-options.ts';
import type {RunningPod} from '../../node/running-pod.ts';
import type {Refusal, RefusalRule, RefusingTarget} from '../refusals.ts';
import type {Ability, TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, TargetPod} from '../target.ts';

const container = 'check';

/** Our own pods, bound to this process: the same ones that `runPod` makes. */
export class SubrootTarget implements RefusingTarget {
  readonly description: TargetDescription;
  readonly existing: readonly TargetPod[] = [];
  /** For tests that break its plans, to see that the checks notice. */
  readonly node: PodNode;
  readonly #pods = new Set<TargetPod>();

  private constructor(node: PodNode) {
    this.node = node;
    const isHost = node.mode === 'host';
    this.description = {
      target: 'subroot',
      version: `subroot ${packageVersion()}, mode ${node.mode}`,
      abilities: {
        start: true,
        'two-pods': node.mode !== 'single',
        'same-range': isHost,
        control: true,
        exec: true,
        'all-capabilities': true,
        mounts: isHost,
        'idmapped-mounts': isHost,
        stdio: true,
        outside: true,
      },
      notes: [],
    };
  }

  /** Errors: createNode's. */
  static async open(options: Omit<NodeOptions, 'lifetime'> = {}): Promise<SubrootTarget> {
    return new SubrootTarget(await createNode({...options, lifetime: 'bound'}));
  }

  has(ability: Ability): boolean {
    return this.description.abilities[ability];
  }

  /** What a CRI runtime must refuse; see RefusingTarget. */
  async tryRule(rule: RefusalRule): Promise<Refusal | undefined> {
    const [{tryCriRule}, {FreeBlocks}] = await Promise.all([import('./cri-rules.ts'), import('./free-blocks.ts')]);
    const {start: firstId} = new FreeBlocks().take();
    const ground = {firstId, network: 'POD' as const, runtimeHandler: '', verbs: this.node.runtime};
    return await tryCriRule({...ground, container: {image: {image: 'host'}, command: ['sleep', 'infinity']}}, rule);
  }

  async start(request: PodRequest): Promise<TargetPod> {
    const {runtime} = this.node;
    const sandboxId = request.range === undefined ? await this.#runPod(request) : await this.#runSandbox(request);
    const pod = this.node.pod(sandboxId);
    try {
      const record = runtime.inventory.requireSandbox(sandboxId);
      const userns = record.config.linux?.securityContext?.namespaceOptions?.usernsOptions;
      const {containerId} = await runtime.createContainer({
        podSandboxId: sandboxId,
        sandboxConfig: record.config,
        config: {
          metadata: {name: container, attempt: 0},
          image: {image: 'host'},
          command: ['sleep', 'infinity'],
          ...(request.capabilities === 'all' ? {linux: {securityContext: {privileged: true}}} : {}),
          mounts: (request.mounts ?? []).map(({hostPath, containerPath, readonly, idmapped}) => ({
            hostPath,
            containerPath,
            readonly: readonly ?? false,
            ...(idmapped && userns ? {uidMappings: userns.uids, gidMappings: userns.gids} : {}),
          })),
        },
      });
      await runtime.startContainer({containerId});
      const {init} = runtime.inventory.requireRunning(containerId, 'Exec');
      if (request.stdio?.stdin !== undefined) await this.#runWith(pod, request.stdio.stdin);
      return this.#podOf(request, pod, init, userns);
    } catch (error) {
      await this.#remove(pod);
      throw error;
    }
  }

  async #runPod(request: PodRequest): Promise<string> {
    const pod = await this.node.runPod({
      name: `check-${request.name}-${randomUUID().slice(0, 8)}`,
      hostUsers: !request.userNamespace,
    });
    return pod.id;
  }

  /** A sandbox with ids that another pod may have too: past the ledger, which would never give them twice. */
  async #runSandbox({name, range = {hostId: 0, size: 0}}: PodRequest): Promise<string> {
    const mapping = [{hostId: range.hostId, containerId: 0, length: range.size}];
    const usernsOptions = {mode: 'POD' as const, uids: mapping, gids: mapping};
    const namespaceOptions = {network: 'POD', pid: 'CONTAINER', ipc: 'POD', usernsOptions} as const;
    const uid = randomUUID();
    const {podSandboxId} = await this.node.runtime.runPodSandbox({
      config: {
        metadata: {name: `check-${name}-${uid.slice(0, 8)}`, namespace: 'default', uid, attempt: 0},
        linux: {securityContext: {namespaceOptions}},
      },
    });
    return podSandboxId;
  }

  /** A container's own program has pipes always; a caller's descriptors reach a program in the pod as those of `exec` do. */
  async #runWith(pod: RunningPod, stdin: string): Promise<void> {
    const prepared = await pod.prepareExec(['cat'], {container});
    try {
      const exitCode = await runWithInput(prepared.argv, stdin);
      const failure = await prepared.failure();
      if (failure) throw failure;
      if (exitCode !== 0) throw subrootError('SUBROOT_INTERNAL', {what: `cat of ${stdin} ended with ${exitCode}`});
    } finally {
      prepared.discard();
    }
  }

  async #remove(pod: RunningPod): Promise<void> {
    await pod.remove();
  }

  #podOf(
    request: PodRequest,
    pod: RunningPod,
    init: TargetPod['init'],
    userns: {uids: readonly {hostId: number; containerId: number; length: number}[]} | undefined,
  ): TargetPod {
    const {uid, gid} = pod.map;
    const made: TargetPod = {
      name: request.name,
      init: {pid: init.pid, startTime: init.startTime},
      declared: {userNamespace: userns !== undefined, ...(userns ? {uids: uid, gids: gid} : {})},
      exec: async (argv, options = {}): Promise<ExecResult> => {
        const {exitCode, stdout, stderr} = await pod.exec(argv, {
          container,
          reject: false,
          timeout: options.timeoutMs ?? 20_000,
          ...(options.uid === undefined ? {} : {uid: options.uid, gid: options.uid}),
          ...(options.input === undefined ? {stdin: 'ignore' as const} : {input: options.input}),
        });
        return {exitCode: exitCode ?? 255, stdout: String(stdout), stderr: String(stderr)};
      },
      remove: async () => {
        if (!this.#pods.delete(made)) return;
        await this.#remove(pod);
      },
    };
    this.#pods.add(made);
    return made;
  }

  async close(): Promise<void> {
    for (const pod of [...this.#pods]) await pod.remove();
    await this.node.close();
  }
}
