import {readText, statusOf} from '../../host/process-view.ts';
import {invariant, kubernetes} from '../define.ts';
import {setgroups} from '../operation.ts';

/** Programs that change user want to change groups. */
export const setgroupsUsable = invariant(
  {
    id: 'setgroups-usable',
    title: "the pod's root may set groups, and they are of its range",
    group: 1,
    gain: 'nothing; but su, sshd, cron and init systems of images fail without',
    attempt:
      'read(2) of /proc/PID/setgroups, setgroups(2) to group 0, and /proc/PID/status of that process on the host',
    expected: {'treatment-default': 'allow; the group is BASE'},
    rule: 'kernel/user_namespace.c userns_may_setgroups(); make_kgid() for what is set',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const said = readText(`/proc/${scene.pod.init.pid}/setgroups`)?.trim() ?? '?';
    const block = scene.blockOf(scene.pod);
    try {
      const held = await scene.hold(scene.whoOf('treatment-default'), [setgroups([0])]);
      const groups = statusOf(held.pid)?.groups ?? [];
      await held.release();
      const evidence = {setgroups: said, 'group 0 on the host': groups.join(' ')};
      if (block === undefined || groups.length !== 1 || groups[0] !== block.gid || block.gid < 65_536)
        return {outcome: 'broken', reason: `group 0 of the pod is ${groups.join(', ')} on the host`, evidence};
      return {outcome: 'works', reason: `group 0 of the pod is ${groups[0]} on the host`, evidence};
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return {
        outcome: 'broken',
        reason: `the pod cannot set groups (/proc/PID/setgroups says ${said}): ${why}`,
        evidence: {setgroups: said},
      };
    }
  },
);
