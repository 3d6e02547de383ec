import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mount} from '../operation.ts';

/** Cgroup2 in the pod. */
export const mountCgroup2 = usable(
  {
    id: 'mount-cgroup2',
    title: 'the pod can mount cgroup2',
    group: 7,
    gain: 'nothing; without it: init systems in the pod',
    attempt: "mount(2) of cgroup2 in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/super.c mount_capable(): the type has FS_USERNS_MOUNT, and the mount namespace is the pod's; CAP_SYS_ADMIN over the owner of the cgroup namespace",
    references: [kubernetes('KEP-127')],
    needs: ['cgroup-v2'],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('cgroup2', anyFolder, 'cgroup2')],
  },
);
