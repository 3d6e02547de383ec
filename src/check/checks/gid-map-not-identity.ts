import {attack, docker, invariant, kubernetes, nist} from '../define.ts';
import {mapOf, shownMap} from '../shown.ts';

/** The same of groups; a runtime may set one map and forget the other. */
export const gidMapNotIdentity = invariant(
  {
    id: 'gid-map-not-identity',
    title: 'group 0 in the pod is another gid on the host',
    group: 1,
    gain: "files of the host's group root, and of every other group of the same number",
    attempt: 'read(2) of /proc/PID/gid_map',
    expected: {'control-default': '0 0 4294967295', 'treatment-default': '0 BASE 65536'},
    rule: 'kernel/user_namespace.c map_write(), for gid_map on its own',
    references: [attack('T1611'), nist('3.4.3'), docker('2.9'), kubernetes('KEP-127')],
  },
  (scene) => {
    const map = mapOf(scene.pod.init.pid, 'gid_map');
    const evidence = {gid_map: shownMap(map)};
    const root = map.find(({containerId}) => containerId === 0);
    if (!root) return {outcome: 'broken', reason: 'group 0 of the pod is not mapped at all', evidence};
    if (root.hostId === 0)
      return {outcome: 'broken', reason: `gid 0 in the pod is gid 0 on the host: ${shownMap(map)}`, evidence};
    return {outcome: 'works', reason: `gid 0 in the pod is gid ${root.hostId} on the host`, evidence};
  },
);
