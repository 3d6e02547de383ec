import {readText} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {link, O, open} from '../operation.ts';

/** A second name for a file that will be forgotten under its first. */
export const hardlinkRootFile = tried(
  'U',
  {
    id: 'hardlink-root-file',
    title: "no hard link to a file of the host's root can be made",
    group: 2,
    gain: 'a hold on an old set-user-ID program or a secret after its name is gone',
    attempt: 'link(2) of a 0644 file of root into a folder where everybody may write',
    expected: expectedOfIds('EPERM'),
    rule: 'fs/namei.c may_linkat() with fs.protected_hardlinks = 1: the owner, or a file that one may write',
    references: [attack('T1548.001'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      if (readText('/proc/sys/fs/protected_hardlinks')?.trim() !== '1')
        throw new CannotTry('fs.protected_hardlinks is not 1 here: everybody may link to what is not theirs');
      place.file('program', {mode: 0o644});
      place.dir('room', {mode: 0o1777});
    },
    reach: (place) => [open(place.path('room/own'), O.WRONLY + O.CREAT)],
    calls: (place) => [link(place.path('program'), place.path('room/hold'))],
    effect: (place) => place.exists('room/hold'),
  },
);
