import {attack, cis, expectedOfIds, nist, tried} from '../define.ts';
import {kill, O, open, read} from '../operation.ts';
import {onPartner} from '../victims.ts';

const SIGUSR1 = 10;

/** From pod to pod. */
export const lateralSignal = tried(
  'U',
  {
    id: 'lateral-signal',
    title: 'a process of another pod gets no signal',
    group: 5,
    gain: 'an end to other pods',
    attempt: "kill(2) with SIGUSR1 on a process of the other pod's root, in one pid namespace",
    expected: expectedOfIds('EPERM'),
    rule: 'kernel/signal.c kill_ok_by_cred(): kernel ids',
    references: [attack('T1489'), nist('3.3.4'), cis('5.2.3')],
    abilities: ['two-pods'],
  },
  onPartner('', (pid) => [kill(pid, SIGUSR1, 'SIGUSR1')], {
    reach: (place) => [open(`/proc/${place.kept('pid')}/stat`, O.RDONLY), read()],
    effect: (place) => place.pendingSignals(place.kept('pid')).includes(SIGUSR1),
  }),
);
