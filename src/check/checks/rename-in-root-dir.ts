import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, rename} from '../operation.ts';

/** A file of root, put aside. */
export const renameInRootDir = tried(
  'U',
  {
    id: 'rename-in-root-dir',
    title: "no file can be renamed in a folder of the host's root",
    group: 2,
    gain: 'another binary in the place of a trusted one',
    attempt: 'rename(2) within a 0755 folder of root',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c may_delete() and may_create() → inode_permission() of the folder',
    references: [attack('T1546'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('bin');
      place.file('bin/tool', {mode: 0o755});
    },
    reach: (place) => [open(place.path('bin/tool'), O.RDONLY)],
    calls: (place) => [rename(place.path('bin/tool'), place.path('bin/aside'))],
    effect: (place) => place.exists('bin/aside'),
  },
);
