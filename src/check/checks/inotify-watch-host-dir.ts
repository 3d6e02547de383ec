import {attack, byDesign, nist} from '../define.ts';
import {call} from '../operation.ts';

const IN_MODIFY = 2;

/** To watch wants the right to read. */
export const inotifyWatchHostDir = byDesign(
  {
    id: 'inotify-watch-host-dir',
    title: "a pod can watch the host's folders that it may read",
    group: 8,
    gain: 'when and what the host writes there',
    attempt: 'inotify_add_watch(2) on a 0755 folder of root',
    expected: {'treatment-all': 'watched', 'treatment-default': 'watched'},
    rule: 'fs/notify/inotify/inotify_user.c inotify_find_inode(): MAY_READ',
    references: [attack('T1083'), nist('3.5.5')],
    insteadUse: 'the modes of folders',
  },
  {
    prepare: (place) => {
      place.dir('folder');
    },
    calls: (place) => [
      call('inotify_init1', [0], 'inotify_init', {as: 'inotify'}),
      call('inotify_add_watch', [{of: 'inotify'}, place.path('folder'), IN_MODIFY], 'inotify_add_watch'),
    ],
  },
);
