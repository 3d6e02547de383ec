import {readText, statusOf} from '../../host/process-view.ts';
import {invariant, kubernetes} from '../define.ts';
import {probeExec} from '../exec-probe.ts';

/** What was once said to be impossible. */
export const capsCanBeAdded = invariant(
  {
    id: 'caps-can-be-added',
    title: 'a pod that was given every capability has them',
    group: 7,
    gain: 'nothing; without it: pods that had to be privileged, and could be given capabilities over themselves instead',
    attempt: 'exec in a pod that asked for every capability, and its CapEff',
    expected: {'treatment-all': 'all that this kernel has'},
    rule: 'kernel/user_namespace.c create_user_ns(): every capability, over what belongs to the namespace',
    references: [kubernetes('KEP-127')],
    abilities: ['exec', 'two-pods', 'all-capabilities'],
  },
  async (scene) => {
    const {status} = await probeExec(scene.otherPod);
    const last = Number(readText('/proc/sys/kernel/cap_last_cap') ?? '40');
    const every = (2n ** BigInt(last + 1) - 1n).toString(16).padStart(16, '0');
    // Engines leave out what they are not given themselves, such as CAP_SYS_RESOURCE on a machine that has taken it away.
    const own = statusOf(process.pid)?.bounding ?? every;
    const evidence = {CapEff: status.effective, 'all there are': every, 'bounding set of the host': own};
    const given = BigInt(`0x${status.effective}`);
    if ((BigInt(`0x${own}`) & ~given) !== 0n)
      return {
        outcome: 'broken',
        reason: `it was asked for every capability (${every}), and has ${status.effective}`,
        evidence,
      };
    const all = status.effective === every ? `all ${last + 1}` : 'all that the host has itself';
    return {outcome: 'works', reason: `CapEff is ${status.effective}: ${all}`, evidence};
  },
);
