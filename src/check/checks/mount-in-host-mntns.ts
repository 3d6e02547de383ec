import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {MS, mount, umount} from '../operation.ts';

/** The host's mounts, changed. */
export const mountInHostMntns = tried(
  'K',
  {
    id: 'mount-in-host-mntns',
    title: "the host's mounts cannot be changed",
    group: 2,
    gain: 'another /etc for every process of the node, or a writable place where there was a read-only one',
    attempt:
      "mount(2) of tmpfs, bind mount of /etc, remount for writing, umount(2), in a copy of the host's mount namespace that root of the host owns",
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/namespace.c may_mount(): ns_capable(mnt_ns->user_ns, CAP_SYS_ADMIN)',
    references: [attack('T1611'), docker('5.5'), nist('3.4.3')],
  },
  {
    name: 'tmpfs',
    prepare: (place) => {
      place.dir('target');
    },
    calls: (place) => [mount('tmpfs', place.path('target'), 'tmpfs')],
    undo: (place) => place.scene.tidy(umount(place.path('target'))),
  },
  {
    name: 'bind',
    prepare: (place) => {
      place.dir('target');
    },
    calls: (place) => [mount('/etc', place.path('target'), '', MS.bind)],
    undo: (place) => place.scene.tidy(umount(place.path('target'))),
  },
  {
    name: 'remount',
    prepare: async (place) => {
      place.dir('target');
      await place.asHost(mount('tmpfs', place.path('target'), 'tmpfs', MS.rdonly));
    },
    calls: (place) => [mount('none', place.path('target'), '', MS.remount + MS.bind)],
    undo: (place) => place.scene.tidy(umount(place.path('target'))),
  },
  {
    name: 'umount',
    prepare: async (place) => {
      place.dir('target');
      await place.asHost(mount('tmpfs', place.path('target'), 'tmpfs'));
    },
    calls: (place) => [umount(place.path('target'))],
    undo: (place) => place.scene.tidy(umount(place.path('target'))),
  },
);
