import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {chown, O, open} from '../operation.ts';

/** A file of root, taken over. */
export const chownRootFile = tried(
  'U',
  {
    id: 'chown-root-file',
    title: "a file of the host's root cannot be given away",
    group: 2,
    gain: 'files of the node that belong to the attacker from then on',
    attempt: 'chown(2) of a file of root to 0:0 and to 1000:1000, as the pod counts ids',
    expected: expectedOfIds('EPERM'),
    rule: 'fs/attr.c chown_ok() → capable_wrt_inode_uidgid(CAP_CHOWN): the present owner must be mapped',
    references: [attack('T1222.002'), nist('3.5.5')],
  },
  {
    name: 'to-0',
    prepare: (place) => {
      place.file('secret', {mode: 0o644});
    },
    reach: (place) => [open(place.path('secret'), O.RDONLY)],
    calls: (place) => [chown(place.path('secret'), 0, 0)],
  },
  {
    name: 'to-1000',
    prepare: (place) => {
      place.file('secret', {mode: 0o644});
    },
    calls: (place) => [chown(place.path('secret'), 1000, 1000)],
    effect: (place) => place.stat('secret').uid !== 0,
  },
);
