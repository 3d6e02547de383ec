import {byDesign, nist} from '../define.ts';
import {O, open} from '../operation.ts';

/** What everybody may write, everybody may write. */
export const worldWritableDirs = byDesign(
  {
    id: 'world-writable-dirs',
    title: 'files can be made where everybody may make them',
    group: 8,
    gain: 'a full disk, and names that others wanted, in /tmp and the like',
    attempt: 'open(2) with O_CREAT in a 1777 folder of root',
    expected: {'treatment-all': 'made', 'treatment-default': 'made'},
    rule: 'fs/namei.c may_create(): the mode for others',
    references: [nist('3.5.5')],
    insteadUse: 'quotas; a root file system of its own',
  },
  {
    prepare: (place) => {
      place.dir('tmp', {mode: 0o1777});
    },
    calls: (place) => [open(place.path('tmp/made'), O.WRONLY + O.CREAT)],
  },
);
