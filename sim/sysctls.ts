import type {KubernetesVersion} from './kubernetes-versions.ts';
import {minorOf} from './kubernetes-versions.ts';

/** The namespace that has a sysctl of its own, by the kubelet's table. Source: k8s.io/component-helpers/node/util/sysctl GetNamespace, 1.36. */
export function sysctlNamespaceOf(name: string): 'ipc' | 'net' | undefined {
  const dotted = dottedSysctl(name);
  if (dotted === 'kernel.sem' || /^(kernel\.(shm|msg)|fs\.mqueue\.)/.test(dotted)) return 'ipc';
  return dotted.startsWith('net.') ? 'net' : undefined;
}

/**
 * A name with dots, of one with slashes: what separates first decides, and the other then belongs to a name (`net/ipv4/conf/eth0.1/rp_filter`).
 * Source: sysctl(8); k8s.io/component-helpers/node/util/sysctl NormalizeName.
 */
export function dottedSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : name;
}

/** Sysctls that every pod may set, and since which minor version. Source: kubernetes pkg/kubelet/sysctl/safe_sysctls.go, 1.25 to 1.37. */
const safeSince: Readonly<Record<string, number>> = {
  'kernel.shm_rmid_forced': 25,
  'net.ipv4.ip_local_port_range': 25,
  'net.ipv4.tcp_syncookies': 25,
  'net.ipv4.ping_group_range': 25,
  'net.ipv4.ip_unprivileged_port_start': 25,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
};

/**
 * Why a kubelet of that version does not admit a pod with these sysctls (reason SysctlForbidden), or undefined. `allowed` are those of its
 * `--allowed-unsafe-sysctls`: names, or a beginning and `*`. Throws SUBROOT_KUBERNETES_VERSION.
 * Source: kubernetes pkg/kubelet/sysctl/allowlist.go Admit, 1.36.
 */
export function whySysctlsForbidden(
  names: readonly string[],
  version: KubernetesVersion,
  allowed: readonly string[] = [],
): string | undefined {
  const minor = minorOf(version);
  const isAllowed = (name: string) =>
    (safeSince[name] ?? Number.POSITIVE_INFINITY) <= minor ||
    (sysctlNamespaceOf(name) !== undefined &&
      allowed.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : each === name)));
  const refused = names.map(dottedSysctl).find((name) => !isAllowed(name));
  return refused === undefined ? undefined : `forbidden sysctl: ${JSON.stringify(refused)} not allowlisted`;
}
