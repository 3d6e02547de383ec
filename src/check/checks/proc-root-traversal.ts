import type {Attempt} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {O, open, read, readlink} from '../operation.ts';

/** The host's files through /proc. */
export const procRootTraversal = tried(
  'K',
  {
    id: 'proc-root-traversal',
    title: "the host's files cannot be reached through /proc/PID",
    group: 2,
    gain: 'every file of the node through the root, the working folder or a descriptor of one of its processes',
    attempt: "readlink(2) and open(2) through /proc/PID/root, cwd, exe and fd of a process of the host's root",
    expected: expectedOfCapability('EACCES', 'EACCES'),
    rule: 'fs/proc/base.c proc_pid_get_link() → proc_fd_access_allowed() → ptrace_may_access()',
    references: [attack('T1611'), attack('T1083'), nist('3.5.5')],
  },
  ...['root', 'cwd', 'exe', 'fd/0'].map(
    (name): Attempt => ({
      name: name.replace('/', '-'),
      prepare: async (place) => {
        const {pid} = await place.victim();
        place.keep('pid', pid);
      },
      reach: (place) => [open(`/proc/${place.kept('pid')}/stat`, O.RDONLY), read()],
      calls: (place) => [readlink(`/proc/${place.kept('pid')}/${name}`)],
    }),
  ),
);
