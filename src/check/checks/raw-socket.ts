import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {AF, socket} from '../operation.ts';

/** ping and tcpdump of its own network. */
export const rawSocket = usable(
  {
    id: 'raw-socket',
    title: 'the pod can make raw and packet sockets on its own network',
    group: 7,
    gain: 'nothing; without it: ping, tcpdump, DHCP',
    attempt: "socket(2) SOCK_RAW and AF_PACKET in the pod's network namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: "net/ipv4/af_inet.c, net/packet/af_packet.c: ns_capable(net->user_ns, CAP_NET_RAW), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    name: 'raw',
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [socket(AF.inet, 3, 1, 'AF_INET, SOCK_RAW, IPPROTO_ICMP')],
  },
  {
    name: 'packet',
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [socket(AF.packet, 3, 0, 'AF_PACKET, SOCK_RAW')],
  },
);
