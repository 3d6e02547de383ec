import {byDesign, nist} from '../define.ts';
import {unlink} from '../operation.ts';

/** Whose folder it is decides about the names in it. */
export const podOwnedDirDelete = byDesign(
  {
    id: 'pod-owned-dir-delete',
    title: "a file of the host's root in a folder of the pod can be removed by the pod",
    group: 8,
    gain: "logs, sockets and locks that the host keeps in a pod's volume",
    attempt: 'unlink(2) of a 0600 file of root in a folder that belongs to BASE',
    expected: {'treatment-all': 'removed', 'treatment-default': 'removed'},
    rule: 'fs/namei.c may_delete(): the folder must be writable; the owner of the file is asked only where it is sticky',
    references: [nist('3.5.5')],
    insteadUse: "no files of the host's in folders that belong to a pod",
  },
  {
    arms: ['treatment-all', 'treatment-default'],
    prepare: (place) => {
      const block = place.scene.blockOf(place.scene.pod);
      place.dir('volume', {uid: block?.uid ?? 0, gid: block?.gid ?? 0});
      place.file('volume/log');
    },
    calls: (place) => [unlink(place.path('volume/log'))],
    effect: (place) => !place.exists('volume/log'),
  },
);
