import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call, O, open, read} from '../operation.ts';

/** Back to the host's root folder. */
export const chrootHostRoot = tried(
  'U',
  {
    id: 'chroot-host-root',
    title: "with the host's root folder as its own, a pod's root still reads no secret",
    group: 2,
    gain: 'the host as it sees itself',
    attempt: "chroot(2) to the host's /, then open(2) of a 0600 file of root",
    expected: expectedOfIds('EACCES'),
    rule: "fs/open.c chroot(2) asks ns_capable(CAP_SYS_CHROOT) of one's own namespace; what is opened afterwards is judged by its owner as ever",
    references: [attack('T1611'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('secret');
      place.sibling();
    },
    reach: (place) => [call('chroot', ['/'], 'chroot(/)'), open(place.path('sibling'), O.RDONLY)],
    calls: (place) => [call('chroot', ['/'], 'chroot(/)'), open(place.path('secret'), O.RDONLY), read()],
  },
);
