import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open} from '../operation.ts';
import {onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralMem = tried(
  'U',
  {
    id: 'lateral-mem',
    title: '/proc/PID/mem of another pod stays closed',
    group: 5,
    gain: 'secrets of other pods',
    attempt: 'open(2) of /proc/PID/mem of a process of the other pod',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/base.c proc_mem_open() → mm_access()',
    references: [attack('T1055.009'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [open(`/proc/${pid}/mem`, O.RDONLY)]),
);
