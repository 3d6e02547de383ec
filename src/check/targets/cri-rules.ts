import {randomUUID} from 'node:crypto';
import type {ContainerConfig, PodSandboxConfig, RuntimeService, UserNamespace} from '../../../native-free/cri.ts';
import {BLOCK_SIZE} from '../../../native-free/ids.ts';
import type {Refusal, RefusalRule} from '../refusals.ts';

/** The verbs that the rules need; the runtime of a node of ours has them, and so has a client of CRI. */
export type SandboxVerbs = Pick<
  RuntimeService,
  'runPodSandbox' | 'stopPodSandbox' | 'removePodSandbox' | 'createContainer'
>;

/** What a good pod is made of; the rules break one thing of it. */
export interface RuleGround {
  readonly verbs: SandboxVerbs;
  /** First id of a block that is nobody's. */
  readonly firstId: number;
  readonly network: 'POD' | 'NODE';
  readonly runtimeHandler: string;
  /** A container for the sandbox, but for its namespaces. */
  readonly container: Omit<ContainerConfig, 'linux' | 'metadata'>;
}

/**
 * Asks a CRI runtime for what it must refuse, and removes what came of it. Undefined for a rule that is none of CRI's. Source: the answers of
 * containerd and CRI-O, and cri-tools pkg/validate/security_context_linux.go.
 */
export async function tryCriRule(ground: RuleGround, rule: RefusalRule): Promise<Refusal | undefined> {
  const good = [{hostId: ground.firstId, containerId: 0, length: BLOCK_SIZE}];
  const pod = (uids: UserNamespace['uids'], gids = uids): UserNamespace => ({mode: 'POD', uids, gids});
  switch (rule) {
    case 'refuses-no-mapping':
      return await trySandbox(ground, pod([]));
    case 'refuses-empty-extent':
      return await trySandbox(ground, pod([{hostId: ground.firstId, containerId: 0, length: 0}]));
    case 'refuses-two-mappings':
      return await trySandbox(
        ground,
        pod([
          {hostId: ground.firstId, containerId: 0, length: 1000},
          {hostId: ground.firstId + 1000, containerId: 1000, length: 1000},
        ]),
      );
    case 'refuses-unmapped-root':
      return await trySandbox(ground, pod([{hostId: ground.firstId, containerId: 1, length: 1000}]));
    case 'refuses-last-id':
      return await trySandbox(ground, pod([{hostId: 4_294_901_760, containerId: 0, length: BLOCK_SIZE}]));
    case 'refuses-node-with-mappings':
      return await trySandbox(ground, {mode: 'NODE', uids: good, gids: good});
    case 'refuses-container-mode':
      return await trySandbox(ground, {mode: 'CONTAINER', uids: good, gids: good});
    case 'refuses-other-userns-in-container': {
      const other = good.map((line) => ({...line, hostId: line.hostId + 1000}));
      return await trySandbox(ground, pod(good), pod(other));
    }
    case 'refuses-overlapping-maps':
      return undefined;
  }
}

/** With `own`, the sandbox must come to be, and the container in it must be refused. */
async function trySandbox(ground: RuleGround, userns: UserNamespace, own?: UserNamespace): Promise<Refusal> {
  const options = (usernsOptions: UserNamespace) => ({
    namespaceOptions: {network: ground.network, pid: 'CONTAINER' as const, ipc: 'POD' as const, usernsOptions},
  });
  const uid = randomUUID();
  const config: PodSandboxConfig = {
    metadata: {name: `rule-${uid.slice(0, 8)}`, uid, namespace: 'subroot-check', attempt: 0},
    linux: {securityContext: options(userns)},
  };
  const {verbs, runtimeHandler} = ground;
  let podSandboxId: string | undefined;
  try {
    ({podSandboxId} = await verbs.runPodSandbox({config, runtimeHandler}));
    if (own === undefined) return {refused: false, said: `sandbox ${podSandboxId} runs`};
    try {
      const {containerId} = await verbs.createContainer({
        podSandboxId,
        sandboxConfig: config,
        config: {...ground.container, metadata: {name: 'rule', attempt: 0}, linux: {securityContext: options(own)}},
      });
      return {refused: false, said: `container ${containerId} was made`};
    } catch (error) {
      return {refused: true, said: saidBy(error)};
    }
  } catch (error) {
    // A good sandbox that does not come to be says nothing of the rule for containers.
    if (own !== undefined) throw error;
    return {refused: true, said: saidBy(error)};
  } finally {
    if (podSandboxId !== undefined) {
      await verbs.stopPodSandbox({podSandboxId});
      await verbs.removePodSandbox({podSandboxId});
    }
  }
}

function saidBy(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
