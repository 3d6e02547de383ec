import {readText} from '../../host/process-view.ts';
import {type Attempt, CannotTry} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, O, open} from '../operation.ts';

/** Addresses of the kernel, and what it says of others. */
export const dmesgRead = tried(
  'K',
  {
    id: 'dmesg-read',
    title: "the kernel's log cannot be read",
    group: 3,
    gain: 'addresses for an exploit, and what the kernel says of other pods',
    attempt: 'syslog(2) READ_ALL and SIZE_BUFFER, open(2) of /dev/kmsg',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/printk/printk.c check_syslog_permissions(): with kernel.dmesg_restrict = 1, CAP_SYSLOG in the initial user namespace',
    references: [attack('T1082'), nist('3.5.2')],
  },
  ...(['read', 'size', 'kmsg'] as const).map(
    (name): Attempt => ({
      name,
      prepare: () => {
        if (readText('/proc/sys/kernel/dmesg_restrict')?.trim() !== '1')
          throw new CannotTry('kernel.dmesg_restrict is not 1 here: everybody may read the log');
      },
      calls: () =>
        name === 'read'
          ? [call('syslog', [3, {room: 128}, 128], 'syslog(READ_ALL)')]
          : name === 'size'
            ? [call('syslog', [10, 0, 0], 'syslog(SIZE_BUFFER)')]
            : [open('/dev/kmsg', O.RDONLY + O.NONBLOCK)],
    }),
  ),
);
