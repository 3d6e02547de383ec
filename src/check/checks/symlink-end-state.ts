import {cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read, symlink} from '../operation.ts';

/** The end of a symlink race. */
export const symlinkEndState = tried(
  'U',
  {
    id: 'symlink-end-state',
    title: "a link that leads to a secret of the host's root does not open it",
    group: 2,
    gain: 'what a runtime or kubelet that follows a planted link would hand out',
    attempt: 'open(2) of a symbolic link in a shared folder that leads to a 0600 file of root',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c: permission is asked at the file that the link leads to. Holds for plain mounts only, see idmapped-redirect',
    references: [cve('CVE-2021-25741'), cve('CVE-2017-1002101'), cve('CVE-2018-15664'), nist('3.4.1')],
  },
  {
    prepare: async (place) => {
      place.file('secret');
      place.sibling();
      place.dir('shared');
      await place.asHost(
        symlink(place.path('secret'), place.path('shared/link')),
        symlink(place.path('sibling'), place.path('shared/open')),
      );
    },
    reach: (place) => [open(place.path('shared/open'), O.RDONLY), read()],
    calls: (place) => [open(place.path('shared/link'), O.RDONLY), read()],
  },
);
