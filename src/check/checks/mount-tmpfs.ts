import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Tmpfs in the pod. */
export const mountTmpfs = usable(
  {
    id: 'mount-tmpfs',
    title: 'the pod can mount tmpfs',
    group: 7,
    gain: 'nothing; without it: working space in memory',
    attempt: "mount(2) of tmpfs in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('tmpfs', anyFolder, 'tmpfs')],
  },
);
