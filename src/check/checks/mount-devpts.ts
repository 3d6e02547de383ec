import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Devpts in the pod. */
export const mountDevpts = usable(
  {
    id: 'mount-devpts',
    title: 'the pod can mount devpts',
    group: 7,
    gain: 'nothing; without it: terminals of its own',
    attempt: "mount(2) of devpts in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('devpts', anyFolder, 'devpts')],
  },
);
