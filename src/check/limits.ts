import {randomInt} from 'node:crypto';
import {CannotTry} from './attempt.ts';
import type {Check} from './check.ts';
import {type Found, invariant} from './define.ts';
import type {Operation} from './operation.ts';
import type {Actor, Scene, Who} from './scene.ts';

type Written = Parameters<typeof invariant>[0];

export interface Budget {
  /** What is taken until it is refused: the result of the last call is how much. */
  readonly take: readonly Operation[];
  /** Why it cannot be tried here. */
  readonly cannot?: () => string | undefined;
}

/** Ids that no pod and no user of the host has, so that nobody's budget is touched. */
function freshUid(): number {
  return 4_100_000_000 + randomInt(0, 100_000_000);
}

function counted(end: Awaited<ReturnType<Actor['run']>>, budget: Budget): number {
  const failed = end.calls.findIndex(({errno}, index) => errno !== undefined && index < budget.take.length - 1);
  if (failed >= 0) throw new CannotTry(`${budget.take[failed]?.did}: ${end.calls[failed]?.errno}`);
  // No process can be made for the attempt itself.
  if (end.how === 'unforked') return 0;
  if (end.how !== 'done' && end.how !== 'held') throw new CannotTry(`it was ended: ${end.how}`);
  return Math.max(0, end.calls.at(-1)?.result ?? 0);
}

/** How much the first gets, and how much is left for the second while the first keeps what it has. */
export async function pairOf(
  scene: Scene,
  first: Who,
  second: Who,
  budget: Budget,
): Promise<readonly [first: number, second: number]> {
  const holder = await (await scene.actor(first)).hold(budget.take);
  try {
    const got = counted(holder, budget);
    return [got, counted(await (await scene.actor(second)).run(budget.take), budget)];
  } finally {
    await holder.release();
  }
}

/**
 * A limit that the kernel counts by user: two pods with the same user inside have one each. The control, two processes of one user without a
 * user namespace, must show that there is something to share.
 */
export function separated(written: Written, budget: Budget): Check {
  return invariant(
    {...written, needs: ['root'], abilities: ['outside', 'two-pods'], alone: true},
    async (scene): Promise<Found> => {
      const why = budget.cannot?.();
      if (why !== undefined) throw new CannotTry(why);
      const nobody = freshUid();
      const [alone, shared] = await pairOf(
        scene,
        {capabilities: 'none', uid: nobody},
        {capabilities: 'none', uid: nobody},
        budget,
      );
      await scene.dismiss({capabilities: 'none', uid: nobody});
      const inside = (pod: Scene['pod']): Who => ({pod, capabilities: 'none', uid: 1000});
      const [first, second] = await pairOf(scene, inside(scene.pod), inside(scene.otherPod), budget);
      const evidence = {
        'one user without a user namespace, first and second': `${alone}, ${shared}`,
        'uid 1000 of two pods': `${first}, ${second}`,
      };
      if (shared > alone / 10)
        return {
          outcome: 'inconclusive',
          reason: `the control had nothing to share: one user got ${alone} and then ${shared} more`,
          evidence,
        };
      if (second < first - Math.max(2, first / 10))
        return {
          outcome: 'broken',
          reason: `uid 1000 of the one pod took ${first}, and ${second} were left for that of the other`,
          evidence,
        };
      return {
        outcome: 'works',
        reason: `each pod gets its own: ${first} and ${second}; one user without namespaces: ${alone} and ${shared}`,
        evidence,
      };
    },
  );
}
