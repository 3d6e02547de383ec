import type {Attempt} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, MS, mount, unshare} from '../operation.ts';

const types = ['debugfs', 'tracefs', 'securityfs', 'devtmpfs', 'bpf', 'hugetlbfs', 'proc', 'sysfs', 'mqueue'];

/** File systems that show or drive the kernel of the host. */
export const privilegedFsTypes = tried(
  'K',
  {
    id: 'privileged-fs-types',
    title: 'file systems that drive the kernel cannot be mounted',
    group: 2,
    gain: 'tracing and debugging of the kernel, all devices, the processes and the network of the host',
    attempt: "mount(2) of each in a mount namespace of one's own, while in the host's pid, network and IPC namespaces",
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/super.c mount_capable(): FS_USERNS_MOUNT or the initial user namespace; proc, sysfs and mqueue ask for CAP_SYS_ADMIN over the owner of the pid, network or IPC namespace that they show',
    references: [attack('T1611'), nist('3.4.3')],
  },
  ...types.map(
    (type): Attempt => ({
      name: type,
      prepare: (place) => {
        place.dir('target');
      },
      reach: (place) =>
        place.arm.endsWith('all')
          ? [unshare('mnt'), mount('tmpfs', place.path('target'), 'tmpfs')]
          : [call('getpid', [], 'getpid')],
      calls: (place) => [
        unshare('mnt'),
        mount('none', '/', '', MS.rec + MS.private),
        mount(type, place.path('target'), type),
      ],
      // The first of the three namespaces is the pod's own: refused there, it is refused by a rule of mounts all the same.
      ...(type === 'cgroup' ? {refusals: ['EBUSY']} : {}),
    }),
  ),
);
