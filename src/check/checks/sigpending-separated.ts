import {attack, nist} from '../define.ts';
import {separated} from '../limits.ts';
import {call, prlimit, repeat, struct} from '../operation.ts';

const RLIMIT_SIGPENDING = 11;
const SIGRTMIN = 34;
const SI_QUEUE = -1;

/** Queued signals of a user. */
export const sigpendingSeparated = separated(
  {
    id: 'sigpending-separated',
    title: 'the queued signals of one pod do not count for another',
    group: 6,
    gain: 'pods whose timers and asynchronous I/O fail, because another with the same user has too many',
    attempt: 'rt_sigqueueinfo(2) to itself under RLIMIT_SIGPENDING = 40, as uid 1000 of both pods',
    expected: {'control-default': 'the second gets none', 'treatment-default': 'each gets its own'},
    rule: 'kernel/ucount.c: UCOUNT_RLIMIT_SIGPENDING is counted by user namespace and kernel id',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {
    take: [
      prlimit(RLIMIT_SIGPENDING, 40, 40, 'RLIMIT_SIGPENDING, 40'),
      call('block', [], 'block all signals'),
      call('getpid', [], 'getpid', {as: 'self'}),
      repeat(100, 'rt_sigqueueinfo', [
        {of: 'self'},
        SIGRTMIN,
        {bytes: Buffer.concat([struct([SIGRTMIN, 4], [0, 4], [SI_QUEUE, 4]), Buffer.alloc(116)])},
      ]),
    ],
  },
);
