import {attack, docker, expectedOfIds, nist, tried} from '../define.ts';
import {mknod} from '../operation.ts';

/** A node of one's own for a disk of the host. */
export const mknodDevice = tried(
  'U',
  {
    id: 'mknod-device',
    title: 'no device node can be made',
    group: 2,
    gain: 'the raw disks and the memory of the node, whatever /dev shows',
    attempt: 'mknod(2) of c 1:3 and of b 7:7 in a folder where everybody may write',
    expected: expectedOfIds('EPERM'),
    rule: 'fs/namei.c vfs_mknod(): capable(CAP_MKNOD) in the initial user namespace. FIFOs and whiteouts (c 0:0) stay allowed',
    references: [attack('T1006'), docker('5.18'), nist('3.4.3')],
  },
  {
    name: 'character',
    prepare: (place) => {
      place.dir('room', {mode: 0o1777});
    },
    reach: (place) => [mknod(place.path('room/fifo'), 0o010600, 0, 0)],
    calls: (place) => [mknod(place.path('room/null'), 0o020600, 1, 3)],
    effect: (place) => place.exists('room/null'),
  },
  {
    name: 'block',
    prepare: (place) => {
      place.dir('room', {mode: 0o1777});
    },
    calls: (place) => [mknod(place.path('room/disk'), 0o060600, 7, 7)],
    effect: (place) => place.exists('room/disk'),
  },
);
