import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call} from '../operation.ts';
import {onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralRenice = tried(
  'U',
  {
    id: 'lateral-renice',
    title: 'the priority of another pod cannot be lowered',
    group: 5,
    gain: 'other pods that get no time',
    attempt: 'setpriority(2) to 10 of a process of the other pod',
    expected: expectedOfIds('EPERM'),
    rule: 'kernel/sys.c set_one_prio_perm()',
    references: [attack('T1499.001'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [call('setpriority', [0, pid, 10], 'setpriority(10)')]),
);
