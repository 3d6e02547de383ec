import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** The same through /proc. */
export const procMem = tried(
  'K',
  {
    id: 'proc-mem',
    title: "/proc/PID/mem of the host's processes stays closed",
    group: 4,
    gain: 'secrets in the memory of root of the node',
    attempt: 'open(2) of /proc/PID/mem of a canary process',
    expected: expectedOfCapability('EACCES', 'EACCES'),
    rule: 'fs/proc/base.c proc_mem_open() → mm_access(), and the mode of the file',
    references: [attack('T1055.009'), nist('3.4.3')],
  },
  onVictim('', (pid) => [open(`/proc/${pid}/mem`, O.RDONLY)], {
    reach: (place) => [open(`/proc/${place.kept('pid')}/stat`, O.RDONLY), read()],
  }),
);
