import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {O, open, write} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** Who is killed when memory runs out. */
export const oomLowering = tried(
  'K',
  {
    id: 'oom-lowering',
    title: 'no process can be kept from the out-of-memory killer',
    group: 4,
    gain: 'a pod that survives while the node dies',
    attempt: 'write(2) of -500 to oom_score_adj of a canary process',
    expected: expectedOfCapability('EACCES', 'EACCES'),
    rule: 'fs/proc/base.c __set_oom_adj(): below the least that was set, capable(CAP_SYS_RESOURCE) in the initial user namespace',
    references: [attack('T1496'), nist('3.4.3')],
  },
  onVictim('', (pid) => [open(`/proc/${pid}/oom_score_adj`, O.WRONLY), write('-500')]),
);
