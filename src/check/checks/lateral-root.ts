import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {readlink} from '../operation.ts';
import {onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralRoot = tried(
  'U',
  {
    id: 'lateral-root',
    title: 'files of another pod cannot be reached through /proc',
    group: 5,
    gain: 'the root file system of another pod',
    attempt: 'readlink(2) of /proc/PID/root of a process of the other pod',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/base.c proc_pid_get_link() → ptrace_may_access()',
    references: [attack('T1083'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [readlink(`/proc/${pid}/root`)]),
);
