import {byDesign, cis, docker, nist} from '../define.ts';
import {AF, bindInet, connectInet, listen, socket} from '../operation.ts';

const ports = {
  'control-all': 21_014,
  'control-default': 21_015,
  'treatment-all': 21_016,
  'treatment-default': 21_017,
} as const;

/** Services that trust whoever is on the machine. */
export const hostLoopbackReachable = byDesign(
  {
    id: 'host-loopback-reachable',
    title: "services on the host's loopback address are reachable in its network namespace",
    group: 8,
    gain: 'databases, debug ports and metadata services that listen on 127.0.0.1 only',
    attempt: 'connect(2) to a listening socket of root on 127.0.0.1, in a network namespace that root of the host owns',
    expected: {'treatment-all': 'connected', 'treatment-default': 'connected'},
    rule: 'net/ipv4/tcp_ipv4.c: connecting asks for no id',
    references: [cis('5.2.5'), docker('5.10'), nist('3.4.2')],
    insteadUse: 'a network namespace',
  },
  {
    prepare: async (place) => {
      await place.hold(
        {capabilities: 'all'},
        socket(AF.inet, 1, 0, 'AF_INET, SOCK_STREAM'),
        bindInet('127.0.0.1', ports[place.arm]),
        listen(),
      );
    },
    calls: (place) => [socket(AF.inet, 1, 0, 'AF_INET, SOCK_STREAM'), connectInet('127.0.0.1', ports[place.arm])],
  },
);
