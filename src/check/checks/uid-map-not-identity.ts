import {attack, docker, invariant, kubernetes, nist} from '../define.ts';
import {mapOf, shownMap} from '../shown.ts';

/** A namespace alone is no isolation: its map decides. */
export const uidMapNotIdentity = invariant(
  {
    id: 'uid-map-not-identity',
    title: 'root in the pod is another uid on the host',
    group: 1,
    gain: 'root in the pod is root on the host, whatever namespace it is in',
    attempt: 'read(2) of /proc/PID/uid_map',
    expected: {'control-default': '0 0 4294967295', 'treatment-default': '0 BASE 65536'},
    rule: 'kernel/user_namespace.c map_write(): the kernel takes a map from 0 to 0 from whoever has CAP_SETUID and CAP_SETFCAP',
    references: [attack('T1611'), nist('3.4.3'), docker('2.9'), kubernetes('KEP-127')],
  },
  (scene) => {
    const map = mapOf(scene.pod.init.pid, 'uid_map');
    const evidence = {uid_map: shownMap(map)};
    const root = map.find(({containerId}) => containerId === 0);
    if (!root) return {outcome: 'broken', reason: 'id 0 of the pod is not mapped at all', evidence};
    if (root.hostId === 0)
      return {outcome: 'broken', reason: `uid 0 in the pod is uid 0 on the host: ${shownMap(map)}`, evidence};
    return {outcome: 'works', reason: `uid 0 in the pod is uid ${root.hostId} on the host`, evidence};
  },
);
