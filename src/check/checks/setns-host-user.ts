import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {setns} from '../operation.ts';

/** Back to the namespace in which all capabilities count. */
export const setnsHostUser = tried(
  'K',
  {
    id: 'setns-host-user',
    title: "the host's user namespace cannot be joined again",
    group: 4,
    gain: 'every capability over the host',
    attempt:
      "setns(2) with an inherited descriptor of the host's user namespace; the control joins a pod's, since it is in the host's",
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/user_namespace.c userns_install(): CAP_SYS_ADMIN over the namespace that is joined',
    references: [attack('T1611'), nist('3.4.3')],
  },
  {
    who: (place) => ({
      keep: [['target', place.isControl ? `/proc/${place.scene.pod.init.pid}/ns/user` : '/proc/self/ns/user', 0]],
    }),
    refusals: ['EINVAL'],
    calls: () => [setns('target', 'user')],
  },
);
