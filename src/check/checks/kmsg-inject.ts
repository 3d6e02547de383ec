import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, write} from '../operation.ts';

/** A line of one's own in the log of the node. */
export const kmsgInject = tried(
  'U',
  {
    id: 'kmsg-inject',
    title: "no line can be put into the kernel's log",
    group: 3,
    gain: 'false traces in the log of the node',
    attempt: 'open(2) of /dev/kmsg for writing, and one line of the lowest level',
    expected: expectedOfIds('EACCES'),
    rule: 'drivers/char/mem.c: a node of root, 0644; kernel/printk/printk.c devkmsg_open()',
    references: [attack('T1565.001'), nist('3.5.2')],
  },
  {
    calls: () => [open('/dev/kmsg', O.WRONLY), write('<7>subroot: a canary line of a check\n')],
  },
);
