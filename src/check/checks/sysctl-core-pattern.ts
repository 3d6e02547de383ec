import {attack, cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {sameValue} from '../same-value.ts';

/** The shortest way from a writable /proc/sys to root of the node. */
export const sysctlCorePattern = tried(
  'U',
  {
    id: 'sysctl-core-pattern',
    title: 'the program that the kernel runs when another crashes cannot be set',
    group: 3,
    gain: 'a program that root of the host runs at the next crash',
    attempt: 'open(2) of /proc/sys/kernel/core_pattern for writing, and the same value',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/proc/proc_sysctl.c test_perm(): the owner is the kernel id 0, and no capability overrides the mode',
    references: [cve('CVE-2022-0811'), cve('CVE-2025-52881'), attack('T1611'), nist('3.5.2')],
  },
  sameValue('/proc/sys/kernel/core_pattern', {
    name: '',
    reach: () => [open('/proc/sys/kernel/core_pattern', O.RDONLY), read()],
  }),
);
