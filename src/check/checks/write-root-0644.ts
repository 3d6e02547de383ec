import {attack, cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read, write} from '../operation.ts';

/** A configuration file of root, appended to. */
export const writeRoot0644 = tried(
  'U',
  {
    id: 'write-root-0644',
    title: "a configuration file of the host's root cannot be changed",
    group: 2,
    gain: 'changes to the configuration of the node: users, services, the runtime itself',
    attempt: 'open(2) of a 0644 file of root for appending, and write(2)',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(): the owner is compared as a kernel id, and no capability of the namespace reaches an unmapped one',
    references: [cve('CVE-2018-15664'), attack('T1565.001'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('config', {mode: 0o644});
    },
    reach: (place) => [open(place.path('config'), O.RDONLY), read()],
    calls: (place) => [open(place.path('config'), O.WRONLY + O.APPEND), write('changed\n')],
    effect: (place) => place.content('config').includes('changed'),
  },
);
