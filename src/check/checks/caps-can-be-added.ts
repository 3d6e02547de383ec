import {readText} from '../../host/process-view.ts';
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
    const evidence = {CapEff: status.effective, 'all there are': every};
    if (status.effective !== every)
      return {
        outcome: 'broken',
        reason: `it was asked for every capability (${every}), and has ${status.effective}`,
        evidence,
      };
    return {outcome: 'works', reason: `CapEff is ${status.effective}: all ${last + 1}`, evidence};
  },
);
