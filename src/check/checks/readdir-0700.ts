import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call, O, open} from '../operation.ts';

/** What is in root's own folder. */
export const readdir0700 = tried(
  'U',
  {
    id: 'readdir-0700',
    title: "a private folder of the host's root cannot be listed",
    group: 2,
    gain: 'names of what is there: pods, keys, users',
    attempt: 'open(2) of a 0700 folder of root, and getdents(2)',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(): CAP_DAC_READ_SEARCH of the namespace does not count over an unmapped owner',
    references: [attack('T1083'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('private', {mode: 0o700});
      place.dir('public');
    },
    reach: (place) => [open(place.path('public'), O.RDONLY + O.DIRECTORY)],
    calls: (place) => [
      open(place.path('private'), O.RDONLY + O.DIRECTORY),
      call('getdents64', [{of: 'file'}, {room: 1024}, 1024], 'getdents'),
    ],
  },
);
