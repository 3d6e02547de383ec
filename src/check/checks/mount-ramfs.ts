import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Ramfs in the pod. */
export const mountRamfs = usable(
  {
    id: 'mount-ramfs',
    title: 'the pod can mount ramfs',
    group: 7,
    gain: 'nothing; without it: working space in memory; without a limit, see ramfs-unbounded',
    attempt: "mount(2) of ramfs in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('ramfs', anyFolder, 'ramfs')],
  },
);
