import {expectedOfCapability, nist, tried} from '../define.ts';
import {call, O, open, write} from '../operation.ts';
import {onVictim} from '../victims.ts';

const KCMP_VM = 1;

/** Small rights over another process. */
export const kcmpMovepagesTimerslack = tried(
  'K',
  {
    id: 'kcmp-movepages-timerslack',
    title: "the host's processes can be neither compared, moved nor slowed",
    group: 4,
    gain: 'to know which processes share memory, to move it between nodes, to make timers late',
    attempt: 'kcmp(2), move_pages(2) of no page, timerslack_ns of a canary process',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/kcmp.c, mm/migrate.c find_mm_struct(), fs/proc/base.c timerslack_ns_write(): ptrace_may_access() or CAP_SYS_NICE',
    references: [nist('3.4.3')],
  },
  onVictim('kcmp', (pid) => [
    call('getpid', [], 'getpid', {as: 'self'}),
    call('kcmp', [{of: 'self'}, pid, KCMP_VM, 0, 0], 'kcmp(KCMP_VM)'),
  ]),
  onVictim('move-pages', (pid) => [call('move_pages', [pid, 0, 0, 0, 0, 0], 'move_pages(0)')]),
  onVictim('timerslack', (pid) => [open(`/proc/${pid}/timerslack_ns`, O.WRONLY), write('50000')]),
);
