import {kubernetes, usable} from '../define.ts';
import {anyFolder, dismissInside, insideWithFolder, ownMounts} from '../inside.ts';
import {chmod, mknod, mount, O, open} from '../operation.ts';

/** File systems of user space: the first story of KEP-127. */
export const fuseMount = usable(
  {
    id: 'fuse-mount',
    title: 'the pod can mount file systems of user space',
    group: 7,
    gain: 'nothing; without it: sshfs, s3fs, rootless builds',
    attempt: "open(2) of a 0666 node of /dev/fuse, mount(2) of fuse, in a copy of the pod's mount namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: 'fs/fuse/inode.c: FS_USERNS_MOUNT; the node must have been opened in the same user namespace',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insideWithFolder,
    prepare: async (place) => {
      await place.asHost(mknod(place.path('fuse'), 0o020666, 10, 229), chmod(place.path('fuse'), 0o666));
    },
    calls: () => [
      ...ownMounts(),
      open('fuse', O.RDWR, {at: 'folder', as: 'fuse'}),
      mount('fuse', anyFolder, 'fuse', 0, 'fd={fuse},rootmode=40000,user_id=0,group_id=0'),
    ],
    undo: dismissInside,
  },
);
