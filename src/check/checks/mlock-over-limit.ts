import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, prlimit, struct} from '../operation.ts';

const RLIMIT_MEMLOCK = 8;
const size = 64 * 1024 * 1024;

/** More of the machine than one's share; each on the attacker itself. */
export const mlockOverLimit = tried(
  'K',
  {
    id: 'mlock-over-limit',
    title: 'the pod cannot take memory, time or disk before all others',
    group: 3,
    gain: 'a node on which nothing else gets on',
    attempt: 'mlock(2) of 64 MiB above RLIMIT_MEMLOCK, SCHED_FIFO, a nice value of -5, the real-time class of I/O',
    expected: expectedOfCapability('ENOMEM, EPERM, EACCES', 'ENOMEM', 'EPERM', 'EACCES'),
    rule: 'mm/mlock.c can_do_mlock(), kernel/sched/syscalls.c user_check_sched_setscheduler(), can_nice(), block/ioprio.c ioprio_check_cap(): capable() in the initial user namespace',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {
    name: 'mlock',
    refusals: ['ENOMEM'],
    calls: () => [
      prlimit(RLIMIT_MEMLOCK, 65_536, 65_536, 'RLIMIT_MEMLOCK, 64 KiB'),
      call('mmap', [0, size, 3, 0x22, -1, 0], 'mmap(64 MiB)', {as: 'memory'}),
      call('mlock', [{of: 'memory'}, size], 'mlock(64 MiB)'),
    ],
  },
  {
    name: 'fifo',
    calls: () => [call('sched_setscheduler', [0, 1, {bytes: struct([1, 4])}], 'sched_setscheduler(SCHED_FIFO)')],
  },
  {name: 'nice', calls: () => [call('setpriority', [0, 0, -5], 'setpriority(-5)')]},
  {name: 'ioprio', calls: () => [call('ioprio_set', [1, 0, 2 ** 13 + 4], 'ioprio_set(IOPRIO_CLASS_RT)')]},
);
