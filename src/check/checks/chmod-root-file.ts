import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {chmod, O, open} from '../operation.ts';

/** A secret, opened to all. */
export const chmodRootFile = tried(
  'U',
  {
    id: 'chmod-root-file',
    title: "the mode of a file of the host's root cannot be changed",
    group: 2,
    gain: 'a secret of the node that is open to everybody, or a set-user-ID bit on a program of root',
    attempt: 'chmod(2) of a file of root to 0777',
    expected: expectedOfIds('EPERM'),
    rule: 'fs/attr.c setattr_prepare() → fs/inode.c inode_owner_or_capable(): owner by kernel id, or CAP_FOWNER over a mapped owner',
    references: [attack('T1222.002'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('secret', {mode: 0o644});
    },
    reach: (place) => [open(place.path('secret'), O.RDONLY)],
    calls: (place) => [chmod(place.path('secret'), 0o777)],
    effect: (place) => place.stat('secret').mode % 0o1000 === 0o777,
  },
);
