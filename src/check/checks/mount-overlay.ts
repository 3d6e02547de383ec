import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {mkdir, mount} from '../operation.ts';

/** Layers in the pod. */
export const mountOverlay = usable(
  {
    id: 'mount-overlay',
    title: 'the pod can mount overlay',
    group: 7,
    gain: 'nothing; without it: builds of images in pods',
    attempt: "mount(2) of overlay on a tmpfs, in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: 'fs/overlayfs/super.c: FS_USERNS_MOUNT since 5.11, with userxattr',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [
      ...ownMounts(),
      mount('tmpfs', anyFolder, 'tmpfs'),
      ...['lower', 'upper', 'work', 'root'].map((name) => mkdir(`${anyFolder}/${name}`)),
      mount(
        'overlay',
        `${anyFolder}/root`,
        'overlay',
        0,
        `lowerdir=${anyFolder}/lower,upperdir=${anyFolder}/upper,workdir=${anyFolder}/work,userxattr`,
      ),
    ],
  },
);
