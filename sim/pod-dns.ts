import type {DNSConfig} from '../native-free/cri.ts';
import type {Pod, PodDnsConfig} from './pod.ts';

/**
 * The text of a resolv.conf as what it says: servers, the last `search` line, the last `options` line.
 * Source: resolv.conf(5); kubernetes pkg/kubelet/network/dns/dns.go parseResolvConf, 1.36.
 */
export function parseResolvConf(text: string): DNSConfig {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...values] = line.trim().split(/\s+/);
    if (word === 'nameserver' && values[0]) servers.push(values[0]);
    // A dot at the end is a name that is whole already.
    if (word === 'search') searches = values.map((value) => (value === '.' ? value : value.replace(/\.$/, '')));
    if (word === 'options') options = values;
  }
  return {servers, searches, options};
}

/**
 * What a pod asks for as its resolv.conf, or undefined when it asks for nothing: the node's with policy `Default`, its own `dnsConfig`
 * added to it. There is no cluster here, so `ClusterFirst` brings nothing of its own.
 * Source: kubernetes pkg/kubelet/network/dns/dns.go GetPodDNS, appendDNSConfig, 1.36.
 */
export function dnsConfigOf({spec}: Pod, readResolvConf: () => string | undefined): DNSConfig | undefined {
  const base = spec.dnsPolicy === 'Default' ? parseResolvConf(readResolvConf() ?? '') : undefined;
  if (!base) return spec.dnsConfig;
  return spec.dnsConfig ? appended(base, spec.dnsConfig) : base;
}

function appended(base: DNSConfig, own: PodDnsConfig): DNSConfig {
  const nameOf = (option: string) => option.split(':', 1)[0] ?? option;
  const names = own.options.map(nameOf);
  return {
    servers: [...new Set([...base.servers, ...own.servers])],
    searches: [...new Set([...base.searches, ...own.searches])],
    options: [...base.options.filter((option) => !names.includes(nameOf(option))), ...own.options],
  };
}
