import {existsSync} from 'node:fs';
import {CannotTry} from '../attempt.ts';
import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {O, open} from '../operation.ts';

/** Opened only: a write would do what it says. */
export const sysrqTrigger = tried(
  'U',
  {
    id: 'sysrq-trigger',
    title: 'the keys that restart or halt the kernel cannot be pressed',
    group: 3,
    gain: 'a node that crashes, restarts, or kills its processes',
    attempt: 'open(2) of /proc/sysrq-trigger for writing; nothing is written',
    expected: expectedOfIds('EACCES'),
    rule: 'drivers/tty/sysrq.c: a 0200 file of root',
    references: [attack('T1529'), nist('3.5.2')],
  },
  {
    prepare: () => {
      if (!existsSync('/proc/sysrq-trigger'))
        throw new CannotTry('this kernel has no /proc/sysrq-trigger (CONFIG_MAGIC_SYSRQ)');
    },
    calls: () => [open('/proc/sysrq-trigger', O.WRONLY)],
  },
);
