import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, write} from '../operation.ts';

/** A new file in a folder of root. */
export const createInRootDir = tried(
  'U',
  {
    id: 'create-in-root-dir',
    title: "no file can be put into a folder of the host's root",
    group: 2,
    gain: 'a job for cron, a unit for systemd or a static pod for the kubelet: code that root of the node runs',
    attempt: 'open(2) with O_CREAT in a 0755 folder of root',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c may_create() → inode_permission() of the folder, with the kernel id of its owner',
    references: [attack('T1546'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('cron.d');
      place.file('cron.d/open', {mode: 0o644});
    },
    reach: (place) => [open(place.path('cron.d/open'), O.RDONLY)],
    calls: (place) => [open(place.path('cron.d/job'), O.WRONLY + O.CREAT + O.EXCL), write('* * * * * root true\n')],
    effect: (place) => place.exists('cron.d/job'),
  },
);
