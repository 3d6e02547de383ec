import {attack, cis, docker, expectedOfIds, nist, tried} from '../define.ts';
import {AF, socket} from '../operation.ts';

/** Packets of one's own making on the network of the node. */
export const hostRawSocket = tried(
  'U',
  {
    id: 'host-raw-socket',
    title: "no raw packet can be sent on the host's network",
    group: 3,
    gain: 'forged packets from the address of the node',
    attempt: 'socket(2) AF_INET, SOCK_RAW in a network namespace that root of the host owns',
    expected: expectedOfIds('EPERM'),
    rule: 'net/ipv4/af_inet.c inet_create(): ns_capable(net->user_ns, CAP_NET_RAW)',
    references: [attack('T1557'), cis('5.2.5'), cis('5.2.8'), docker('5.10'), nist('3.4.2')],
  },
  {calls: () => [socket(AF.inet, 3, 1, 'AF_INET, SOCK_RAW, IPPROTO_ICMP')]},
);
