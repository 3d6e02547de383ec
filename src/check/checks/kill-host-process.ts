import {attack, cis, docker, expectedOfIds, nist, tried} from '../define.ts';
import {call, kill, O, open, read} from '../operation.ts';
import {onVictim} from '../victims.ts';

const SIGUSR1 = 10;

/** Signals to what keeps watch over the pod. */
export const killHostProcess = tried(
  'U',
  {
    id: 'kill-host-process',
    title: "processes of the host's root get no signal",
    group: 4,
    gain: 'an end to whatever watches the pod, or to the node',
    attempt: 'kill(2) with SIGUSR1 and with 0, pidfd_send_signal(2) with 0, on a canary process that counts them',
    expected: expectedOfIds('EPERM'),
    rule: "kernel/signal.c kill_ok_by_cred(): equal kernel ids, or CAP_KILL over the target's user namespace",
    references: [attack('T1489'), attack('T1562.001'), cis('5.2.3'), docker('5.16'), nist('3.4.3')],
  },
  onVictim('signal', (pid) => [kill(pid, SIGUSR1, 'SIGUSR1')], {
    reach: (place) => [open(`/proc/${place.kept('pid')}/stat`, O.RDONLY), read()],
    effect: (place) => place.pendingSignals(place.kept('pid')).includes(SIGUSR1),
  }),
  onVictim('permission', (pid) => [kill(pid, 0, '0')]),
  onVictim('pidfd', (pid) => [
    call('pidfd_open', [pid, 0], 'pidfd_open', {as: 'pidfd'}),
    call('pidfd_send_signal', [{of: 'pidfd'}, 0, 0, 0], 'pidfd_send_signal(0)'),
  ]),
);
