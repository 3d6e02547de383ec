import type {ContainerPort, Handler} from './life.ts';
import type {PodContainer} from './pod.ts';
import type {ContainerRole} from './restart-decision.ts';

/**
 * What a container carries so that whoever stops it later, in another process, does it right: a kubelet's own annotations, and ours for
 * the order of sidecars. Source: kubernetes pkg/kubelet/kuberuntime/labels.go newContainerAnnotations, 1.36.
 */
const PRE_STOP = 'io.kubernetes.container.preStopHandler';
const PORTS = 'io.kubernetes.container.ports';
const GRACE = 'io.kubernetes.pod.terminationGracePeriod';
const ROLE = 'subroot/role';

export function lifeAnnotations(
  container: PodContainer,
  role: ContainerRole,
  index: number,
): Readonly<Record<string, string>> {
  const {preStop, ports} = container;
  return {
    ...(preStop?.handler && {
      [PRE_STOP]: JSON.stringify(apiOf(preStop.handler)),
      ...(ports.length > 0 && {[PORTS]: JSON.stringify(ports)}),
    }),
    ...(role !== 'app' && {[ROLE]: `${role} ${index}`}),
  };
}

/** How a container is to be stopped. */
export interface StopWishes {
  /** Seconds; 30 when nobody said. */
  readonly grace: number;
  /** The hook, as JSON: see preStopOf. */
  readonly preStop?: string;
  readonly ports: readonly ContainerPort[];
  readonly role: ContainerRole;
  /** Of init containers and sidecars: their place among them. */
  readonly index: number;
}

/** Reads those annotations. */
export function stopWishesOf(annotations: Readonly<Record<string, string>>): StopWishes {
  const [role = 'app', index = '0'] = (annotations[ROLE] ?? '').split(' ').filter(Boolean);
  const grace = Number(annotations[GRACE] ?? 30);
  const preStop = annotations[PRE_STOP];
  return {
    grace: Number.isFinite(grace) && grace >= 0 ? grace : 30,
    ...(preStop !== undefined && {preStop}),
    ports: portsOf(annotations[PORTS]),
    role: role === 'init' || role === 'sidecar' ? role : 'app',
    index: Number(index) || 0,
  };
}

function portsOf(text: string | undefined): readonly ContainerPort[] {
  try {
    const ports: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(ports) ? (ports as ContainerPort[]) : [];
  } catch {
    return [];
  }
}

function apiOf(handler: Handler): object {
  const {kind, ...fields} = handler;
  if (handler.kind !== 'httpGet') return {[kind]: fields};
  const {headers, path, port, host, scheme} = handler;
  return {httpGet: {path, port, ...(host && {host}), scheme, ...(headers.length > 0 && {httpHeaders: headers})}};
}
