import type {Check} from './check.ts';
import {attack, expectedOfCapability, nist, tried} from './define.ts';
import {openNamespace, setns} from './operation.ts';
import type {Place} from './place.ts';
import {type HostNamespace, type Inherited, inherited} from './victims.ts';

/** Joining one of the host's namespaces again. `what` is in it. */
export function setnsOfHost(type: HostNamespace, what: string): Check {
  return tried(
    'K',
    {
      id: `setns-host-${type}`,
      title: `the host's ${type} namespace cannot be joined`,
      group: 4,
      gain: `the host's ${what}`,
      attempt: `setns(2) of the ${type} namespace of a process of root: opened in /proc, with an inherited descriptor, with an inherited pidfd`,
      expected: expectedOfCapability('EACCES (opened), EPERM (inherited)', 'EACCES', 'EPERM'),
      rule: `fs/proc/namespaces.c proc_ns_get_link() → ptrace_may_access() for the path; ns_capable(ns->user_ns, CAP_SYS_ADMIN) in the install of the ${type} namespace for both`,
      references: [attack('T1611'), nist('3.4.3')],
    },
    ...(['path', 'descriptor', 'pidfd'] as const).map((name) => ({
      name,
      prepare: async (place: Place) => {
        place.keep('inherited', await inherited(place.scene));
      },
      who: (place: Place) => {
        const {keep = [], pidfds = []} = place.kept<Inherited>('inherited');
        return {keep, pidfds};
      },
      calls: (place: Place) => {
        const {pid} = place.kept<Inherited>('inherited');
        if (name === 'path') return [openNamespace(pid, type, {as: 'opened'}), setns('opened', type)];
        return [setns(name === 'pidfd' ? 'pidfd' : type, type)];
      },
    })),
  );
}
