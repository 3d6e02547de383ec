import {CannotTry} from './attempt.ts';
import type {Found} from './define.ts';
import {pairOf} from './limits.ts';
import {MiniHost} from './mini-host.ts';
import {ioctl, type Operation, openNamespace, repeat} from './operation.ts';
import type {Scene, Who} from './scene.ts';

const limit = 20;
/** Ids of the pods of the small host: any that nobody has. */
const bases = [4_200_005_632, 4_200_071_168].map((id) => Math.floor(id / 65_536) * 65_536) as [number, number];

export interface Budgets {
  /** First and second pod, and the small host's root, whose namespaces root has made. */
  readonly madeByRoot: readonly [number, number, number];
  /** The same, each namespace made by its own first id. */
  readonly madeByOwnId: readonly [number, number, number];
}

/** How a budget of inotify is shared between two pods and root of a small host with a limit of 20. `take` gives how many were got. */
export async function inotifyBudgets(
  scene: Scene,
  what: 'instances' | 'watches',
  take: readonly Operation[],
): Promise<Budgets> {
  const measure = async (owners: readonly [number, number]): Promise<[number, number, number]> => {
    const host = await MiniHost.make(scene);
    try {
      await host.limit(`max_inotify_${what}`, limit);
      const first: Who = {pod: await host.pod('first', bases[0], owners[0]), capabilities: 'none'};
      const second: Who = {pod: await host.pod('second', bases[1], owners[1]), capabilities: 'none'};
      host.uses(first, second);
      const holder = await (await scene.actor(first)).hold(take);
      try {
        const got = holder.calls.at(-1)?.result ?? -1;
        if (got < 0) throw new CannotTry('inotify cannot be used here');
        const [other, root] = await pairOf(scene, second, host.root, {take});
        return [got, other, root];
      } finally {
        await holder.release();
      }
    } finally {
      await host.close();
    }
  };
  return {madeByRoot: await measure([0, 0]), madeByOwnId: await measure(bases)};
}

export const takeInstances: readonly Operation[] = [repeat(40, 'inotify_init1', [0])];

const NS_GET_OWNER_UID = 0xb704;

/** Uid of the host that owns the pod's user namespace. */
export async function ownerOf(scene: Scene): Promise<number> {
  const end = await scene.asHost(
    openNamespace(scene.pod.init.pid, 'user', {as: 'ns'}),
    ioctl('ns', NS_GET_OWNER_UID, {room: 4}, 'NS_GET_OWNER_UID'),
  );
  return Buffer.from(end.calls[1]?.texts[0] ?? '', 'latin1').readUInt32LE(0);
}

/** What that means for a target whose pods' namespaces belong to `owner`. */
export function judgeBudgets(scene: Scene, budgets: Budgets, owner: number, what: string): Found {
  const block = scene.blockOf(scene.pod);
  const shown = (numbers: readonly number[]) =>
    `first pod ${numbers[0]}, second ${numbers[1]}, root of the host ${numbers[2]}`;
  const evidence = {
    'owner of the pod': String(owner),
    'of 20, namespaces made by root': shown(budgets.madeByRoot),
    'of 20, each made by its own id': shown(budgets.madeByOwnId),
  };
  if (budgets.madeByRoot[1] > 0)
    return {
      outcome: 'inconclusive',
      reason: 'this kernel does not charge the owner of a namespace: the control had nothing to share',
      evidence,
    };
  if (budgets.madeByOwnId[1] < limit || budgets.madeByOwnId[2] < limit)
    return {outcome: 'inconclusive', reason: 'this kernel shares the budget however namespaces are made', evidence};
  if (!block || owner < block.uid || owner >= block.uid + block.size)
    return {
      outcome: 'broken',
      reason: `uid ${owner} of the host made the pod's namespace: one budget of ${what} for it, for every other pod like it and for that user`,
      evidence,
    };
  return {
    outcome: 'works',
    reason: `uid ${owner}, its own, made the pod's namespace: it has a budget of ${what} of its own`,
    evidence,
  };
}
