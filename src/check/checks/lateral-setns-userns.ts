import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {setns, unshare} from '../operation.ts';

/** From pod to pod. */
export const lateralSetnsUserns = tried(
  'U',
  {
    id: 'lateral-setns-userns',
    title: 'the user namespace of another pod cannot be joined',
    group: 5,
    gain: 'root of another pod',
    attempt:
      "setns(2) with an inherited descriptor of the other pod's user namespace; the control joins one that its own user made",
    expected: expectedOfIds('EPERM'),
    rule: 'kernel/user_namespace.c userns_install(): CAP_SYS_ADMIN over it, which a sibling never has',
    references: [attack('T1611'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  {
    prepare: async (place) => {
      if (!place.isControl) {
        place.keep('pid', place.scene.otherPod.init.pid);
        return;
      }
      place.keep('pid', (await place.hold(place.scene.whoOf(place.arm), unshare('user'))).pid);
    },
    who: (place) => ({keep: [['theirs', `/proc/${place.kept('pid')}/ns/user`, 0]]}),
    calls: () => [setns('theirs', 'user')],
    undo: (place) =>
      place.scene.dismiss({
        ...place.scene.whoOf(place.arm),
        keep: [['theirs', `/proc/${place.note('pid')}/ns/user`, 0]],
      }),
  },
);
