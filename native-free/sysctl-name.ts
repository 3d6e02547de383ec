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

/** The path of a sysctl below /proc/sys, or undefined for a text that is no name of one: nothing of it may lead elsewhere. */
export function sysctlPathOf(name: string): string | undefined {
  const dotted = dottedSysctl(name);
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*)+$/.test(dotted)) return undefined;
  return dotted.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}
