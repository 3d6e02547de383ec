import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {prlimit} from '../operation.ts';

const RLIMIT_NOFILE = 7;

/** A limit that one has lowered cannot be raised again. */
export const rlimitRaise = tried(
  'K',
  {
    id: 'rlimit-raise',
    title: 'a hard limit cannot be raised',
    group: 3,
    gain: 'more processes, files and memory than the runtime gave',
    attempt: 'setrlimit(2) of RLIMIT_NOFILE to 100, then to 101',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/sys.c do_prlimit(): capable(CAP_SYS_RESOURCE) in the initial user namespace',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {
    calls: () => [
      prlimit(RLIMIT_NOFILE, 100, 100, 'RLIMIT_NOFILE, 100'),
      prlimit(RLIMIT_NOFILE, 101, 101, 'RLIMIT_NOFILE, 101'),
    ],
  },
);
