import {statusOf} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {invariant, nist} from '../define.ts';
import {idsOutside, mapOf} from '../shown.ts';

/** Groups outlive every change of user, unless they are given up. */
export const initGroupsInRange = invariant(
  {
    id: 'init-groups-in-range',
    title: "the pod's first program has no group of the host",
    group: 1,
    gain: 'files of that group on the host: they are shown as 65534 inside, and work',
    attempt: 'read(2) of /proc/PID/status on the host: supplementary groups',
    expected: {'treatment-default': 'none, or groups of its range'},
    rule: 'kernel/groups.c in_group_p() compares kernel ids; setns(2) and unshare(2) leave the list as it was',
    references: [nist('3.4.3')],
    abilities: ['outside'],
  },
  (scene) => {
    const {pid} = scene.pod.init;
    const status = statusOf(pid);
    if (!status) throw new CannotTry('the pod is gone');
    const evidence = {Groups: status.groups.join(' ') || '(none)'};
    if (!scene.hasOwnUserNamespace(scene.pod))
      return {outcome: 'broken', reason: 'the pod has no user namespace of its own', evidence};
    const left = [...idsOutside(status.groups, mapOf(pid, 'gid_map')), ...status.groups.filter((id) => id < 65_536)];
    if (left.length > 0)
      return {outcome: 'broken', reason: `its first program is still in group ${left[0]} of the host`, evidence};
    return {
      outcome: 'works',
      reason: status.groups.length === 0 ? 'it has no supplementary group' : 'all its groups are of its range',
      evidence,
    };
  },
);
