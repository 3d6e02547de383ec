import {attack, invariant, kubernetes, nist} from '../define.ts';
import {inotifyBudgets, judgeBudgets, ownerOf, takeInstances} from '../inotify-budget.ts';

/** The trap: what a namespace takes is charged to whoever made it as well. */
export const inotifyInstances = invariant(
  {
    id: 'inotify-instances',
    title: 'the pod has a budget of inotify instances of its own',
    group: 6,
    gain: 'all pods and root of the host without inotify: 128 instances are the default for all of them',
    attempt:
      "who owns the pod's user namespace; and inotify_init(2) to the limit in two pods of a small host with a limit of its own, made both ways",
    expected: {'treatment-default': 'owned by an id of its own: 20, 20 and 20 of 20; by root: 20, 0 and 0'},
    rule: 'kernel/ucount.c inc_ucount() charges every namespace above, in the name of the owner of the one below',
    references: [attack('T1499.001'), nist('3.5.2'), kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
    alone: true,
  },
  async (scene) =>
    judgeBudgets(
      scene,
      await inotifyBudgets(scene, 'instances', takeInstances),
      await ownerOf(scene),
      'inotify instances',
    ),
);
