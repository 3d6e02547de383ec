import {CannotTry} from '../attempt.ts';
import {cve, invariant, nist} from '../define.ts';
import {MiniHost} from '../mini-host.ts';
import {O, open, unshare, write} from '../operation.ts';
import type {Who} from '../scene.ts';

const path = '/proc/sys/user/max_user_namespaces';
const base = 4_200_071_168 - (4_200_071_168 % 65_536);

/** Much of the kernel can be reached only by those who are root of some namespace. */
export const nestedUsernsCap = invariant(
  {
    id: 'nested-userns-cap',
    title: 'a pod can be kept from making user namespaces of its own',
    group: 6,
    gain: 'nothing; a runtime can close a door to bugs of the kernel this way',
    attempt:
      'user.max_user_namespaces of a user namespace set to 0; unshare(2) there, and the value put up again, with the default capabilities',
    expected: {'treatment-default': 'unshare: ENOSPC; raising it: EACCES'},
    rule: 'kernel/ucount.c inc_user_namespaces(), set_permissions(): CAP_SYS_RESOURCE in that namespace',
    references: [cve('CVE-2022-0185'), nist('3.5.1')],
    needs: ['root'],
    alone: true,
  },
  async (scene) => {
    const host = await MiniHost.make(scene);
    try {
      const pod = await host.pod('closed', base, base);
      const [all, few]: readonly Who[] = [
        {pod, capabilities: 'all'},
        {pod, capabilities: 'default'},
      ];
      if (!all || !few) throw new CannotTry('nobody to try it');
      host.uses(all, few);
      const set = await (await scene.actor(all)).run([open(path, O.WRONLY), write('0')]);
      const failed = set.calls.find(({errno}) => errno !== undefined);
      if (failed) throw new CannotTry(`user.max_user_namespaces of a namespace cannot be set here (${failed.errno})`);
      const actor = await scene.actor(few);
      const made = (await actor.run([unshare('user')])).calls[0]?.errno;
      const raised = (await actor.run([open(path, O.WRONLY), write('10')])).calls.find(
        ({errno}) => errno !== undefined,
      )?.errno;
      const target = await (await scene.actor(scene.whoOf('treatment-default'))).run([unshare('user')]);
      const evidence = {
        unshare: made ?? 'it worked',
        'raising the limit': raised ?? 'it worked',
        'unshare in the pod under judgement': target.calls[0]?.errno ?? 'it worked',
      };
      if (made === undefined || raised === undefined)
        return {
          outcome: 'broken',
          reason: `the limit of 0 holds nobody: unshare ${evidence.unshare}, raising it ${evidence['raising the limit']}`,
          evidence,
        };
      return {outcome: 'works', reason: `with a limit of 0: unshare ${made}, raising it ${raised}`, evidence};
    } finally {
      await host.close();
    }
  },
);
