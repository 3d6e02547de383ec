import {docker, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** Names of the node, in a copy of its UTS namespace. */
export const hostHostname = tried(
  'K',
  {
    id: 'host-hostname',
    title: "the host's name cannot be changed",
    group: 3,
    gain: 'a node that takes another for itself, and logs under a wrong name',
    attempt: 'sethostname(2) and setdomainname(2) in a UTS namespace that root of the host owns',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/sys.c: ns_capable(uts_ns->user_ns, CAP_SYS_ADMIN)',
    references: [docker('5.21'), nist('3.5.2')],
  },
  {name: 'hostname', calls: () => [call('sethostname', ['canary', 6], 'sethostname')]},
  {name: 'domainname', calls: () => [call('setdomainname', ['(none)', 6], 'setdomainname')]},
);
