import {attack, cis, nist} from '../define.ts';
import {separated} from '../limits.ts';
import {call, prlimit} from '../operation.ts';

const RLIMIT_NPROC = 6;

/** Processes of a user. */
export const nprocSeparated = separated(
  {
    id: 'nproc-separated',
    title: 'the processes of one pod do not count for another',
    group: 6,
    gain: 'pods that cannot start a process, because another with the same user has too many',
    attempt: 'fork(2) under RLIMIT_NPROC = 10, as uid 1000 of both pods',
    expected: {'control-default': 'the second gets none', 'treatment-default': 'each gets its own'},
    rule: 'kernel/ucount.c: RLIMIT_NPROC is counted by user namespace and kernel id',
    references: [attack('T1499.001'), cis('4.2.13'), nist('3.5.2')],
  },
  {take: [prlimit(RLIMIT_NPROC, 10, 10, 'RLIMIT_NPROC, 10'), call('forks', [40], 'fork, at most 40')]},
);
