import {kubernetes, usable} from '../define.ts';
import {sameSetting} from '../inside.ts';

const settings = ['ip_forward', 'ip_unprivileged_port_start', 'ping_group_range'];

/** Settings of its own network. */
export const sysctlOwnNet = usable(
  {
    id: 'sysctl-own-net',
    title: 'the pod can change settings of its own network',
    group: 7,
    gain: 'nothing; without it: gateways, VPNs, ping without privileges',
    attempt: `the same value into net/ipv4/${settings.join(', ')} of the pod's network namespace, past the runtime's read-only /proc/sys`,
    expected: {'treatment-all': 'works', 'treatment-default': 'EACCES, for want of CAP_NET_ADMIN'},
    rule: "net/sysctl_net.c net_ctl_permissions(): ns_capable(net->user_ns, CAP_NET_ADMIN), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  ...settings.map((name) =>
    sameSetting(`/proc/sys/net/ipv4/${name}`, {arms: ['control-all', 'treatment-all', 'treatment-default']}),
  ),
);
