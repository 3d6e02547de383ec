import {attack, invariant, kubernetes} from '../define.ts';
import {ioctl, openNamespace} from '../operation.ts';

const NS_GET_OWNER_UID = 0xb704;

/** Who made the namespace pays for what is in it. */
export const usernsOwnerUid = invariant(
  {
    id: 'userns-owner-uid',
    title: "the pod's user namespace belongs to an id of the pod",
    group: 1,
    gain: "one budget of inotify instances, namespaces and processes for all pods and the host's root: one pod uses it up for all",
    attempt: 'ioctl_ns(2) NS_GET_OWNER_UID of the user namespace',
    expected: {'treatment-default': 'an id of its own range; most runtimes leave 0'},
    rule: 'kernel/ucount.c inc_ucount() charges every namespace above too, in the name of the owner of the one below: user_namespace.owner, the euid of its creator',
    references: [attack('T1499'), kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const block = scene.blockOf(scene.pod);
    if (!block) return {outcome: 'broken', reason: 'the pod has no user namespace of its own'};
    const end = await scene.asHost(
      openNamespace(scene.pod.init.pid, 'user', {as: 'ns'}),
      ioctl('ns', NS_GET_OWNER_UID, {room: 4}, 'NS_GET_OWNER_UID'),
    );
    const owner = Buffer.from(end.calls[1]?.texts[0] ?? '\0\0\0\0', 'latin1').readUInt32LE(0);
    const evidence = {owner: String(owner), block: `${block.uid} to ${block.uid + block.size - 1}`};
    if (owner < block.uid || owner >= block.uid + block.size)
      return {
        outcome: 'broken',
        reason: `uid ${owner} of the host made it, and its budgets are charged with all that the pod takes`,
        evidence,
      };
    return {outcome: 'works', reason: `uid ${owner} made it, an id of the pod's own`, evidence};
  },
);
