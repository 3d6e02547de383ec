import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Mqueue in the pod. */
export const mountMqueue = usable(
  {
    id: 'mount-mqueue',
    title: 'the pod can mount mqueue',
    group: 7,
    gain: 'nothing; without it: POSIX message queues',
    attempt: "mount(2) of mqueue in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's; CAP_SYS_ADMIN over the owner of the IPC namespace",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('mqueue', anyFolder, 'mqueue')],
  },
);
