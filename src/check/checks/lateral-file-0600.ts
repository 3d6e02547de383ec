import {expectedOfIds, kubernetes, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';

/** From pod to pod. */
export const lateralFile0600 = tried(
  'U',
  {
    id: 'lateral-file-0600',
    title: 'a private file of another pod cannot be read',
    group: 5,
    gain: 'volumes of other pods',
    attempt: "open(2) of a 0600 file of the other pod's root in a shared folder",
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission()',
    references: [nist('3.3.4'), kubernetes('KEP-127')],
    abilities: ['two-pods'],
  },
  {
    prepare: (place) => {
      const block = place.isControl ? undefined : place.scene.blockOf(place.scene.otherPod);
      place.file('theirs', {uid: block?.uid ?? 0, gid: block?.gid ?? 0});
      place.sibling();
    },
    reach: (place) => [open(place.path('sibling'), O.RDONLY)],
    calls: (place) => [open(place.path('theirs'), O.RDONLY), read()],
  },
);
