import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {loopDevice} from '../loop-device.ts';
import {call, mount, umount} from '../operation.ts';

const Q_SETQUOTA = 0x800008;

/** Quotas of a canary disk that has none. */
export const quota = tried(
  'K',
  {
    id: 'quota',
    title: 'quotas of users of the host cannot be set',
    group: 3,
    gain: 'users of the node who can write no byte more',
    attempt: 'quotactl(2) Q_SETQUOTA on a canary disk without quotas: ESRCH means that the permission was there',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/quota/quota.c check_quotactl_permission(): capable(CAP_SYS_ADMIN) in the initial user namespace',
    references: [attack('T1499.001'), nist('3.5.2')],
    needs: ['loop-device'],
  },
  {
    prepare: async (place) => {
      await loopDevice(place, {ext4: true});
      place.dir('disk.d');
      await place.asHost(mount(place.path('disk'), place.path('disk.d'), 'ext4'));
    },
    calls: (place) => [
      call(
        'quotactl',
        [Q_SETQUOTA * 256, place.path('disk'), 1000, {bytes: Buffer.alloc(128)}],
        'quotactl(Q_SETQUOTA)',
        {gate: ['ESRCH', 'ENOSYS']},
      ),
    ],
    undo: (place) => place.scene.tidy(umount(place.path('disk.d'))),
  },
);
