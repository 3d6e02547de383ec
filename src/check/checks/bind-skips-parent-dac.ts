import {attack, byDesign, nist} from '../define.ts';
import {MS, mount, O, open, read, umount} from '../operation.ts';

/** A mount has no folders above it. */
export const bindSkipsParentDac = byDesign(
  {
    id: 'bind-skips-parent-dac',
    title: 'a folder that is mounted into a pod is no longer protected by those above it',
    group: 8,
    gain: 'readable files that were protected by a 0700 folder alone',
    attempt: 'open(2) of a 0644 file below a 0700 folder, through a bind mount of the inner folder',
    expected: {'treatment-all': 'opened', 'treatment-default': 'opened'},
    rule: 'fs/namei.c: permission is asked of the folders that a path goes through, and a mount is the beginning of a path',
    references: [attack('T1083'), nist('3.5.5')],
    insteadUse: 'modes on the files themselves; no mounts from private folders',
  },
  {
    prepare: async (place) => {
      place.dir('private', {mode: 0o700});
      place.dir('private/inner');
      place.file('private/inner/open', {mode: 0o644});
      place.dir('mount');
      await place.asHost(mount(place.path('private/inner'), place.path('mount'), '', MS.bind));
    },
    calls: (place) => [open(place.path('mount/open'), O.RDONLY), read()],
    undo: (place) => place.scene.tidy(umount(place.path('mount'))),
  },
);
