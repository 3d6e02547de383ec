import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod} from '../inside.ts';
import {call} from '../operation.ts';

/** A root folder of its own. */
export const chroot = usable(
  {
    id: 'chroot',
    title: 'the pod can change its root folder',
    group: 7,
    gain: 'nothing; without it: sshd, ftp servers, builds',
    attempt: "chroot(2) in the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'fs/open.c: ns_capable(current_user_ns(), CAP_SYS_CHROOT)',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [call('chroot', [anyFolder], `chroot(${anyFolder})`)],
  },
);
