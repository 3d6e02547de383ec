import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {sameValue} from '../same-value.ts';

const names = [
  'kernel/panic',
  'kernel/pid_max',
  'kernel/randomize_va_space',
  'fs/suid_dumpable',
  'vm/overcommit_memory',
  'kernel/keys/maxkeys',
  'fs/inotify/max_user_instances',
  'kernel/hostname',
];

/** Hardening and limits of the node. */
export const sysctlKernelTuning = tried(
  'U',
  {
    id: 'sysctl-kernel-tuning',
    title: "the host's kernel settings cannot be changed",
    group: 3,
    gain: 'a node without address randomization, with other limits, or one that stops at the next fault',
    attempt: `the same value into ${names.join(', ')}`,
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/proc_sysctl.c sysctl_perm() → test_perm()',
    references: [attack('T1562.001'), attack('T1499.001'), nist('3.5.2')],
  },
  ...names.map((name) => sameValue(`/proc/sys/${name}`)),
);
