import {CannotTry} from '../attempt.ts';
import {invariant, kubernetes} from '../define.ts';
import {O, open, unshare, write} from '../operation.ts';

/** Namespaces in namespaces lead no further. */
export const nestedUsernsStaysInRange = invariant(
  {
    id: 'nested-userns-stays-in-range',
    title: "a user namespace in the pod has no ids but the pod's",
    group: 1,
    gain: 'id 0 of the host, by way of a namespace in which one is root',
    attempt:
      'unshare(2) of a user namespace in the pod, a map to its own id, a file made there; and a map to an id that the pod does not have',
    expected: {'treatment-default': "the file is BASE's; the other map: EPERM"},
    rule: 'kernel/user_namespace.c map_write(): every line must lie inside one line of the parent (map_id_range_down)',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const place = scene.place('nested-userns-stays-in-range', 'treatment-default');
    try {
      const room = place.dir('room', {mode: 0o1777});
      const block = scene.blockOf(scene.pod);
      const actor = await scene.actor(scene.whoOf('treatment-default'));
      const map = (file: string, text: string) => [open(`/proc/self/${file}`, O.WRONLY), write(text)];
      const good = await actor.run([
        unshare('user'),
        ...map('uid_map', '0 0 1\n'),
        ...map('setgroups', 'deny'),
        ...map('gid_map', '0 0 1\n'),
        open(`${room}/made`, O.WRONLY + O.CREAT),
      ]);
      const failed = good.calls.find(({errno}) => errno !== undefined);
      if (failed) throw new CannotTry(`the pod cannot make a user namespace with a map (${failed.errno})`);
      const {uid, gid} = place.stat('room/made');
      const bad = await actor.run([unshare('user'), ...map('uid_map', `0 ${block?.size ?? 65_536} 1\n`)]);
      const refused = bad.calls.at(-1)?.errno;
      const evidence = {'file made in it': `${uid}:${gid}`, 'map to an id beyond': refused ?? 'it was written'};
      if (block === undefined || uid !== block.uid || gid !== block.gid || uid < 65_536)
        return {outcome: 'broken', reason: `a file made in a nested user namespace belongs to ${uid}:${gid}`, evidence};
      if (refused === undefined)
        return {outcome: 'broken', reason: 'a nested user namespace got an id that the pod does not have', evidence};
      return {
        outcome: 'works',
        reason: `the file is ${uid}:${gid}; an id beyond the pod's is refused with ${refused}`,
        evidence,
      };
    } finally {
      await place.clear();
    }
  },
);
