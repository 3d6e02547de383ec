import type {DNSConfig} from '../../native-free/cri.ts';

/** The files of /etc that every pod gets of its own. */
export interface EtcFiles {
  readonly [path: string]: string;
}

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const group = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
shadow:x:42:
utmp:x:43:
staff:x:50:
www-data:x:33:
users:x:100:
nogroup:x:65534:
`;
const nsswitch = `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
`;

/** /etc/hosts with the loopback names and the pod's own. */
export function hostsFile(hostname: string): string {
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.1.1\t${hostname}\n`;
}

/** /etc/resolv.conf from a CRI DNSConfig; when nothing is asked for, the node's on its network, else a comment, since the pod has its loopback only. */
export function resolvFile(dns: DNSConfig | undefined, nodes?: string): string {
  if (!dns || (dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0)) {
    if (nodes !== undefined) return nodes;
    return '# this pod has its own network namespace with a loopback interface only\n';
  }
  const lines = [];
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(' ')}`);
  for (const server of dns.servers) lines.push(`nameserver ${server}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** The files an image without an /etc of its own gets. */
export const builtinEtc: EtcFiles = {'/etc/passwd': passwd, '/etc/group': group, '/etc/nsswitch.conf': nsswitch};
