import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {AF, bindInet, socket} from '../operation.ts';

/** A web server of its own. */
export const bind80 = usable(
  {
    id: 'bind-80',
    title: 'the pod can have port 80',
    group: 7,
    gain: 'nothing; without it: most servers, as their images are made',
    attempt: "bind(2) of 0.0.0.0:80 with the default capabilities, and of 81 with all, in the pod's network namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: "net/ipv4/af_inet.c __inet_bind(): ns_capable(net->user_ns, CAP_NET_BIND_SERVICE), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    // Both are on one network at once.
    arms: ['treatment-all', 'treatment-default'],
    who: insidePod,
    calls: (place) => [
      socket(AF.inet, 1, 0, 'AF_INET, SOCK_STREAM'),
      // A server of the pod may have it: the permission was asked before.
      bindInet('0.0.0.0', place.arm === 'treatment-default' ? 80 : 81, {gate: ['EADDRINUSE']}),
    ],
  },
);
