import {subrootError} from '../native-free/errors.ts';
import type {NodeFacts} from './downward.ts';
import {podFieldValue} from './downward.ts';
import type {Pod} from './pod.ts';

/** As in most clusters; there is none here. */
const CLUSTER_DOMAIN = 'cluster.local';
/** Bytes that sethostname(2) takes on Linux. */
const MAX_HOSTNAME = 64;

/** A pod's own name: its field or its name, cut to 63 characters without a trailing `-` or `.`. */
function shortNameOf(pod: Pod): string {
  return (pod.spec.hostname || pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');
}

/** The name with its domain, for a pod with a subdomain: `NAME.SUBDOMAIN.NAMESPACE.svc.cluster.local`. */
function fullNameOf(pod: Pod): string | undefined {
  const {subdomain} = pod.spec;
  return subdomain ? `${shortNameOf(pod)}.${subdomain}.${pod.metadata.namespace}.svc.${CLUSTER_DOMAIN}` : undefined;
}

/**
 * Host name of a pod; empty on the host network, where it is the node's. With `setHostnameAsFQDN` and a subdomain the whole name.
 * Errors: SUBROOT_POD_FQDN. Source: kubernetes pkg/kubelet/util/util.go GetNodenameForKernel, kubelet_pods.go truncatePodHostnameIfNeeded, 1.36.
 */
export function hostnameOf(pod: Pod): string {
  if (pod.spec.hostNetwork) return '';
  const fullName = fullNameOf(pod);
  if (!pod.spec.setHostnameAsFQDN || fullName === undefined) return shortNameOf(pod);
  if (fullName.length > MAX_HOSTNAME)
    throw subrootError('SUBROOT_POD_FQDN', {pod: pod.metadata.name, name: fullName, length: fullName.length});
  return fullName;
}

/** Whether the pod has names of its own to find in /etc/hosts; else the runtime's own file says it all. */
export function hasOwnHosts({spec}: Pod): boolean {
  return spec.hostAliases.length > 0 || (Boolean(spec.subdomain) && !spec.hostNetwork);
}

/**
 * /etc/hosts of such a pod: the loopback's names and its own, or on the host network the node's file, and its aliases.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go managedHostsFileContent, nodeHostsFileContent, 1.36.
 */
export function hostsFileOf(pod: Pod, node: () => NodeFacts, nodesFile: string | undefined): string {
  const {hostNetwork, hostAliases} = pod.spec;
  const lines = hostNetwork
    ? ['# Kubernetes-managed hosts file (host network).', (nodesFile ?? '127.0.0.1\tlocalhost').replace(/\n$/, '')]
    : [
        '# Kubernetes-managed hosts file.',
        '127.0.0.1\tlocalhost',
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::\tip6-localnet',
        'fe00::\tip6-mcastprefix',
        'fe00::1\tip6-allnodes',
        'fe00::2\tip6-allrouters',
        [podFieldValue(pod, 'status.podIP', node), fullNameOf(pod), shortNameOf(pod)].filter(Boolean).join('\t'),
      ];
  const aliases = hostAliases.map(({ip, hostnames}) => [ip, ...hostnames].join('\t'));
  if (aliases.length > 0) lines.push('', '# Entries added by HostAliases.', ...aliases);
  return `${lines.join('\n')}\n`;
}
