import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {loopDevice} from '../loop-device.ts';
import {MS, mount, umount, unshare} from '../operation.ts';

/** The host's disk, mounted. */
export const mountBlockDevice = tried(
  'K',
  {
    id: 'mount-block-device',
    title: 'a disk of the host cannot be mounted',
    group: 2,
    gain: 'every file of the node, as root sees it',
    attempt: "mount(2) of ext4 on a canary loop device: in a mount namespace of the host, and in one's own",
    expected: expectedOfCapability('EPERM', 'EPERM', 'EACCES'),
    rule: 'fs/namespace.c may_mount() asks for CAP_SYS_ADMIN over the owner of the mount namespace; fs/super.c mount_capable(): a file system without FS_USERNS_MOUNT wants it in the initial user namespace',
    references: [attack('T1611'), docker('5.5'), nist('3.4.3')],
    needs: ['loop-device'],
  },
  {
    name: 'in-host-namespace',
    prepare: async (place) => {
      await loopDevice(place, {ext4: true});
      place.dir('disk.d');
    },
    calls: (place) => [mount(place.path('disk'), place.path('disk.d'), 'ext4')],
    undo: (place) => place.scene.tidy(umount(place.path('disk.d'))),
  },
  {
    name: 'in-own-namespace',
    prepare: async (place) => {
      await loopDevice(place, {ext4: true});
      place.dir('disk.d');
    },
    calls: (place) => [
      unshare('mnt'),
      mount('none', '/', '', MS.rec + MS.private),
      mount(place.path('disk'), place.path('disk.d'), 'ext4'),
    ],
  },
);
