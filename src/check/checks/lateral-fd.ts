import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call, O, open} from '../operation.ts';
import {onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralFd = tried(
  'U',
  {
    id: 'lateral-fd',
    title: 'descriptors of another pod stay hidden',
    group: 5,
    gain: 'files that another pod has open',
    attempt: 'getdents(2) of /proc/PID/fd of a process of the other pod',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/fd.c proc_fd_permission()',
    references: [attack('T1083'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [
    open(`/proc/${pid}/fd`, O.RDONLY + O.DIRECTORY),
    call('getdents64', [{of: 'file'}, {room: 512}, 512], 'getdents'),
  ]),
);
