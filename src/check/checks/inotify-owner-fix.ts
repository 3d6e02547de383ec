import {invariant, kubernetes} from '../define.ts';
import {inotifyBudgets, takeInstances} from '../inotify-budget.ts';

/** What a runtime can do about it, on this kernel. */
export const inotifyOwnerFix = invariant(
  {
    id: 'inotify-owner-fix',
    title: "a user namespace made by the pod's own id has budgets of its own",
    group: 6,
    gain: 'nothing; it shows that the trap can be avoided here',
    attempt:
      'inotify_init(2) to the limit in two pods of a small host, whose namespaces were each made by their own first id',
    expected: {'treatment-default': '20, 20 and 20 of 20'},
    rule: 'kernel/user_namespace.c create_user_ns(): owner is the euid of the creator; kernel/ucount.c inc_ucount()',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    alone: true,
  },
  async (scene) => {
    const {madeByOwnId, madeByRoot} = await inotifyBudgets(scene, 'instances', takeInstances);
    const evidence = {'made by their own ids': madeByOwnId.join(', '), 'made by root': madeByRoot.join(', ')};
    const [first, second, root] = madeByOwnId;
    if (second < first || root < first)
      return {outcome: 'broken', reason: `they share all the same: ${madeByOwnId.join(', ')}`, evidence};
    return {
      outcome: 'works',
      reason: `first pod ${first}, second ${second}, root of the host ${root}; made by root: ${madeByRoot.join(', ')}`,
      evidence,
    };
  },
);
