import {CannotTry} from '../attempt.ts';
import {attack, cis, invariant} from '../define.ts';
import {pairOf} from '../limits.ts';
import {MiniHost} from '../mini-host.ts';
import {call, prlimit} from '../operation.ts';
import type {Who} from '../scene.ts';

const RLIMIT_NPROC = 6;
const base = 4_200_071_168 - (4_200_071_168 % 65_536);

/** A cap on a whole pod without control groups. */
export const podWideNproc = invariant(
  {
    id: 'pod-wide-nproc',
    title: 'RLIMIT_NPROC at the making of a user namespace caps all users in it',
    group: 6,
    gain: 'nothing; a runtime can cap the processes of a pod this way where it has no control groups',
    attempt: 'a user namespace made by its own id under RLIMIT_NPROC = 30; fork(2) there as uid 1000, then as uid 2000',
    expected: {'treatment-default': 'fewer than 30 for the first, none for the second'},
    rule: 'kernel/user_namespace.c create_user_ns() keeps the limit (set_userns_rlimit_max()), and kernel/ucount.c is_rlimit_overlimit() asks every namespace above',
    references: [cis('4.2.13'), attack('T1499.001')],
    needs: ['root'],
    alone: true,
  },
  async (scene) => {
    const host = await MiniHost.make(scene);
    try {
      const pod = await host.pod('capped', base, base, [prlimit(RLIMIT_NPROC, 30, 30, 'RLIMIT_NPROC, 30')]);
      const [first, second] = [1000, 2000].map((uid): Who => ({pod, capabilities: 'none', uid}));
      if (!first || !second) throw new CannotTry('nobody to try it');
      host.uses(first, second);
      const take = [prlimit(RLIMIT_NPROC, 1000, 1000, 'RLIMIT_NPROC, 1000'), call('forks', [60], 'fork, at most 60')];
      const got = await pairOf(scene, first, second, {take});
      const evidence = {'uid 1000, then uid 2000': got.join(', ')};
      if (got[0] >= 30 || got[1] > 5)
        return {
          outcome: 'broken',
          reason: `there is no cap for all users: uid 1000 got ${got[0]} processes, then uid 2000 ${got[1]}`,
          evidence,
        };
      return {
        outcome: 'works',
        reason: `uid 1000 got ${got[0]} processes, then uid 2000 ${got[1]}: one cap for the whole pod`,
        evidence,
      };
    } finally {
      await host.close();
    }
  },
);
