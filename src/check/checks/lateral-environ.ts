import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralEnviron = tried(
  'U',
  {
    id: 'lateral-environ',
    title: 'the environment of another pod stays hidden',
    group: 5,
    gain: 'passwords in variables of other pods',
    attempt: 'open(2) of /proc/PID/environ of a process of the other pod',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/base.c environ_open() → mm_access()',
    references: [attack('T1552.001'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [open(`/proc/${pid}/environ`, O.RDONLY), read()]),
);
