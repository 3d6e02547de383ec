import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A flag that does not exist is refused only after the permission was asked; nothing is loaded or unloaded. */
export const kexec = tried(
  'K',
  {
    id: 'kexec',
    title: 'no other kernel can be started',
    group: 3,
    gain: "a kernel of the attacker in the place of the node's",
    attempt: 'kexec_load(2) with a flag that does not exist: EINVAL means that the permission was there',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/kexec.c kexec_load_check(): capable(CAP_SYS_BOOT) in the initial user namespace, before the flags',
    references: [attack('T1529'), docker('5.4'), nist('3.5.2')],
  },
  {
    calls: () => [call('kexec_load', [0, 0, 0, 0x8000], 'kexec_load(flag 0x8000)', {gate: ['EINVAL']})],
  },
);
