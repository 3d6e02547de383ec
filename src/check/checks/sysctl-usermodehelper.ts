import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {sameValue} from '../same-value.ts';

/** Other programs that the kernel starts as root, and the limits that it gives them. */
export const sysctlUsermodehelper = tried(
  'U',
  {
    id: 'sysctl-usermodehelper',
    title: "the kernel's other helper programs and their limits cannot be set",
    group: 3,
    gain: 'a program that root of the host runs at a shutdown, or more capabilities for every helper',
    attempt: 'the same value into kernel/poweroff_cmd, kernel/cad_pid and kernel/usermodehelper/bset',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/proc_sysctl.c test_perm(); bset is 0600 and wants CAP_SETPCAP and CAP_SYS_MODULE on top',
    references: [attack('T1611'), nist('3.5.2')],
  },
  ...['poweroff_cmd', 'cad_pid', 'usermodehelper/bset'].map((name) => sameValue(`/proc/sys/kernel/${name}`)),
);
