import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, unlink} from '../operation.ts';

/** A file of root, removed. */
export const unlinkInRootDir = tried(
  'U',
  {
    id: 'unlink-in-root-dir',
    title: "no file can be removed from a folder of the host's root",
    group: 2,
    gain: 'removal of binaries, locks and audit logs of the node',
    attempt: 'unlink(2) in a 0755 folder of root',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c may_delete() → inode_permission() of the folder',
    references: [attack('T1485'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('etc');
      place.file('etc/config', {mode: 0o644});
    },
    reach: (place) => [open(place.path('etc/config'), O.RDONLY)],
    calls: (place) => [unlink(place.path('etc/config'))],
    effect: (place) => !place.exists('etc/config'),
  },
);
