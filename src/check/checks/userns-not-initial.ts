import {namespaceInode} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, docker, invariant, kubernetes, nist} from '../define.ts';

/** PROC_USER_INIT_INO of include/linux/proc_ns.h. */
const initial = 4_026_531_837;

/** The same, seen from inside, without anything to compare with. */
export const usernsNotInitial = invariant(
  {
    id: 'userns-not-initial',
    title: 'the pod is not in the initial user namespace',
    group: 1,
    gain: 'root in the pod is root on the host',
    attempt: 'readlink(2) of /proc/PID/ns/user, compared with the inode that the initial user namespace always has',
    expected: {'control-default': '4026531837', 'treatment-default': 'another inode'},
    rule: 'include/linux/proc_ns.h PROC_USER_INIT_INO = 0xEFFFFFFD = 4026531837',
    references: [attack('T1611'), nist('3.4.3'), docker('2.9'), kubernetes('KEP-127')],
  },
  (scene) => {
    const inode = namespaceInode(scene.pod.init.pid, 'user');
    if (inode === undefined) throw new CannotTry('the namespaces of the pod cannot be looked at');
    const evidence = {pod: `user:[${inode}]`};
    if (inode === initial)
      return {outcome: 'broken', reason: 'it is the initial user namespace: the pod has none', evidence};
    return {outcome: 'works', reason: `${inode} is not ${initial}`, evidence};
  },
);
