import {statusOf} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {cis, docker, invariant} from '../define.ts';
import {probeExec} from '../exec-probe.ts';

/** The limits of a pod are those of every program in it. */
export const execLimits = invariant(
  {
    id: 'exec-limits',
    title: "a program run in the pod has no more than the pod's first",
    group: 1,
    gain: 'capabilities, or set-user-ID programs that work, for whoever may run a program in a pod',
    attempt: 'exec in the pod, as its users do, and the limits of both: CapBnd, NoNewPrivs',
    expected: {'treatment-default': 'equal'},
    rule: 'security/commoncap.c cap_bprm_creds_from_file(): the bounding set and no_new_privs limit what an execve(2) can give',
    references: [cis('5.2.6'), cis('5.2.9'), docker('5.4')],
    abilities: ['exec', 'outside'],
  },
  async (scene) => {
    const {status} = await probeExec(scene.pod);
    const init = statusOf(scene.pod.init.pid);
    if (!init) throw new CannotTry('the pod is gone');
    const evidence = {
      'CapBnd of the first': init.bounding,
      'CapBnd of the program': status.bounding,
      'NoNewPrivs of the first': String(init.noNewPrivs),
      'NoNewPrivs of the program': String(status.noNewPrivs),
    };
    const [given, owned] = [status.bounding, init.bounding].map((mask) => BigInt(`0x${mask}`));
    if (((given ?? 0n) & ~(owned ?? 0n)) !== 0n)
      return {
        outcome: 'broken',
        reason: `it may have capabilities that the pod's first program may not: ${status.bounding}`,
        evidence,
      };
    if (init.noNewPrivs && !status.noNewPrivs)
      return {
        outcome: 'broken',
        reason: "it may gain privileges (no_new_privs is not set), the pod's first program may not",
        evidence,
      };
    return {outcome: 'works', reason: `CapBnd ${status.bounding}, NoNewPrivs ${status.noNewPrivs}`, evidence};
  },
);
