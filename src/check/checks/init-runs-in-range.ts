import {statusOf} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, invariant, kubernetes} from '../define.ts';
import {idsOutside, mapOf, shownMap} from '../shown.ts';

/** The pod's first program, as the host sees it. */
export const initRunsInRange = invariant(
  {
    id: 'init-runs-in-range',
    title: "all ids of the pod's first program are in its range",
    group: 1,
    gain: 'a process in the pod that the kernel takes for a user of the host',
    attempt: 'read(2) of /proc/PID/status on the host: real, effective, saved and file-system ids',
    expected: {'control-default': '0', 'treatment-default': 'BASE'},
    rule: 'include/linux/cred.h: credentials hold kernel ids; what a program shows of itself is translated and proves nothing',
    references: [attack('T1611'), kubernetes('KEP-127')],
    abilities: ['outside'],
  },
  (scene) => {
    const {pid} = scene.pod.init;
    const status = statusOf(pid);
    if (!status) throw new CannotTry('the pod is gone');
    const evidence = {Uid: status.uids.join(' '), Gid: status.gids.join(' '), uid_map: shownMap(mapOf(pid, 'uid_map'))};
    if (!scene.hasOwnUserNamespace(scene.pod))
      return {outcome: 'broken', reason: 'the pod has no user namespace of its own', evidence};
    const uids = [...idsOutside(status.uids, mapOf(pid, 'uid_map')), ...status.uids.filter((id) => id < 65_536)];
    const gids = [...idsOutside(status.gids, mapOf(pid, 'gid_map')), ...status.gids.filter((id) => id < 65_536)];
    if (uids.length > 0)
      return {outcome: 'broken', reason: `its first program runs as uid ${uids[0]} of the host`, evidence};
    if (gids.length > 0)
      return {outcome: 'broken', reason: `its first program runs as gid ${gids[0]} of the host`, evidence};
    return {
      outcome: 'works',
      reason: `it runs as uid ${status.uids[1]} and gid ${status.gids[1]} of the host`,
      evidence,
    };
  },
);
