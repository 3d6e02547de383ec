import {attack, expectedOfIds, kubernetes, nist, tried} from '../define.ts';
import {sameValue} from '../same-value.ts';

const names = ['net/ipv4/ip_forward', 'net/core/somaxconn', 'net/ipv4/ip_unprivileged_port_start'];

/** A pod on the host's network has a user namespace of its own, and the network has not. */
export const sysctlHostNet = tried(
  'U',
  {
    id: 'sysctl-host-net',
    title: "settings of the host's network cannot be changed",
    group: 3,
    gain: 'a node that forwards packets, or lets everybody have its low ports',
    attempt: `the same value into ${names.join(', ')}, in a network namespace that root of the host owns`,
    expected: expectedOfIds('EACCES'),
    rule: 'net/sysctl_net.c net_ctl_permissions(): ns_capable(net->user_ns, CAP_NET_ADMIN), else the mode for others',
    references: [attack('T1562.004'), kubernetes('KEP-5607'), nist('3.4.2')],
  },
  ...names.map((name) => sameValue(`/proc/sys/${name}`)),
);
