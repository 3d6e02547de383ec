import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A wrong magic number is refused only after the permission was asked. */
export const reboot = tried(
  'K',
  {
    id: 'reboot',
    title: 'the host cannot be restarted',
    group: 3,
    gain: 'a node that stops',
    attempt:
      "reboot(2) with wrong magic numbers, in the host's pid namespace: EINVAL means that the permission was there",
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/reboot.c: ns_capable(pid_ns->user_ns, CAP_SYS_BOOT), before the numbers',
    references: [attack('T1529'), nist('3.5.2')],
  },
  {calls: () => [call('reboot', [0, 0, 0, 0], 'reboot(wrong magic)', {gate: ['EINVAL']})]},
);
