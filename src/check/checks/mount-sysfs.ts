import {kubernetes, usable} from '../define.ts';
import {anyFolder, ownMounts, unmaskedPod} from '../inside.ts';
import {MS, mount} from '../operation.ts';

/** Sysfs in the pod. */
export const mountSysfs = usable(
  {
    id: 'mount-sysfs',
    title: 'the pod can mount sysfs',
    group: 7,
    gain: 'nothing; without it: nested containers',
    attempt: "mount(2) of sysfs in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's; CAP_SYS_ADMIN over the owner of the network namespace, and a visible sysfs (mount_too_revealing())",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: unmaskedPod,
    calls: () => [...ownMounts(), mount('sysfs', anyFolder, 'sysfs', MS.rdonly)],
  },
);
