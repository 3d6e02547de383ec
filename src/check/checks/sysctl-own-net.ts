import type {Attempt} from '../attempt.ts';
import {kubernetes, usable} from '../define.ts';
import {insidePastMounts} from '../inside.ts';
import {O, open, write} from '../operation.ts';

const settings: readonly (readonly [name: string, value: string])[] = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv4/ip_unprivileged_port_start', '1024'],
  ['net/ipv4/ping_group_range', '0 65535'],
];

/** Settings of its own network. */
export const sysctlOwnNet = usable(
  {
    id: 'sysctl-own-net',
    title: 'the pod can change settings of its own network',
    group: 7,
    gain: 'nothing; without it: gateways, VPNs, ping without privileges',
    attempt: `write(2) to ${settings.map(([name]) => name).join(', ')} in the pod's network namespace, past the runtime's read-only /proc/sys`,
    expected: {'treatment-all': 'works', 'treatment-default': 'EACCES, for want of CAP_NET_ADMIN'},
    rule: "net/sysctl_net.c net_ctl_permissions(): ns_capable(net->user_ns, CAP_NET_ADMIN), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  ...settings.map(
    ([name, value]): Attempt => ({
      name: name.slice('net/ipv4/'.length),
      arms: ['control-all', 'treatment-all', 'treatment-default'],
      who: insidePastMounts,
      calls: () => [open(`/proc/sys/${name}`, O.WRONLY), write(value)],
    }),
  ),
);
