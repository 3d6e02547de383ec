import {invariant, kubernetes, nist} from '../define.ts';
import {O, open} from '../operation.ts';
import {mapOf, shownMap} from '../shown.ts';

/** Two pods, two users. */
export const podsDisjoint = invariant(
  {
    id: 'pods-disjoint',
    title: 'two pods have no id in common',
    group: 1,
    gain: 'everything of another pod: files, processes, memory',
    attempt: "the maps of two pods; open(2) of a 0600 file that belongs to the other pod's root",
    expected: {'treatment-default': 'no overlap; EACCES for the one, success for the other'},
    rule: 'include/linux/uidgid.h uid_eq() compares kernel ids; who has the same is the same user',
    references: [kubernetes('KEP-127'), nist('3.3.4')],
    needs: ['root'],
    abilities: ['outside', 'two-pods'],
  },
  async (scene) => {
    const maps = [scene.pod, scene.otherPod].map(({init}) => ({
      uid: mapOf(init.pid, 'uid_map'),
      gid: mapOf(init.pid, 'gid_map'),
    }));
    const [a, b] = maps;
    const evidence = Object.fromEntries(
      maps.map(({uid, gid}, index) => [`pod ${index + 1}`, `uid ${shownMap(uid)}; gid ${shownMap(gid)}`]),
    );
    const touches = (kind: 'uid' | 'gid') =>
      a?.[kind].some((x) => b?.[kind].some((y) => x.hostId < y.hostId + y.size && y.hostId < x.hostId + x.size)) ??
      false;
    if (touches('uid') || touches('gid')) return {outcome: 'broken', reason: 'the two pods share host ids', evidence};
    const other = scene.blockOf(scene.otherPod);
    if (!other) return {outcome: 'broken', reason: 'the second pod has no user namespace', evidence};
    const place = scene.place('pods-disjoint', 'treatment-default');
    try {
      const path = place.file('theirs', {uid: other.uid, gid: other.gid});
      const tried = await Promise.all(
        [scene.pod, scene.otherPod].map(async (pod) => {
          const end = await (await scene.actor({pod, capabilities: 'default'})).run([open(path, O.RDONLY)]);
          return end.calls[0]?.errno;
        }),
      );
      const shown = {
        ...evidence,
        'opened by the first': tried[0] ?? 'yes',
        'opened by the second, whose it is': tried[1] ?? 'yes',
      };
      if (tried[0] === undefined)
        return {outcome: 'broken', reason: 'the first pod opened a private file of the second', evidence: shown};
      if (tried[1] !== undefined)
        return {outcome: 'inconclusive', reason: `its owner could not open it either: ${tried[1]}`, evidence: shown};
      return {
        outcome: 'works',
        reason: `no id in common; the first is refused (${tried[0]}) what the second may open`,
        evidence: shown,
      };
    } finally {
      await place.clear();
    }
  },
);
