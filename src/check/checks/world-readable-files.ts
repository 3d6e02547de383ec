import {attack, byDesign, nist} from '../define.ts';
import {O, open, read} from '../operation.ts';

/** What everybody may read, everybody may read. */
export const worldReadableFiles = byDesign(
  {
    id: 'world-readable-files',
    title: 'files that everybody may read are readable',
    group: 8,
    gain: '/etc/passwd, the machine id, sources and configuration, if they are reachable',
    attempt: 'open(2) of a 0644 file of root',
    expected: {'treatment-all': 'opened', 'treatment-default': 'opened'},
    rule: 'fs/namei.c acl_permission_check(): the mode for others',
    references: [attack('T1083'), nist('3.5.5')],
    insteadUse: 'the modes of files; a root file system of its own',
  },
  {
    prepare: (place) => {
      place.file('open', {mode: 0o644});
    },
    calls: (place) => [open(place.path('open'), O.RDONLY), read()],
  },
);
