import {invariant, kubernetes, nist} from '../define.ts';
import {idmappedMount} from '../idmapped-mount.ts';
import {O, open, umount} from '../operation.ts';

/** Ids are shifted for one pod, and for no other. */
export const lateralThroughIdmappedMount = invariant(
  {
    id: 'lateral-through-idmapped-mount',
    title: 'a mount whose ids are shifted for one pod does not serve another',
    group: 5,
    gain: 'volumes of other pods',
    attempt: 'open(2) of a 0600 file through a mount with the ids of one pod, by both',
    expected: {'treatment-default': 'the pod whose mount it is: opened; the other: EACCES'},
    rule: 'fs/namei.c with mnt_idmap(): the map is one of the mount and of the namespace',
    references: [nist('3.3.4'), kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside', 'two-pods'],
  },
  async (scene) => {
    const place = scene.place('lateral-through-idmapped-mount', 'treatment-default');
    try {
      place.dir('volume');
      place.file('volume/secret');
      place.dir('mount');
      await place.asHost(...idmappedMount(scene.otherPod.init.pid, place.path('volume'), place.path('mount')));
      const tryIt = async (pod: typeof scene.pod) => {
        const end = await (await scene.actor({pod, capabilities: 'default'})).run([
          open(place.path('mount/secret'), O.RDONLY),
        ]);
        return end.calls[0]?.errno;
      };
      const [theirs, ours] = [await tryIt(scene.otherPod), await tryIt(scene.pod)];
      const evidence = {'the pod whose mount it is': theirs ?? 'opened', 'the other': ours ?? 'opened'};
      if (ours === undefined) return {outcome: 'broken', reason: 'the other pod opened it too', evidence};
      if (theirs !== undefined)
        return {outcome: 'inconclusive', reason: `not even its own pod could open it: ${theirs}`, evidence};
      return {outcome: 'works', reason: `its own pod opens it, the other is refused: ${ours}`, evidence};
    } finally {
      await scene.tidy(umount(place.path('mount')));
      await place.clear();
    }
  },
);
