import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, O, open, readlink} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** What a process has open, and where it is. */
export const procFdRootCwdExe = tried(
  'K',
  {
    id: 'proc-fd-root-cwd-exe',
    title: "descriptors and folders of the host's processes stay hidden",
    group: 4,
    gain: 'files of the node, through the links of a process that has them',
    attempt: 'getdents(2) of /proc/PID/fd, readlink(2) of root, cwd and exe of a canary process',
    expected: expectedOfCapability('EACCES', 'EACCES'),
    rule: 'fs/proc/fd.c proc_fd_permission(), fs/proc/base.c proc_pid_get_link(): ptrace_may_access()',
    references: [attack('T1083'), nist('3.4.3')],
  },
  onVictim('fd', (pid) => [
    open(`/proc/${pid}/fd`, O.RDONLY + O.DIRECTORY),
    call('getdents64', [{of: 'file'}, {room: 512}, 512], 'getdents'),
  ]),
  ...['root', 'cwd', 'exe'].map((name) => onVictim(name, (pid) => [readlink(`/proc/${pid}/${name}`)])),
);
