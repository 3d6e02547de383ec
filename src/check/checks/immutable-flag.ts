import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {ioctl, O, open, struct} from '../operation.ts';

const FS_IOC_SETFLAGS = 0x40086602;
const FS_IMMUTABLE_FL = 0x10;

/** A file that not even root can change afterwards. */
export const immutableFlag = tried(
  'K',
  {
    id: 'immutable-flag',
    title: "a file of the host's root cannot be made immutable",
    group: 2,
    gain: 'logs and configuration of the node that its defenders cannot change any more',
    attempt: 'ioctl(2) FS_IOC_SETFLAGS with FS_IMMUTABLE_FL; taken back at once',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/file_attr.c fileattr_set_prepare(): capable(CAP_LINUX_IMMUTABLE) in the initial user namespace, for the owner of a file too',
    references: [attack('T1222.002'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('log', {mode: 0o644});
    },
    calls: (place) => [
      open(place.path('log'), O.RDONLY),
      ioctl('file', FS_IOC_SETFLAGS, {bytes: struct([FS_IMMUTABLE_FL, 4], [0, 4])}, 'FS_IOC_SETFLAGS, FS_IMMUTABLE_FL'),
    ],
    undo: (place) =>
      place.scene
        .asHost(
          open(place.path('log'), O.RDONLY),
          ioctl('file', FS_IOC_SETFLAGS, {bytes: struct([0, 4], [0, 4])}, 'FS_IOC_SETFLAGS, 0', {optional: true}),
        )
        .then(() => undefined),
  },
);
