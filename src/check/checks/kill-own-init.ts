import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {kill} from '../operation.ts';

/** Signals within the pod. */
export const killOwnInit = usable(
  {
    id: 'kill-own-init',
    title: 'the pod can signal its own first process',
    group: 7,
    gain: 'nothing; without it: reloads and stops by the pod itself',
    attempt: "kill(2) of pid 1 with signal 0 in the pod's pid namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'kernel/signal.c kill_ok_by_cred(): the same kernel id, or CAP_KILL over the same user namespace',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {arms: ['treatment-all', 'treatment-default'], who: insidePod, calls: () => [kill(1, 0, '0')]},
);
