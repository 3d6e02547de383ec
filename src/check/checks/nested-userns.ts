import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {unshare} from '../operation.ts';

/** Sandboxes in the pod. */
export const nestedUserns = usable(
  {
    id: 'nested-userns',
    title: 'the pod can make user namespaces of its own',
    group: 7,
    gain: 'nothing; without it: browsers, bubblewrap, rootless builds. A runtime may forbid it on purpose: see nested-userns-cap',
    attempt: 'unshare(2) with CLONE_NEWUSER in the pod',
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'kernel/user_namespace.c create_user_ns(): no privilege, unless user.max_user_namespaces or a chroot stands in the way',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {arms: ['control-default', 'treatment-all', 'treatment-default'], who: insidePod, calls: () => [unshare('user')]},
);
