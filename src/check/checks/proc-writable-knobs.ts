import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {call, O, open, write} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** Files of /proc that change a process. */
export const procWritableKnobs = tried(
  'U',
  {
    id: 'proc-writable-knobs',
    title: "knobs of the host's processes cannot be turned",
    group: 4,
    gain: 'soft sabotage of a process of root',
    attempt: 'write(2) to clear_refs and autogroup of a canary process',
    expected: expectedOfIds('EACCES'),
    rule: "fs/proc/base.c: files of /proc/PID belong to the process's kernel id",
    references: [attack('T1499.001'), nist('3.4.3')],
  },
  onVictim('clear_refs', (pid) => [open(`/proc/${pid}/clear_refs`, O.WRONLY), write('1')]),
  onVictim('autogroup', (pid) => [
    open(`/proc/${pid}/autogroup`, O.WRONLY),
    call('write', [{of: 'file'}, '0', 1], 'write(0)', {gate: ['EAGAIN']}),
  ]),
);
