import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {addressOf, memoryCalls, onPartner} from '../victims.ts';

/** From pod to pod. */
export const lateralVm = tried(
  'U',
  {
    id: 'lateral-vm',
    title: 'memory of another pod can be neither read nor written',
    group: 5,
    gain: 'secrets of other pods',
    attempt: 'process_vm_readv(2) and process_vm_writev(2) of a canary text of the other pod',
    expected: expectedOfIds('EPERM'),
    rule: 'mm/process_vm_access.c → mm_access() → ptrace_may_access()',
    references: [attack('T1055.008'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  ...(['process_vm_readv', 'process_vm_writev'] as const).map((name) =>
    onPartner(name, (pid, place) => memoryCalls(name, pid, addressOf(place))),
  ),
);
