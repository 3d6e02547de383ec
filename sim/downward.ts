import type {Pod, PodContainer} from './pod.ts';
import {parseQuantity, quantityIn} from './quantity.ts';

/** What a pod may ask about the machine that it is on. */
export interface NodeFacts {
  /** The node's name, unless the pod has a nodeName. */
  readonly name: string;
  /** Its addresses, the first one first; never empty. */
  readonly hostIPs: readonly string[];
  /** What a container may use that has no limit, as quantities: `cpu`, `memory`, `ephemeral-storage`. */
  readonly capacity: Readonly<Record<string, string>>;
}

/** A pod's network has a loopback and nothing else, so this is the one address at which its programs reach each other. */
export const POD_IP = '127.0.0.1';

/** A field of a pod that its containers may ask for, taken apart. `key` is that of a label or annotation. */
export interface FieldPath {
  readonly field: string;
  readonly key?: string;
}

/** `metadata.labels['app']` → the field `metadata.labels` with key `app`. Source: kubernetes pkg/fieldpath/fieldpath.go SplitMaybeSubscriptedPath, 1.37. */
export function splitFieldPath(path: string): FieldPath {
  const match = /^(.*?)\['(.*)'\]$/s.exec(path);
  const [, field = '', key = ''] = match ?? [];
  return match && field !== '' ? {field, key} : {field: path};
}

/**
 * The value of a field of the pod, or undefined when the API has no such one. A label or annotation that is not there is empty.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go podFieldSelectorRuntimeValue, pkg/fieldpath/fieldpath.go, 1.37.
 */
export function podFieldValue(pod: Pod, path: string, node: () => NodeFacts): string | undefined {
  const {metadata, spec} = pod;
  const {field, key} = splitFieldPath(path);
  if (key !== undefined) {
    if (field === 'metadata.labels') return metadata.labels[key] ?? '';
    return field === 'metadata.annotations' ? (metadata.annotations[key] ?? '') : undefined;
  }
  switch (field) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'spec.nodeName':
      return spec.nodeName || node().name;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName || 'default';
    case 'status.hostIP':
      return node().hostIPs[0] ?? '';
    case 'status.hostIPs':
      return node().hostIPs.join(',');
    // On the node's network the pod has the node's addresses.
    case 'status.podIP':
      return spec.hostNetwork ? (node().hostIPs[0] ?? '') : POD_IP;
    case 'status.podIPs':
      return spec.hostNetwork ? node().hostIPs.join(',') : POD_IP;
    default:
      return undefined;
  }
}

/**
 * A limit or request of a container (`limits.cpu`) in whole divisors, rounded up. What has no limit may use the node's capacity; a
 * request that is not made is that limit where the API would have copied it, else 0. Undefined for a resource that the API does not give.
 * Source: kubernetes pkg/api/v1/resource/helpers.go ExtractContainerResourceValue, pkg/apis/core/v1/defaults.go SetDefaults_Pod, 1.37.
 */
export function resourceValue(
  container: PodContainer,
  resource: string,
  divisor: string | undefined,
  node: () => NodeFacts,
): string | undefined {
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(resource);
  if (!match) return undefined;
  const [, list, name = ''] = match;
  const {limits, requests} = container.resources;
  const own = list === 'limits' ? limits[name] : (requests[name] ?? limits[name]);
  const text = own ?? (list === 'limits' ? node().capacity[name] : undefined) ?? '0';
  const by = parseQuantity(divisor ?? '0') || 1_000_000_000n;
  return String(quantityIn(parseQuantity(text) ?? 0n, by));
}
