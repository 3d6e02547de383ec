import {randomUUID} from 'node:crypto';
import type {IDMapping, PodSandboxConfig} from '../../native-free/cri.ts';
import type {PodNode, RunningPod} from '../../src/index.ts';
import type {Case} from './measure.ts';

const namespaceOptions = {network: 'POD', pid: 'CONTAINER', ipc: 'POD'} as const;

function sandboxConfig(map: IDMapping): PodSandboxConfig {
  const uid = randomUUID();
  const usernsOptions = {mode: 'POD', uids: [map], gids: [map]} as const;
  const securityContext = {namespaceOptions: {...namespaceOptions, usernsOptions}};
  return {
    metadata: {name: `bench-${uid.slice(0, 8)}`, namespace: 'default', uid, attempt: 0},
    linux: {securityContext},
  };
}

export interface Sandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  remove(): Promise<void>;
}

/** A sandbox by the CRI verbs alone, with a block of the node's ledger. `ahead` makes what is prepared ahead of it. */
export async function sandboxMaker(node: PodNode, ahead?: 'userns' | 'sandbox'): Promise<() => Promise<Sandbox>> {
  const {runtime, ledger} = node;
  const [block] = ledger.claimPrepared(1);
  if (block === undefined) throw new Error('no block is left for the bench');
  const map = {hostId: block.hostId, containerId: 0, length: block.size};
  if (ahead === 'userns') await runtime.prepareUserns(map, map);
  if (ahead === 'sandbox') await runtime.prepareSandbox(map, map);
  const config = sandboxConfig(map);
  return async () => {
    const {podSandboxId: id} = await runtime.runPodSandbox({config});
    return {
      id,
      config,
      async remove() {
        await runtime.removePodSandbox({podSandboxId: id});
        ledger.releasePrepared(block);
      },
    };
  };
}

/** A started container in a sandbox; answers its id. */
export async function startContainer({runtime}: PodNode, sandbox: Sandbox): Promise<string> {
  const name = `c${randomUUID().slice(0, 8)}`;
  const config = {
    metadata: {name, attempt: 0},
    image: {image: 'host', userSpecifiedImage: 'host'},
    command: ['sleep', 'infinity'],
    linux: {
      securityContext: {namespaceOptions: sandbox.config.linux?.securityContext?.namespaceOptions ?? namespaceOptions},
    },
  };
  const {containerId} = await runtime.createContainer({
    podSandboxId: sandbox.id,
    config,
    sandboxConfig: sandbox.config,
  });
  await runtime.startContainer({containerId});
  return containerId;
}

/** A whole pod by `node.runPod`, from the call to its container's program, and its removal. */
export function podCase(name: string, node: PodNode, ahead: {ranges?: number; sandboxes?: number} = {}): Case {
  let pod: RunningPod | undefined;
  return {
    name,
    before: () => node.prepare(ahead),
    run: async () => {
      pod = await node.runPod({});
    },
    undo: () => pod?.remove(),
  };
}

export function sandboxCase(name: string, node: PodNode, ahead?: 'userns' | 'sandbox'): Case {
  let make: (() => Promise<Sandbox>) | undefined;
  let sandbox: Sandbox | undefined;
  return {
    name,
    before: async () => {
      make = await sandboxMaker(node, ahead);
    },
    run: async () => {
      sandbox = await make?.();
    },
    undo: () => sandbox?.remove(),
  };
}

export function containerCase(name: string, node: PodNode): Case {
  let sandbox: Sandbox | undefined;
  let id = '';
  return {
    name,
    before: async () => {
      sandbox ??= await (await sandboxMaker(node))();
    },
    run: async () => {
      if (sandbox) id = await startContainer(node, sandbox);
    },
    undo: () => node.runtime.removeContainer({containerId: id}),
  };
}
