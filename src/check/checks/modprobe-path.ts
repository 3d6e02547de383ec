import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {sameValue} from '../same-value.ts';

/** Programs that load modules and tell of new devices. */
export const modprobePath = tried(
  'U',
  {
    id: 'modprobe-path',
    title: 'the programs that load modules and handle devices cannot be set',
    group: 3,
    gain: 'a program that root of the host runs when a module is wanted or a device comes',
    attempt: 'the same value into kernel/modprobe and /sys/kernel/uevent_helper',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/proc_sysctl.c test_perm(); fs/kernfs/inode.c kernfs_iop_permission()',
    references: [attack('T1547.006'), nist('3.5.2')],
  },
  sameValue('/proc/sys/kernel/modprobe'),
  sameValue('/sys/kernel/uevent_helper'),
);
