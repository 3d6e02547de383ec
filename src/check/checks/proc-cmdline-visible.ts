import {attack, byDesign, nist} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** What ps shows. */
export const procCmdlineVisible = byDesign(
  {
    id: 'proc-cmdline-visible',
    title: 'command lines of the host are readable in its pid namespace',
    group: 8,
    gain: 'passwords on command lines, and what runs',
    attempt: "open(2) of /proc/PID/cmdline of a process of the host's root",
    expected: {'treatment-all': 'read', 'treatment-default': 'read'},
    rule: 'fs/proc/base.c: cmdline, stat and status are 0444',
    references: [attack('T1057'), nist('3.4.3')],
    insteadUse: 'a pid namespace; hidepid for /proc',
  },
  onVictim('', (pid) => [open(`/proc/${pid}/cmdline`, O.RDONLY), read()]),
);
