import {subrootError} from '../native-free/errors.ts';
import type {FeatureGates, KubernetesVersion} from './kubernetes-versions.ts';
import {isGateOn, NEWEST_MINOR, rulesOf} from './kubernetes-versions.ts';
import type {Pod} from './pod.ts';

/** What a runtime says of one handler in its Status. The empty name is the default handler. */
export interface RuntimeHandler {
  readonly name: string;
  readonly userNamespaces: boolean;
}

export type HandlerSupport = {readonly kind: 'supported'} | {readonly kind: 'unsupported'; readonly cause?: string};

/**
 * Does a handler support user namespaces? An empty list (an old runtime, or its status was not read yet) means no.
 * Source: kubernetes pkg/kubelet/kubelet_getters.go HandlerSupportsUserNamespaces, 1.36.
 */
export function handlerSupportsUserns(handlers: readonly RuntimeHandler[], name: string): HandlerSupport {
  if (handlers.length === 0) return {kind: 'unsupported'};
  const handler = handlers.find((candidate) => candidate.name === name);
  if (!handler) return {kind: 'unsupported', cause: `the handler "${name}" is not known`};
  return handler.userNamespaces ? {kind: 'supported'} : {kind: 'unsupported'};
}

export interface KubeletOptions {
  /** The kubelet's version; the newest by default. */
  readonly kubernetes?: KubernetesVersion;
  /** Gates of the kubelet that differ from the version's defaults. */
  readonly gates?: FeatureGates;
  readonly handlers: readonly RuntimeHandler[];
}

/** What a kubelet does with a pod's wish, before it touches disk or allocator. */
export type UsernsDecision =
  /** No `userns_options` at all: hostUsers absent, gate off. */
  | {readonly kind: 'absent'}
  | {readonly kind: 'node'}
  | {readonly kind: 'pod'}
  /** Before 1.30: the pod runs as the node's root and nothing says so. */
  | {readonly kind: 'silent-node'; readonly why: string}
  /** The pod stays Pending with FailedCreatePodSandBox; the kubelet tries again. */
  | {readonly kind: 'rejected'; readonly why: string; readonly mend: string};

/**
 * The kubelet's decision for a pod, or for none (`undefined`, as for a sandbox that is not a pod's).
 * Throws SUBROOT_KUBERNETES_VERSION; SUBROOT_USAGE for a gate that cannot be switched.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go GetOrCreateUserNamespaceMappings, PR 123216; 1.25 to 1.37.
 */
export function decideUserns(pod: Pod | undefined, options: KubeletOptions): UsernsDecision {
  const version = options.kubernetes ?? `1.${NEWEST_MINOR}`;
  const rules = rulesOf(version);
  const gateOn = isGateOn('UserNamespacesSupport', version, options.gates);
  const hostUsers = pod?.spec.hostUsers;
  if (hostUsers === undefined) return {kind: gateOn ? 'node' : 'absent'};
  if (!gateOn) {
    const gate = rules.minor >= 28 ? 'UserNamespacesSupport' : 'UserNamespacesStatelessPodsSupport';
    const why = `the feature gate "${gate}" is disabled: can't set spec.HostUsers`;
    if (rules.kubeletFailsLoudly) return {kind: 'rejected', why, mend: `switch on the gate ${gate} of the kubelet`};
    return hostUsers ? {kind: 'absent'} : {kind: 'silent-node', why};
  }
  if (hostUsers) return {kind: 'node'};
  const handler = pod?.spec.runtimeClassName ?? '';
  const support = handlerSupportsUserns(options.handlers, handler);
  if (support.kind === 'supported') return {kind: 'pod'};
  const subject = handler === '' ? 'runtime' : `RuntimeClass handler "${handler}"`;
  const cause = support.cause === undefined ? '' : `: ${support.cause}`;
  const why = `can't set \`spec.hostUsers: false\`, ${subject} does not support user namespaces${cause}`;
  if (!rules.kubeletFailsLoudly) return {kind: 'silent-node', why};
  return {
    kind: 'rejected',
    why,
    mend: 'use a runtime whose Status says user_namespaces: true (containerd 2.0, CRI-O 1.28.1 or newer)',
  };
}

/** Throws SUBROOT_POD_REJECTED when the kubelet would keep the pod Pending; otherwise says whether it gets a namespace of its own. */
export function requireUserns(pod: Pod, options: KubeletOptions): UsernsDecision {
  const decision = decideUserns(pod, options);
  if (decision.kind === 'rejected') {
    throw subrootError('SUBROOT_POD_REJECTED', {pod: pod.metadata.name, why: decision.why, mend: decision.mend});
  }
  return decision;
}

/** Whether a node declares host network with user namespaces. Source: kubernetes PR 135828 (alpha since 1.35, runtime flag since 1.36). */
export function declaresHostNetworkUserns(gateOn: boolean, runtimeSupports: boolean): boolean {
  return gateOn && runtimeSupports;
}
