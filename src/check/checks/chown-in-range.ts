import {kubernetes, usable} from '../define.ts';
import {chown, O, open, setuid} from '../operation.ts';

/** Users of its own. */
export const chownInRange = usable(
  {
    id: 'chown-in-range',
    title: 'the pod can give files to its users, and become them',
    group: 7,
    gain: 'nothing; without it: package managers, databases, su',
    attempt: 'chown(2) of a file of its own to 1000, setuid(2) to 65535',
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'fs/attr.c chown_ok(): CAP_CHOWN over an owner who is mapped; kernel/sys.c: CAP_SETUID in the namespace',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    name: 'chown',
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    prepare: (place) => {
      place.dir('room', {mode: 0o777});
    },
    calls: (place) => [open(place.path('room/own'), O.WRONLY + O.CREAT), chown(place.path('room/own'), 1000, 1000)],
    effect: (place, seen) => {
      const base = place.isControl ? 0 : (place.scene.blockOf(place.scene.pod)?.uid ?? 0);
      return seen.through && place.stat('room/own').uid === base + 1000;
    },
  },
  {name: 'setuid', arms: ['control-default', 'treatment-all', 'treatment-default'], calls: () => [setuid(65_535)]},
);
