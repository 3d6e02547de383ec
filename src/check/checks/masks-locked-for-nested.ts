import {mountsOf} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, invariant, nist} from '../define.ts';
import {call, MS, mount, umount} from '../operation.ts';
import {everyNamespace} from '../scene.ts';

/** A pod without capabilities of mounting takes them from a namespace of its own. */
export const masksLockedForNested = invariant(
  {
    id: 'masks-locked-for-nested',
    title: "a nested user namespace cannot take away the pod's masks",
    group: 2,
    gain: 'the paths that the runtime hides, for a pod with the default capabilities',
    attempt: 'unshare(2) of a user and a mount namespace in the pod, then umount(2) and remount of /proc/sys',
    expected: {'treatment-default': 'umount: EINVAL; remount: EPERM'},
    rule: 'fs/namespace.c: mounts that came from a more privileged user namespace are MNT_LOCKED, and so are their flags (mount_namespaces(7))',
    references: [attack('T1611'), nist('3.4.3')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const mask = mountsOf(scene.pod.init.pid).find(({point}) => point === '/proc/sys');
    if (!mask) throw new CannotTry('the pod has no mount over /proc/sys');
    const actor = await scene.actor({pod: scene.pod, inside: everyNamespace, capabilities: 'default'});
    const nested = call('unshare', [0x10000000 + 0x20000], 'unshare(user, mnt)');
    const away = await actor.run([nested, umount('/proc/sys')]);
    const again = await actor.run([nested, mount('none', '/proc/sys', '', MS.bind + MS.remount)]);
    if (away.calls[0]?.errno !== undefined)
      throw new CannotTry(`the pod cannot make a user namespace of its own (${away.calls[0].errno})`);
    const [umounted, remounted] = [away.calls[1]?.errno, again.calls[1]?.errno];
    const evidence = {'umount of /proc/sys': umounted ?? 'it worked', 'remount for writing': remounted ?? 'it worked'};
    if (umounted === undefined || remounted === undefined)
      return {outcome: 'broken', reason: 'a nested user namespace took the mask of /proc/sys away', evidence};
    return {outcome: 'works', reason: `the mask stays: umount ${umounted}, remount ${remounted}`, evidence};
  },
);
