import {readText} from '../../host/process-view.ts';
import {attack, nist} from '../define.ts';
import {separated} from '../limits.ts';
import {call, prlimit} from '../operation.ts';

const RLIMIT_NOFILE = 7;
const files = 4096;

/** Memory of a user's pipes. */
export const pipePagesSeparated = separated(
  {
    id: 'pipe-pages-separated',
    title: 'the pipes of one pod do not count for another',
    group: 6,
    gain: 'pods whose pipes hold a page only, because another with the same user has many',
    attempt: 'pipe(2) and F_GETPIPE_SZ until fs.pipe-user-pages-soft, as uid 1000 of both pods',
    expected: {'control-default': 'the second gets none of full size', 'treatment-default': 'each gets its own'},
    rule: 'fs/pipe.c account_pipe_buffers(): user_struct, by kernel id',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {
    cannot: () => {
      const pages = Number(readText('/proc/sys/fs/pipe-user-pages-soft') ?? Number.NaN);
      return pages > 0 && pages <= 24_000
        ? undefined
        : `fs.pipe-user-pages-soft is ${pages}: more pipes than a process may have open`;
    },
    take: [
      prlimit(RLIMIT_NOFILE, files, files, `RLIMIT_NOFILE, ${files}`),
      call('pipes', [2000], 'pipe, at most 2000 times'),
    ],
  },
);
