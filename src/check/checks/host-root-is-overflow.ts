import {readText} from '../../host/process-view.ts';
import {invariant, kubernetes} from '../define.ts';
import {call} from '../operation.ts';

/** Whose files of the host's root are, in a pod's eyes. */
export const hostRootIsOverflow = invariant(
  {
    id: 'host-root-is-overflow',
    title: "files of the host's root belong to nobody in the pod",
    group: 1,
    gain: "nothing by itself; if they look like root's own, then they are",
    attempt: 'stat(2) of a 0644 file of root',
    expected: {'control-default': '0:0', 'treatment-default': '65534:65534'},
    rule: 'kernel/user_namespace.c from_kuid_munged(): an id without a mapping is shown as kernel.overflowuid',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const place = scene.place('host-root-is-overflow', 'treatment-default');
    try {
      const path = place.file('open', {mode: 0o644});
      const actor = await scene.actor(scene.whoOf('treatment-default'));
      const end = await actor.run([call('lstat', [path], 'stat')]);
      const [uid = '?', gid = '?'] = (end.calls[0]?.texts[0] ?? '').split(' ');
      const overflow = readText('/proc/sys/kernel/overflowuid')?.trim() ?? '65534';
      const evidence = {'as the pod sees it': `${uid}:${gid}`, overflowuid: overflow};
      if (uid !== overflow || gid !== overflow)
        return {
          outcome: 'broken',
          reason: `a file of the host's root belongs to ${uid}:${gid} in the pod's eyes`,
          evidence,
        };
      return {outcome: 'works', reason: `the pod sees ${uid}:${gid}`, evidence};
    } finally {
      await place.clear();
    }
  },
);
