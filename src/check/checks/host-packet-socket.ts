import {attack, cis, cve, docker, expectedOfIds, nist, tried} from '../define.ts';
import {AF, socket} from '../operation.ts';

/** Everything that passes on the network of the node. */
export const hostPacketSocket = tried(
  'U',
  {
    id: 'host-packet-socket',
    title: "the host's network cannot be listened to",
    group: 3,
    gain: 'passwords and tokens that pass on the node, and the way into CVE-2020-14386',
    attempt: 'socket(2) AF_PACKET in a network namespace that root of the host owns',
    expected: expectedOfIds('EPERM'),
    rule: 'net/packet/af_packet.c packet_create(): ns_capable(net->user_ns, CAP_NET_RAW)',
    references: [cve('CVE-2020-14386'), attack('T1040'), cis('5.2.5'), cis('5.2.8'), docker('5.10'), nist('3.4.2')],
  },
  {calls: () => [socket(AF.packet, 3, 0, 'AF_PACKET, SOCK_RAW')]},
);
