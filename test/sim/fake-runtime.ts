import type {
  Container,
  ContainerConfig,
  ContainerState,
  PodSandbox,
  PodSandboxConfig,
  RuntimeService,
} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';

interface FakeContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly config: ContainerConfig;
  state: ContainerState;
  exitCode?: number;
}

/** A runtime that remembers what it was told, holds its tables right, and fails at the n-th call when asked to. */
export class FakeRuntime implements RuntimeService {
  readonly calls: string[] = [];
  readonly sandboxes = new Map<string, {config: PodSandboxConfig; ready: boolean}>();
  readonly containers = new Map<string, FakeContainer>();
  /** The n-th call (from 1) fails; with `leaves`, after it has had its effect. */
  failAt = 0;
  leaves = false;
  /** Calls whose name begins so always fail. */
  broken: string | undefined;
  exitCodes: Record<string, number> = {};
  onCall: (call: string) => void = () => undefined;
  /** What a program that is run in a container answers: an exit code, or what it throws. */
  onExec: (container: string, cmd: readonly string[]) => number | Promise<number> = () => 0;
  #next = 0;

  #call(name: string, effect: () => void): void {
    this.calls.push(name);
    this.onCall(name);
    const fails = this.calls.length === this.failAt || (this.broken !== undefined && name.startsWith(this.broken));
    if (!fails || this.leaves) effect();
    if (fails) throw subrootError('SUBROOT_INTERNAL', {what: `injected failure of ${name}`});
  }

  async runPodSandbox({config, runtimeHandler}: {config: PodSandboxConfig; runtimeHandler?: string}) {
    const podSandboxId = `sandbox${this.#next++}`;
    this.#call(`runPodSandbox ${config.metadata.name}${runtimeHandler ? ` ${runtimeHandler}` : ''}`, () => {
      this.sandboxes.set(podSandboxId, {config, ready: true});
    });
    return {podSandboxId};
  }

  async updateContainerResources({containerId}: {containerId: string}) {
    this.#call(`updateContainerResources ${containerId}`, () => undefined);
  }

  async stopPodSandbox({podSandboxId}: {podSandboxId: string}) {
    this.#call(`stopPodSandbox ${podSandboxId}`, () => {
      const sandbox = this.sandboxes.get(podSandboxId);
      if (sandbox) sandbox.ready = false;
    });
  }

  async removePodSandbox({podSandboxId}: {podSandboxId: string}) {
    this.#call(`removePodSandbox ${podSandboxId}`, () => {
      this.sandboxes.delete(podSandboxId);
      for (const [id, container] of this.containers)
        if (container.podSandboxId === podSandboxId) this.containers.delete(id);
    });
  }

  async createContainer({podSandboxId, config}: {podSandboxId: string; config: ContainerConfig}) {
    const containerId = `container${this.#next++}`;
    this.#call(`createContainer ${config.metadata.name}`, () => {
      this.containers.set(containerId, {id: containerId, podSandboxId, config, state: 'CONTAINER_CREATED'});
    });
    return {containerId};
  }

  async startContainer({containerId}: {containerId: string}) {
    const container = this.containers.get(containerId);
    this.#call(`startContainer ${container?.config.metadata.name}`, () => {
      if (container) container.state = 'CONTAINER_RUNNING';
    });
  }

  async stopContainer({containerId, timeout}: {containerId: string; timeout: number}) {
    const container = this.containers.get(containerId);
    this.#call(`stopContainer ${container?.config.metadata.name} ${timeout}`, () => {
      if (container?.state !== 'CONTAINER_RUNNING') return;
      container.state = 'CONTAINER_EXITED';
      container.exitCode = timeout === 0 ? 137 : 143;
    });
  }

  async removeContainer({containerId}: {containerId: string}) {
    this.#call(`removeContainer ${this.containers.get(containerId)?.config.metadata.name}`, () => {
      this.containers.delete(containerId);
    });
  }

  async containerStatus({containerId}: {containerId: string}) {
    const container = this.containers.get(containerId);
    if (!container) throw subrootError('SUBROOT_NOT_FOUND', {kind: 'container', ref: containerId, list: 'ps'});
    const {name} = container.config.metadata;
    this.#call(`containerStatus ${name}`, () => undefined);
    const state = container.state;
    // Init containers take one look to end.
    if (name in this.exitCodes && state === 'CONTAINER_RUNNING') container.state = 'CONTAINER_EXITED';
    return {
      status: {
        ...this.#itemOf(container, state),
        startedAt: 0n,
        finishedAt: 0n,
        exitCode: container.exitCode ?? this.exitCodes[name] ?? 0,
        reason: (container.exitCode ?? this.exitCodes[name] ?? 0) === 0 ? 'Completed' : 'Error',
        message: '',
        mounts: [],
        logPath: `/logs/${container.config.logPath}`,
      },
      info: {},
    };
  }

  async podSandboxStatus({podSandboxId}: {podSandboxId: string}) {
    const {items} = await this.listPodSandbox();
    const sandbox = items.find(({id}) => id === podSandboxId);
    const options = this.sandboxes.get(podSandboxId)?.config.linux?.securityContext?.namespaceOptions;
    if (!sandbox || !options)
      throw subrootError('SUBROOT_NOT_FOUND', {kind: 'sandbox', ref: podSandboxId, list: 'pods'});
    return {status: {...sandbox, network: {ip: ''}, linux: {namespaces: {options}}}, info: {}};
  }

  async listPodSandbox({filter = {}}: {filter?: {labelSelector?: Readonly<Record<string, string>>}} = {}) {
    this.calls.push('listPodSandbox');
    const items = [...this.sandboxes].map(
      ([id, {config, ready}]): PodSandbox => ({
        id,
        metadata: config.metadata,
        state: ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
        createdAt: 0n,
        labels: config.labels ?? {},
        annotations: config.annotations ?? {},
        runtimeHandler: '',
      }),
    );
    const wanted = Object.entries(filter.labelSelector ?? {});
    return {items: items.filter(({labels}) => wanted.every(([key, value]) => labels[key] === value))};
  }

  async listContainers({filter = {}}: {filter?: {podSandboxId?: string; state?: ContainerState}} = {}) {
    const fits = ({podSandboxId, state}: FakeContainer) =>
      (filter.podSandboxId ?? podSandboxId) === podSandboxId && (filter.state ?? state) === state;
    const items = [...this.containers.values()].filter(fits);
    return {containers: items.map((container) => this.#itemOf(container, container.state))};
  }

  async execSync({containerId, cmd}: {containerId: string; cmd: readonly string[]}) {
    const container = this.containers.get(containerId)?.config.metadata.name ?? '';
    this.calls.push(`execSync ${container} ${cmd.join(' ')}`);
    const exitCode = await this.onExec(container, cmd);
    return {stdout: new TextEncoder().encode(`said by ${cmd[0]}`), stderr: new Uint8Array(), exitCode};
  }

  /** The program of a container ends. */
  exit(name: string, exitCode: number): void {
    const container = [...this.containers.values()].findLast(({config}) => config.metadata.name === name);
    if (container?.state !== 'CONTAINER_RUNNING') throw new Error(`container ${name} does not run`);
    container.state = 'CONTAINER_EXITED';
    container.exitCode = exitCode;
  }

  #itemOf({id, podSandboxId, config}: FakeContainer, state: ContainerState): Container {
    return {
      ...{id, podSandboxId, metadata: config.metadata, image: config.image, imageRef: config.image.image, state},
      ...{createdAt: 0n, labels: config.labels ?? {}, annotations: config.annotations ?? {}},
    };
  }
}
