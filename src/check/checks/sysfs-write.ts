import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {sameValue} from '../same-value.ts';

/** Knobs of drivers and of memory. */
export const sysfsWrite = tried(
  'U',
  {
    id: 'sysfs-write',
    title: "the host's /sys cannot be written",
    group: 3,
    gain: 'other settings of disks, memory and power of the node',
    attempt:
      'the same value into kernel/mm/ksm/sleep_millisecs, a read_ahead_kb of a loop device, and kernel/reboot/mode',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/kernfs/inode.c kernfs_iop_permission(): the owner is the kernel id 0; reboot/mode wants CAP_SYS_BOOT on top',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  sameValue('/sys/kernel/mm/ksm/sleep_millisecs'),
  sameValue('/sys/block/loop0/queue/read_ahead_kb'),
  sameValue('/sys/kernel/reboot/mode'),
);
