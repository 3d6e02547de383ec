import {invariant, kubernetes, nist} from '../define.ts';
import {mapOf, shownMap} from '../shown.ts';

/** A hole in a map: one id inside is a user of the host. */
export const mapExcludesHostIds = invariant(
  {
    id: 'map-excludes-host-ids',
    title: "no id of the pod is one of the host's own",
    group: 1,
    gain: 'one user of the host, who owns files and processes there',
    attempt: 'read(2) of /proc/PID/uid_map and gid_map, every line',
    expected: {'treatment-default': 'no line touches host ids 0 to 65535; each begins at a multiple of 65536'},
    rule: "kernel/user_namespace.c map_write() asks only that the writer may give the ids away; that they are nobody else's is the runtime's part",
    references: [kubernetes('KEP-127'), nist('3.4.3')],
  },
  (scene) => {
    const maps = (['uid_map', 'gid_map'] as const).map((file) => ({file, map: mapOf(scene.pod.init.pid, file)}));
    const evidence = Object.fromEntries(maps.map(({file, map}) => [file, shownMap(map)]));
    for (const {file, map} of maps) {
      const low = map.find(({hostId}) => hostId < 65_536);
      if (low)
        return {
          outcome: 'broken',
          reason: `${file}: id ${low.containerId} of the pod is id ${low.hostId} of the host (${shownMap(map)})`,
          evidence,
        };
      const odd = map.find(({hostId}) => hostId % 65_536 !== 0);
      if (odd)
        return {
          outcome: 'broken',
          reason: `${file}: ${odd.hostId} is no multiple of 65536, so that blocks of pods may overlap (${shownMap(map)})`,
          evidence,
        };
    }
    return {outcome: 'works', reason: "every line begins at a multiple of 65536 above the host's own ids", evidence};
  },
);
