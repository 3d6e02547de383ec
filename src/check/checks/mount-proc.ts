import {kubernetes, usable} from '../define.ts';
import {anyFolder, ownMounts, unmaskedPod} from '../inside.ts';
import {mount} from '../operation.ts';

/** Proc in the pod. */
export const mountProc = usable(
  {
    id: 'mount-proc',
    title: 'the pod can mount proc',
    group: 7,
    gain: 'nothing; without it: nested containers, and tools that want a /proc of their own',
    attempt: "mount(2) of proc in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's; mount_too_revealing(): only where a proc without masks is visible already",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: unmaskedPod,
    calls: () => [...ownMounts(), mount('proc', anyFolder, 'proc')],
  },
);
