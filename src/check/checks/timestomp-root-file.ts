import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, utimes} from '../operation.ts';

/** Times that tell of a change, set back. */
export const timestompRootFile = tried(
  'U',
  {
    id: 'timestomp-root-file',
    title: "the times of a file of the host's root cannot be set",
    group: 2,
    gain: 'traces that are hidden from whoever looks at times',
    attempt: 'utimensat(2) with times of 2001 on a 0644 file of root',
    expected: expectedOfIds('EPERM'),
    rule: 'fs/attr.c setattr_prepare() with ATTR_TIMES_SET → inode_owner_or_capable()',
    references: [attack('T1070.006'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('log', {mode: 0o644});
    },
    reach: (place) => [open(place.path('log'), O.RDONLY)],
    calls: (place) => [utimes(place.path('log'))],
    effect: (place) => place.stat('log').mtimeMs === 1_000_000_000_000,
  },
);
