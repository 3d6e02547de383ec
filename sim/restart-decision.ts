import type {Pod, PodContainer, RestartPolicy} from './pod.ts';

/** `init`: runs to its end before the next; `sidecar`: an init container that keeps running; `app`: one of `containers`. */
export type ContainerRole = 'init' | 'sidecar' | 'app';

export function roleOf(pod: Pod, container: PodContainer): ContainerRole {
  if (!pod.spec.initContainers.some(({name}) => name === container.name)) return 'app';
  return container.restartPolicy === 'Always' ? 'sidecar' : 'init';
}

/** The container's own policy, else the pod's. */
export function restartPolicyOf(pod: Pod, container: PodContainer): RestartPolicy {
  return (container.restartPolicy as RestartPolicy | undefined) ?? pod.spec.restartPolicy;
}

/**
 * Whether a container that ended with that code is started again: its rules in order, then its policy, then the pod's. An init
 * container that ended well is done, whatever they say.
 * Source: kubernetes pkg/kubelet/container/helpers.go ShouldContainerBeRestarted, kuberuntime_container.go (init containers), 1.37.
 */
export function shouldRestart(pod: Pod, container: PodContainer, exitCode: number): boolean {
  const isInit = roleOf(pod, container) === 'init';
  if (isInit && exitCode === 0) return false;
  for (const {action, exitCodes} of container.restartPolicyRules) {
    if (!exitCodes) continue;
    const isListed = exitCodes.values.includes(exitCode);
    if (isListed === (exitCodes.operator === 'In')) return action === 'Restart';
  }
  const policy = restartPolicyOf(pod, container);
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/**
 * Whether a container that a probe or its postStart hook had killed is started again: rules do not count, since there was no exit code
 * when that was decided. Source: kubernetes kuberuntime_manager.go computePodActions, 1.37.
 */
export function shouldRestartAfterKill(pod: Pod, container: PodContainer): boolean {
  return restartPolicyOf(pod, container) !== 'Never';
}
