import {attack, cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, run, write} from '../operation.ts';
import {catProgram} from '../programs.ts';

/** The end of CVE-2019-5736: the runtime's own binary, opened for writing. */
export const overwriteRootExecutable = tried(
  'U',
  {
    id: 'overwrite-root-executable',
    title: "a program of the host's root cannot be overwritten",
    group: 2,
    gain: 'code that root of the node runs the next time that it starts a container',
    attempt: 'open(2) of a 0755 program of root for writing (an idle copy, never the real runtime)',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(). A program that runs would be ETXTBSY for everybody, so that an idle one is tried',
    references: [cve('CVE-2019-5736'), attack('T1554'), nist('3.4.1'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('runtime', {mode: 0o755, copyOf: catProgram()});
    },
    reach: (place) => [run(place.path('runtime'), '/proc/self/status')],
    calls: (place) => [open(place.path('runtime'), O.WRONLY), write('#!')],
    effect: (place) => place.content('runtime').startsWith('#!'),
  },
);
