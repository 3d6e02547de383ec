import {attack, byDesign, nist} from '../define.ts';
import {call, O, open} from '../operation.ts';

const LOCK_EX = 2;

/** A lock wants no right to write. */
export const flockDos = byDesign(
  {
    id: 'flock-dos',
    title: "a pod can lock the host's files that it may read",
    group: 8,
    gain: 'programs of the host that wait for a lock for ever',
    attempt: 'flock(2) LOCK_EX on a 0644 file of root',
    expected: {'treatment-all': 'locked', 'treatment-default': 'locked'},
    rule: 'fs/locks.c: an open file can be locked, for reading or for writing',
    references: [attack('T1499.001'), nist('3.5.5')],
    insteadUse: 'lock files that no pod can reach',
  },
  {
    prepare: (place) => {
      place.file('lock', {mode: 0o644});
    },
    calls: (place) => [open(place.path('lock'), O.RDONLY), call('flock', [{of: 'file'}, LOCK_EX], 'flock(LOCK_EX)')],
  },
);
