import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, struct} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** A process that never gets its turn. */
export const reniceAffinitySchedIoprio = tried(
  'K',
  {
    id: 'renice-affinity-sched-ioprio',
    title: "the priority of the host's processes cannot be lowered",
    group: 4,
    gain: 'a watchman of the node who comes too late',
    attempt: 'setpriority(2) to 10, sched_setaffinity(2), SCHED_IDLE, the idle class of I/O, on a canary process',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: "kernel/sys.c set_one_prio_perm(), kernel/sched/syscalls.c check_same_owner(), block/ioprio.c: equal kernel ids and no fewer capabilities (security/commoncap.c cap_safe_nice()), or CAP_SYS_NICE over the target's user namespace",
    references: [attack('T1499.001'), nist('3.4.3')],
  },
  onVictim('nice', (pid) => [call('setpriority', [0, pid, 10], 'setpriority(10)')]),
  onVictim('affinity', (pid) => [
    call('sched_setaffinity', [pid, 8, {bytes: struct([0xffff_ffff_ffffn, 8])}], 'sched_setaffinity'),
  ]),
  onVictim('idle', (pid) => [
    call('sched_setscheduler', [pid, 5, {bytes: struct([0, 4])}], 'sched_setscheduler(SCHED_IDLE)'),
  ]),
  onVictim('ioprio', (pid) => [call('ioprio_set', [1, pid, 3 * 2 ** 13], 'ioprio_set(IOPRIO_CLASS_IDLE)')]),
);
