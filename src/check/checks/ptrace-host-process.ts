import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';
import {onVictim} from '../victims.ts';

const PTRACE_SEIZE = 0x4206;

/** Whoever traces a process is that process. */
export const ptraceHostProcess = tried(
  'K',
  {
    id: 'ptrace-host-process',
    title: "processes of the host's root cannot be traced",
    group: 4,
    gain: 'code of the attacker in a process of root of the node',
    attempt: 'ptrace(2) PTRACE_SEIZE of a canary process; it ends with the attempt',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: "kernel/ptrace.c __ptrace_may_access(): equal kernel ids, and capabilities over the target's user namespace",
    references: [attack('T1055.008'), docker('5.16'), nist('3.4.3')],
  },
  onVictim('', (pid) => [call('ptrace', [PTRACE_SEIZE, pid, 0, 0], 'ptrace(PTRACE_SEIZE)')]),
);
