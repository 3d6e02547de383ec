import {readText} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A way to hold the kernel in the middle of a copy. */
export const userfaultfdKernel = tried(
  'K',
  {
    id: 'userfaultfd-kernel',
    title: 'page faults of the kernel cannot be handled',
    group: 3,
    gain: 'time to win races in the kernel: a helper of many exploits',
    attempt: 'userfaultfd(2) without UFFD_USER_MODE_ONLY',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/userfaultfd.c userfaultfd_syscall_allowed(): capable(CAP_SYS_PTRACE) in the initial user namespace, with vm.unprivileged_userfaultfd = 0',
    references: [attack('T1068'), nist('3.5.2')],
  },
  {
    prepare: () => {
      if (readText('/proc/sys/vm/unprivileged_userfaultfd')?.trim() === '1')
        throw new CannotTry('vm.unprivileged_userfaultfd is 1 here: everybody may');
    },
    calls: () => [call('userfaultfd', [0], 'userfaultfd(0)')],
  },
);
