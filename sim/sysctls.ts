import {dottedSysctl, sysctlNamespaceOf} from '../native-free/sysctl-name.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import {minorOf} from './kubernetes-versions.ts';

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
