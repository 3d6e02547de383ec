import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {call} from '../operation.ts';

/** A name of its own. */
export const hostname = usable(
  {
    id: 'hostname',
    title: 'the pod can set its own name',
    group: 7,
    gain: 'nothing; without it: init systems in pods',
    attempt: 'sethostname(2) in a UTS namespace that the pod makes',
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "kernel/sys.c: ns_capable(uts_ns->user_ns, CAP_SYS_ADMIN), and the namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    name: 'own',
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [call('sethostname', ['check', 5], 'sethostname')],
  },
);
