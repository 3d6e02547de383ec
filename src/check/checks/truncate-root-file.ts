import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, truncate} from '../operation.ts';

/** A file of root, emptied. */
export const truncateRootFile = tried(
  'U',
  {
    id: 'truncate-root-file',
    title: "a file of the host's root cannot be emptied",
    group: 2,
    gain: 'destruction of logs, databases and configuration of the node',
    attempt: 'truncate(2) of a 0644 file of root to nothing',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/open.c vfs_truncate() asks inode_permission(MAY_WRITE), as an open for writing does',
    references: [attack('T1485'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('log', {mode: 0o644});
    },
    reach: (place) => [open(place.path('log'), O.RDONLY)],
    calls: (place) => [truncate(place.path('log'))],
    effect: (place) => place.stat('log').size === 0,
  },
);
