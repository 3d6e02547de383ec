import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {addressOf, memoryCalls, onVictim} from '../victims.ts';

/** Memory of another process, without stopping it. */
export const vmReadWrite = tried(
  'K',
  {
    id: 'vm-read-write',
    title: "memory of the host's processes can be neither read nor written",
    group: 4,
    gain: 'secrets in the memory of root of the node, and code put there',
    attempt: 'process_vm_readv(2) of a canary text, and process_vm_writev(2) of the same bytes',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'mm/process_vm_access.c → mm_access() → ptrace_may_access()',
    references: [attack('T1055.008'), nist('3.4.3')],
  },
  ...(['process_vm_readv', 'process_vm_writev'] as const).map((name) =>
    onVictim(name, (pid, place) => memoryCalls(name, pid, addressOf(place))),
  ),
);
