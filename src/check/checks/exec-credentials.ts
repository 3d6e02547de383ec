import {namespaceInode, readText} from '../../host/process-view.ts';
import {attack, invariant, nist} from '../define.ts';
import {probeExec} from '../exec-probe.ts';

/** A second program is started on another road than the first, with other chances to forget something. */
export const execCredentials = invariant(
  {
    id: 'exec-credentials',
    title: 'a program run in the pod has its ids and no group of the host',
    group: 1,
    gain: "a process with the host's ids in the pod: whoever gets hold of it is root of the host",
    attempt: 'exec in the pod, as its users do, of a program that prints /proc/self/status',
    expected: {'treatment-default': 'uid 0, gid 0, no supplementary group'},
    rule: 'kernel/nsproxy.c setns(2) changes no ids: the runtime must call setgroups, setresgid and setresuid itself; what it forgets is shown as 65534',
    references: [attack('T1611'), nist('3.4.1')],
    abilities: ['exec'],
  },
  async (scene) => {
    const {status, userNamespace} = await probeExec(scene.pod);
    const evidence = {
      Uid: status.uids.join(' '),
      Gid: status.gids.join(' '),
      Groups: status.groups.join(' ') || '(none)',
      'user namespace': `user:[${userNamespace}]`,
    };
    if (status.uids.some((id) => id !== 0))
      return {
        outcome: 'broken',
        reason: `it runs with an id that the pod does not have: Uid ${evidence.Uid}`,
        evidence,
      };
    if (status.gids.some((id) => id !== 0))
      return {
        outcome: 'broken',
        reason: `it runs with a group that the pod does not have: Gid ${evidence.Gid}`,
        evidence,
      };
    const overflow = Number(readText('/proc/sys/kernel/overflowgid')?.trim() ?? 65_534);
    if (status.groups.includes(overflow))
      return {outcome: 'broken', reason: 'it has a supplementary group of the host, shown as nobody', evidence};
    const host = namespaceInode('self', 'user');
    if (userNamespace === host) return {outcome: 'broken', reason: "it is in the host's user namespace", evidence};
    return {outcome: 'works', reason: `Uid ${evidence.Uid}, Gid ${evidence.Gid}, groups ${evidence.Groups}`, evidence};
  },
);
