import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call} from '../operation.ts';
import {onPartner} from '../victims.ts';

const PTRACE_SEIZE = 0x4206;

/** From pod to pod. */
export const lateralPtrace = tried(
  'U',
  {
    id: 'lateral-ptrace',
    title: 'a process of another pod cannot be traced',
    group: 5,
    gain: 'code of the attacker in another pod',
    attempt: "ptrace(2) PTRACE_SEIZE of a process of the other pod's root",
    expected: expectedOfIds('EPERM'),
    rule: 'kernel/ptrace.c __ptrace_may_access()',
    references: [attack('T1055.008'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [call('ptrace', [PTRACE_SEIZE, pid, 0, 0], 'ptrace(PTRACE_SEIZE)')]),
);
