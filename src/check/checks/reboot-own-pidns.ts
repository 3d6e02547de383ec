import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {call} from '../operation.ts';

/** The pod may restart itself: the gate is passed, and nothing is done. */
export const rebootOwnPidns = usable(
  {
    id: 'reboot-own-pidns',
    title: 'the pod may restart itself',
    group: 7,
    gain: 'nothing; without it: init systems in pods. In its own pid namespace reboot(2) ends the pod alone',
    attempt:
      "reboot(2) with wrong magic numbers in the pod's pid namespace: EINVAL means that the permission was there",
    expected: {'treatment-all': 'EINVAL', 'treatment-default': 'EPERM, for want of CAP_SYS_BOOT'},
    rule: 'kernel/reboot.c: ns_capable(pid_ns->user_ns, CAP_SYS_BOOT); kernel/pid_namespace.c reboot_pid_ns() kills the first process',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [call('reboot', [0, 0, 0, 0], 'reboot(wrong magic)', {gate: ['EINVAL']})],
  },
);
