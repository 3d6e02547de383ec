import type {CallOptions, Container, RuntimeService} from '../native-free/cri.ts';
import type {Clock} from './clock.ts';
import {systemClock} from './clock.ts';
import type {PodNetwork} from './handlers.ts';
import type {StopWishes} from './life-annotations.ts';
import {stopWishesOf} from './life-annotations.ts';

export interface StopPodOptions {
  /** Seconds for every container; each container's own by default. 0 kills at once, without hooks. */
  readonly gracePeriod?: number;
  /** How hooks reach the pod's network; asked only when there is one. */
  readonly network?: () => PodNetwork;
  readonly clock?: Clock;
  /** Told of hooks that failed: the containers are stopped all the same. */
  readonly onHookFailed?: (container: string, why: string) => void;
  /** Only this container; all of the sandbox by default. */
  readonly only?: string;
  readonly signal?: AbortSignal;
}

/**
 * Stops the containers of a sandbox that run: all at once, then its sidecars from the last to the first, each with its preStop hook, its
 * grace (less what the others took) and at last SIGKILL. What it needs to know it reads from the containers, so any process may call it.
 * Every container is tried; the first failure is thrown at the end.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go killContainersWithSyncResult, 1.36.
 */
export async function stopContainers(
  runtime: RuntimeService,
  podSandboxId: string,
  options: StopPodOptions = {},
): Promise<void> {
  const {containers} = await runtime.listContainers({filter: {podSandboxId, state: 'CONTAINER_RUNNING'}});
  const meant = containers.filter(({id}) => options.only === undefined || id === options.only);
  const all = meant.map((container) => ({container, wishes: stopWishesOf(container.annotations)}));
  const clock = options.clock ?? systemClock;
  const began = clock.now();
  const failures: unknown[] = [];
  const stop = async ({container, wishes}: (typeof all)[number], isLate: boolean) => {
    const grace = options.gracePeriod ?? wishes.grace;
    const taken = isLate ? Math.floor((clock.now() - began) / 1000) : 0;
    await stopOne(runtime, container, wishes, grace === 0 ? 0 : Math.max(MIN_GRACE, grace - taken), options).catch(
      (error: unknown) => failures.push(error),
    );
  };
  await Promise.all(all.filter(({wishes}) => wishes.role !== 'sidecar').map((each) => stop(each, false)));
  const sidecars = all.filter(({wishes}) => wishes.role === 'sidecar');
  for (const each of sidecars.sort((a, b) => b.wishes.index - a.wishes.index)) await stop(each, true);
  if (failures.length > 0) throw failures[0];
}

/** Seconds that every container has. Source: kuberuntime_manager.go minimumGracePeriodInSeconds. */
const MIN_GRACE = 2;

async function stopOne(
  runtime: RuntimeService,
  {id, metadata}: Container,
  {preStop: text, ports}: StopWishes,
  grace: number,
  {network, clock, onHookFailed, signal}: StopPodOptions,
): Promise<void> {
  const call: CallOptions = signal ? {signal} : {};
  const preStop = text !== undefined && grace > 0 ? (await import('./pre-stop.ts')).preStopOf(text) : undefined;
  if (!preStop || !network) {
    await runtime.stopContainer({containerId: id, timeout: grace}, call);
    return;
  }
  const {stopGracefully} = await import('./stop-container.ts');
  const parts = {runtime, network: network(), clock: clock ?? systemClock};
  const failure = await stopGracefully(parts, id, {preStop, ports, grace}, signal);
  if (failure !== undefined) onHookFailed?.(metadata.name, failure);
}
