import {expectedOfIds, kubernetes, tried} from '../define.ts';
import {chown, O, open, setgroups, setuid} from '../operation.ts';
import type {Place} from '../place.ts';

const beyond = (place: Place) => place.scene.blockOf(place.scene.pod)?.size ?? 65_536;

/** The next id after the pod's last is another pod's. */
export const setuidOutOfRange = tried(
  'U',
  {
    id: 'setuid-out-of-range',
    title: 'the pod cannot take an id outside of its range',
    group: 1,
    gain: 'to be a user of another pod or of the host',
    attempt: 'setuid(2), setgroups(2) and chown(2) of a file of its own, with the first id that it does not have',
    expected: expectedOfIds('EINVAL'),
    rule: 'kernel/user_namespace.c make_kuid() has no answer for it, and each of the calls says EINVAL then',
    references: [kubernetes('KEP-127')],
  },
  {
    name: 'setuid',
    refusals: ['EINVAL'],
    calls: (place) => [setuid(beyond(place))],
  },
  {
    name: 'setgroups',
    refusals: ['EINVAL'],
    calls: (place) => [setgroups([beyond(place)])],
  },
  {
    name: 'chown',
    refusals: ['EINVAL'],
    prepare: (place) => {
      place.dir('room', {mode: 0o1777});
    },
    calls: (place) => [
      open(place.path('room/own'), O.WRONLY + O.CREAT),
      chown(place.path('room/own'), beyond(place), beyond(place)),
    ],
  },
);
