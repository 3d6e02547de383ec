import {attack, byDesign, nist} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Memory without an end. */
export const ramfsUnbounded = byDesign(
  {
    id: 'ramfs-unbounded',
    title: 'a pod that may mount can take memory without a limit of its own',
    group: 8,
    gain: 'the memory of the node',
    attempt: "mount(2) of ramfs, which has no size, in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'mounted', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: 'fs/ramfs/inode.c: FS_USERNS_MOUNT; only control groups count its pages',
    references: [attack('T1499.001'), nist('3.5.2')],
    insteadUse: 'a memory limit (memory.max)',
  },
  {
    arms: ['treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('ramfs', anyFolder, 'ramfs')],
  },
);
