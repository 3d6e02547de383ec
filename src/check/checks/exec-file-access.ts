import {attack, invariant, nist} from '../define.ts';
import {canary} from '../place.ts';
import {mountPoints} from '../scene-pods.ts';

/** The same question by its effect: no shown id decides, the kernel does. */
export const execFileAccess = invariant(
  {
    id: 'exec-file-access',
    title: "a program run in the pod cannot read a secret of the host's root",
    group: 1,
    gain: 'what root of the host may read, for whoever may run a program in a pod',
    attempt: 'exec in the pod, as its users do, of cat on a 0600 file of root in a plain mount',
    expected: {'treatment-default': 'refused; the open file beside it is read'},
    rule: 'fs/namei.c generic_permission() with the kernel ids of the program',
    references: [attack('T1611'), nist('3.4.1')],
    abilities: ['exec', 'mounts'],
  },
  async (scene) => {
    const open = await scene.pod.exec(['cat', `${mountPoints.plain}/open`]);
    if (open.exitCode !== 0)
      return {
        outcome: 'inconclusive',
        reason: `the open file beside it could not be read: ${open.stderr.slice(0, 200)}`,
      };
    const secret = await scene.pod.exec(['cat', `${mountPoints.plain}/secret`]);
    const evidence = {'exit code': String(secret.exitCode), 'what it said': secret.stderr.trim().slice(0, 200)};
    if (secret.exitCode === 0 || secret.stdout.includes(canary.trim()))
      return {outcome: 'broken', reason: "a program run in the pod read a 0600 file of the host's root", evidence};
    return {outcome: 'works', reason: 'the open file is read, the secret is refused', evidence};
  },
);
