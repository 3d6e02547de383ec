import {expectedOfCapability, nist, tried} from '../define.ts';
import {AT_FDCWD, call} from '../operation.ts';

const FAN_CLASS_CONTENT = 4;
const FAN_REPORT_FID = 0x200;
const FAN_MARK_FILESYSTEM = 0x101;
const FAN_OPEN = 0x20;

/** Whoever watches a file system may see, and with permission events stop, every open. */
export const fanotify = tried(
  'K',
  {
    id: 'fanotify',
    title: "opens of the host's files can be neither watched nor stopped",
    group: 3,
    gain: 'to see and to block every open of a file on the node',
    attempt: 'fanotify_init(2) with FAN_CLASS_CONTENT; fanotify_mark(2) of a whole file system',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/notify/fanotify/fanotify_user.c: capable(CAP_SYS_ADMIN) in the initial user namespace, or over the owner of the file system',
    references: [nist('3.5.2')],
  },
  {name: 'content', calls: () => [call('fanotify_init', [FAN_CLASS_CONTENT, 0], 'fanotify_init(FAN_CLASS_CONTENT)')]},
  {
    name: 'filesystem',
    calls: (place) => [
      call('fanotify_init', [FAN_REPORT_FID, 0], 'fanotify_init(FAN_REPORT_FID)', {as: 'group'}),
      call(
        'fanotify_mark',
        [{of: 'group'}, FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, place.path('.')],
        'fanotify_mark(FAN_MARK_FILESYSTEM)',
      ),
    ],
  },
);
