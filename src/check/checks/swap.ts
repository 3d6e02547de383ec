import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A file that is not there is missed only after the permission was asked. */
export const swap = tried(
  'K',
  {
    id: 'swap',
    title: "the host's swap cannot be changed",
    group: 3,
    gain: 'memory of all on a disk of the attacker, or a node without memory',
    attempt: 'swapoff(2) of a file that is not there: ENOENT means that the permission was there',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'mm/swapfile.c: capable(CAP_SYS_ADMIN) in the initial user namespace, before the path',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {calls: (place) => [call('swapoff', [place.path('none')], 'swapoff(none)', {gate: ['ENOENT']})]},
);
