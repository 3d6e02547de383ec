import type {Attempt} from '../attempt.ts';
import {kubernetes, tried} from '../define.ts';
import {chmod, O, open, read} from '../operation.ts';

/** The pod's own uid 65534 has the number by which all unmapped files are shown. */
export const overflowOwnsNothing = tried(
  'U',
  {
    id: 'overflow-owns-nothing',
    title: "nobody of the pod owns nothing of what is shown as nobody's",
    group: 1,
    gain: 'every file of the host, if ids were compared as they are shown',
    attempt: "as uid 65534: open(2) of a 0600 file of the host's uid 65534, and chmod(2) of it",
    expected: {'control-default': got(), 'treatment-default': 'refused: EACCES, EPERM'},
    rule: 'include/linux/uidgid.h uid_eq(): kernel ids are compared, never what is shown',
    references: [kubernetes('KEP-127')],
  },
  ...(['read', 'chmod'] as const).map(
    (name): Attempt => ({
      name,
      arms: ['control-default', 'treatment-default'],
      who: {uid: 65_534},
      prepare: (place) => {
        place.file('nobodys', {uid: 65_534, gid: 65_534});
        place.sibling();
      },
      reach: (place) => [open(place.path('sibling'), O.RDONLY)],
      calls: (place) =>
        name === 'read' ? [open(place.path('nobodys'), O.RDONLY), read()] : [chmod(place.path('nobodys'), 0o666)],
    }),
  ),
);
function got(): string {
  return 'gets through';
}
