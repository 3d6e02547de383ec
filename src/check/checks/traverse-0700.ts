import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';

/** What lies behind root's own folder. */
export const traverse0700 = tried(
  'U',
  {
    id: 'traverse-0700',
    title: "nothing behind a private folder of the host's root can be reached",
    group: 2,
    gain: 'readable files that are protected by the folder above them: /root, /var/lib/kubelet, homes',
    attempt: 'open(2) of a 0644 file below a 0700 folder of root',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c may_lookup() → inode_permission(MAY_EXEC) of each folder on the way',
    references: [attack('T1083'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('private', {mode: 0o700});
      place.file('private/open', {mode: 0o644});
      place.sibling();
    },
    reach: (place) => [open(place.path('sibling'), O.RDONLY)],
    calls: (place) => [open(place.path('private/open'), O.RDONLY), read()],
  },
);
