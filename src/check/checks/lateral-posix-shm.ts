import {attack, cis, docker, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read, write} from '../operation.ts';
import {partner} from '../victims.ts';

/** From pod to pod, in one /dev/shm. */
export const lateralPosixShm = tried(
  'U',
  {
    id: 'lateral-posix-shm',
    title: 'shared memory of another pod cannot be opened',
    group: 5,
    gain: 'what databases and browsers of other pods keep in memory',
    attempt: "shm_open(3), which is open(2), of a 0600 object of the other pod's root in one tmpfs",
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(): POSIX shared memory is files of a tmpfs',
    references: [attack('T1559'), cis('5.2.4'), docker('5.17'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  {
    prepare: async (place) => {
      const shm = place.dir('shm', {mode: 0o1777});
      await place.hold(
        partner(place),
        open(`${shm}/theirs`, O.RDWR + O.CREAT + O.EXCL, {mode: 0o600}),
        write('secret'),
      );
    },
    reach: (place) => [open(place.path('shm/own'), O.RDWR + O.CREAT)],
    calls: (place) => [open(place.path('shm/theirs'), O.RDWR), read()],
  },
);
