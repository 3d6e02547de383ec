import {readText} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {invariant, kubernetes} from '../define.ts';
import {call, O, open, write} from '../operation.ts';

const path = '/proc/sys/user/max_user_namespaces';

/** The one table that a pod may write: it is its own. */
export const sysctlUserLimits = invariant(
  {
    id: 'sysctl-user-limits',
    title: 'limits of namespaces that the pod sets are its own',
    group: 3,
    gain: 'more namespaces for everybody on the node, if the table were shared',
    attempt:
      "another value into user/max_user_namespaces from the pod, put back at once; the host's value before and after",
    expected: {'treatment-all': "it may be written, and the host's value stays"},
    rule: 'kernel/ucount.c set_permissions(), set_lookup(): one table for each user namespace; those above limit it still',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    if (!scene.hasOwnUserNamespace(scene.pod))
      return {outcome: 'broken', reason: 'the pod has no user namespace of its own, and so no table'};
    const before = readText(path)?.trim();
    if (before === undefined) throw new CannotTry(`there is no ${path}`);
    const actor = await scene.actor(scene.whoOf('treatment-all'));
    const own = await actor.run([call('content', [path], 'read')]);
    const value = (own.calls[0]?.texts[0] ?? before).trim();
    const other = String(Math.max(1, Number(value) - 1));
    const end = await actor.run([open(path, O.WRONLY), write(other)]);
    const during = readText(path)?.trim();
    await actor.run([open(path, O.WRONLY), write(value)]);
    const errno = end.calls.find((each) => each.errno !== undefined)?.errno;
    const evidence = {
      'written by the pod': errno ?? other,
      "the host's before": before,
      'and meanwhile': during ?? '?',
    };
    if (during !== before)
      return {outcome: 'broken', reason: `the pod changed the host's limit from ${before} to ${during}`, evidence};
    const did = errno === undefined ? `the pod wrote ${other}` : `the pod's write was refused (${errno})`;
    return {outcome: 'works', reason: `${did}; the host's limit stayed ${before}`, evidence};
  },
);
