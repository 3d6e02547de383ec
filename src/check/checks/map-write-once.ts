import {readIdMapText} from '../../host/proc.ts';
import {invariant, kubernetes} from '../define.ts';
import {O, open, write} from '../operation.ts';

/** A map that its own pod could change would be none. */
export const mapWriteOnce = invariant(
  {
    id: 'map-write-once',
    title: 'the pod cannot change its map, nor that of another',
    group: 1,
    gain: 'id 0 of the host for an id of the pod',
    attempt: "write(2) of `0 0 1` to one's own uid_map, and open(2) of that of another pod",
    expected: {'treatment-all': 'own: EPERM; of another pod: EACCES'},
    rule: 'kernel/user_namespace.c map_write(): once, and with CAP_SYS_ADMIN over the namespace and rights over the ids in its parent',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    if (!scene.hasOwnUserNamespace(scene.pod))
      return {outcome: 'broken', reason: 'the pod has no user namespace, and so no map'};
    const before = readIdMapText(scene.pod.init.pid, 'uid_map');
    const actor = await scene.actor(scene.whoOf('treatment-all'));
    const own = await actor.run([open('/proc/self/uid_map', O.WRONLY), write('0 0 1\n')]);
    const ownErrno = own.calls.at(-1)?.errno;
    const [, other] = scene.pods;
    const foreign = other && (await actor.run([open(`/proc/${other.init.pid}/uid_map`, O.WRONLY)]));
    const evidence = {
      own: ownErrno ?? 'it was written',
      'of the other pod': foreign ? (foreign.calls[0]?.errno ?? 'it was opened') : '(there is none)',
    };
    if (ownErrno === undefined || readIdMapText(scene.pod.init.pid, 'uid_map') !== before)
      return {outcome: 'broken', reason: 'the pod wrote to its own uid_map', evidence};
    if (foreign && foreign.calls[0]?.errno === undefined)
      return {outcome: 'broken', reason: 'the pod opened the uid_map of another for writing', evidence};
    return {
      outcome: 'works',
      reason: `its own map: ${ownErrno}; of the other pod: ${evidence['of the other pod']}`,
      evidence,
    };
  },
);
