import {attack, invariant, nist} from '../define.ts';
import {inotifyBudgets, judgeBudgets, ownerOf} from '../inotify-budget.ts';
import {call, repeat} from '../operation.ts';

const IN_MODIFY = 2;

/** The same of watches. */
export const inotifyWatches = invariant(
  {
    id: 'inotify-watches',
    title: 'the pod has a budget of inotify watches of its own',
    group: 6,
    gain: 'all pods and root of the host without watches: editors, log collectors and the kubelet stop noticing',
    attempt:
      "who owns the pod's user namespace; and inotify_add_watch(2) to the limit in two pods of a small host with a limit of its own, made both ways",
    expected: {'treatment-default': 'owned by an id of its own: 20, 20 and 20 of 20; by root: 20, 0 and 0'},
    rule: 'kernel/ucount.c inc_ucount(UCOUNT_INOTIFY_WATCHES)',
    references: [attack('T1499.001'), nist('3.5.2')],
    needs: ['root'],
    abilities: ['outside'],
    alone: true,
  },
  async (scene) => {
    const place = scene.place('inotify-watches', 'treatment-default');
    try {
      for (let index = 1; index <= 40; index++) place.file(`f${index}`, {mode: 0o644});
      const take = [
        call('inotify_init1', [0], 'inotify_init', {as: 'inotify'}),
        repeat(40, 'inotify_add_watch', [{of: 'inotify'}, place.path('f%d'), IN_MODIFY]),
      ];
      return judgeBudgets(scene, await inotifyBudgets(scene, 'watches', take), await ownerOf(scene), 'inotify watches');
    } finally {
      await place.clear();
    }
  },
);
