import {descriptorsOf, mountsOf} from '../../host/process-view.ts';
import {cve, invariant, nist} from '../define.ts';

/** What CVE-2024-21626 began with. */
export const noLeakedDescriptors = invariant(
  {
    id: 'no-leaked-descriptors',
    title: "the pod's first program has no file of the host open",
    group: 1,
    gain: 'a folder of the host to walk from, past every mount namespace',
    attempt: 'readlink(2) of /proc/PID/fd/* on the host, and the mount that each was opened through',
    expected: {'treatment-default': 'beyond its streams, only what is in its own mounts'},
    rule: 'fs/proc/fd.c: mnt_id of fdinfo names the mount; one that is not in the mountinfo of the process is of another mount namespace',
    references: [cve('CVE-2024-21626'), nist('3.4.1')],
    needs: ['root'],
    abilities: ['outside'],
  },
  (scene) => {
    const {pid} = scene.pod.init;
    const mounts = new Set(mountsOf(pid).map(({id}) => id));
    const open = descriptorsOf(pid);
    const leaked = open.filter(
      ({number, kind, mountId}) => number > 2 && kind !== 'other' && mountId !== undefined && !mounts.has(mountId),
    );
    const evidence = {descriptors: open.map(({number, target}) => `${number} → ${target}`).join(', ') || '(none)'};
    const [first] = leaked;
    if (first)
      return {outcome: 'broken', reason: `descriptor ${first.number} is ${first.target} of the host`, evidence};
    return {
      outcome: 'works',
      reason: `its ${open.length} open descriptors are its streams, or lead to what is in its own mounts`,
      evidence,
    };
  },
);
