import type {RuntimeService} from '../native-free/cri.ts';
import type {Clock} from './clock.ts';
import type {HandlerContext, PodNetwork} from './handlers.ts';
import {runHook} from './handlers.ts';
import type {ContainerPort, Handler} from './life.ts';

/** Seconds that a container has after its stop signal, however much of its grace a hook took. Source: kuberuntime_manager.go minimumGracePeriodInSeconds. */
const MIN_GRACE = 2;

export interface StopParts {
  readonly runtime: Pick<RuntimeService, 'execSync' | 'stopContainer'>;
  readonly network: PodNetwork;
  readonly clock: Clock;
}

/**
 * Stops a container as a kubelet does: its preStop hook, which may take all of the grace (in seconds), then the stop signal, what is left
 * of the grace but at least 2 s, and SIGKILL. Without grace it is killed at once. Answers why the hook failed, or undefined.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go killContainer, executePreStopHook, 1.36.
 */
export async function stopGracefully(
  {runtime, network, clock}: StopParts,
  containerId: string,
  {
    preStop,
    ports,
    grace,
  }: {readonly preStop?: Handler; readonly ports: readonly ContainerPort[]; readonly grace: number},
  signal?: AbortSignal,
): Promise<string | undefined> {
  const call = signal ? {signal} : {};
  if (!preStop || grace <= 0) {
    await runtime.stopContainer({containerId, timeout: Math.max(0, grace)}, call);
    return undefined;
  }
  const began = clock.now();
  const hook = new AbortController();
  const cut = () => hook.abort();
  signal?.addEventListener('abort', cut, {once: true});
  const context: HandlerContext = {runtime, network, clock, containerId, ports, signal: hook.signal};
  const limit = new AbortController();
  const late = clock.wait(grace * 1000, limit.signal).then(() => `not over within the grace of ${grace} s`);
  const failure = await Promise.race([runHook(preStop, context), late]);
  limit.abort();
  hook.abort();
  signal?.removeEventListener('abort', cut);
  const left = grace - Math.floor((clock.now() - began) / 1000);
  await runtime.stopContainer({containerId, timeout: Math.max(MIN_GRACE, left)}, call);
  return failure;
}
