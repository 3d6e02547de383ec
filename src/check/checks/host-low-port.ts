import {cis, docker, expectedOfIds, nist, tried} from '../define.ts';
import {AF, bindInet, socket} from '../operation.ts';

const ports = {'control-all': 1014, 'control-default': 1015, 'treatment-all': 1016, 'treatment-default': 1017} as const;

/** Ports of services of the node. */
export const hostLowPort = tried(
  'U',
  {
    id: 'host-low-port',
    title: "low ports of the host's network cannot be taken",
    group: 3,
    gain: 'the place of a service of the node: DNS, the kubelet',
    attempt: 'bind(2) of a port below 1024 in a network namespace that root of the host owns',
    expected: expectedOfIds('EACCES'),
    rule: 'net/ipv4/af_inet.c __inet_bind(): ns_capable(net->user_ns, CAP_NET_BIND_SERVICE) below ip_unprivileged_port_start',
    references: [cis('5.2.5'), cis('5.2.12'), docker('5.8'), nist('3.4.2')],
  },
  {
    reach: (place) => [socket(AF.inet, 1, 0, 'AF_INET, SOCK_STREAM'), bindInet('127.0.0.1', 20_000 + ports[place.arm])],
    calls: (place) => [socket(AF.inet, 1, 0, 'AF_INET, SOCK_STREAM'), bindInet('127.0.0.1', ports[place.arm])],
  },
);
