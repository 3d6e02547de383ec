import {invariant, kubernetes} from '../define.ts';
import {mapOf, shownMap} from '../shown.ts';

/** Images have users up to 65534, nobody. */
export const mapCovers065535 = invariant(
  {
    id: 'map-covers-0-65535',
    title: 'the pod has the ids 0 to 65535, in one range',
    group: 1,
    gain: 'nothing; but images with high ids (nobody is 65534) break in a pod with fewer',
    attempt: 'read(2) of /proc/PID/uid_map and gid_map',
    expected: {'treatment-default': 'one line: 0 BASE, a multiple of 65536'},
    rule: 'kernel/user_namespace.c map_id_range_down(): an id outside of every line has no kernel id, and chown(2) and setuid(2) answer EINVAL',
    references: [kubernetes('KEP-127')],
  },
  (scene) => {
    const maps = (['uid_map', 'gid_map'] as const).map((file) => ({file, map: mapOf(scene.pod.init.pid, file)}));
    const evidence = Object.fromEntries(maps.map(({file, map}) => [file, shownMap(map)]));
    const bad = maps.find(({map}) => map.length !== 1 || map[0]?.containerId !== 0 || map[0].size % 65_536 !== 0);
    if (bad)
      return {
        outcome: 'broken',
        reason: `${bad.file} is ${shownMap(bad.map)}, not one line from 0 of a multiple of 65536`,
        evidence,
      };
    return {
      outcome: 'works',
      reason: `uids and gids 0 to ${(maps[0]?.map[0]?.size ?? 0) - 1} are mapped, each in one line`,
      evidence,
    };
  },
);
