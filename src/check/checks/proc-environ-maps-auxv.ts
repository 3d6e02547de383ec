import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {onVictim} from '../victims.ts';

const names = ['environ', 'maps', 'auxv', 'io', 'stack', 'syscall'];

/** Secrets in the environment, and the layout of the memory. */
export const procEnvironMapsAuxv = tried(
  'K',
  {
    id: 'proc-environ-maps-auxv',
    title: "the environment and layout of the host's processes stay hidden",
    group: 4,
    gain: 'passwords in variables, and addresses for an exploit',
    attempt: `open(2) and read(2) of /proc/PID/${names.join(', ')} of a canary process`,
    expected: expectedOfCapability('EACCES', 'EACCES', 'EPERM'),
    rule: 'fs/proc/base.c, fs/proc/task_mmu.c: mm_access() and ptrace_may_access(); most are 0400',
    references: [attack('T1003.007'), attack('T1552.001'), nist('3.4.3')],
  },
  ...names.map((name) => onVictim(name, (pid) => [open(`/proc/${pid}/${name}`, O.RDONLY), read()])),
);
