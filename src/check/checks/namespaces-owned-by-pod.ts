import {namespaceInode} from '../../host/process-view.ts';
import {docker, invariant, kubernetes} from '../define.ts';
import {ioctl, openNamespace, readlink} from '../operation.ts';

const NS_GET_USERNS = 0xb701;
const types = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;

/** A namespace belongs to the user namespace in which it was made; capabilities count by that. */
export const namespacesOwnedByPod = invariant(
  {
    id: 'namespaces-owned-by-pod',
    title: "the pod's other namespaces belong to its user namespace",
    group: 1,
    gain: "nothing by itself; but the pod's root cannot use its capabilities there, and what is shared with the host is not its own",
    attempt: "ioctl_ns(2) NS_GET_USERNS of each namespace of the pod's first program",
    expected: {'treatment-default': "the pod's user namespace owns each of them"},
    rule: 'kernel/nsproxy.c create_new_namespaces() takes the user namespace of the caller at that moment; ns_capable() asks over it',
    references: [kubernetes('KEP-127'), docker('5.10'), docker('5.16'), docker('5.17'), docker('5.21')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const {pid} = scene.pod.init;
    const own = namespaceInode(pid, 'user');
    const evidence: Record<string, string> = {'user namespace': `user:[${own}]`};
    const foreign: string[] = [];
    for (const type of types) {
      const operations = [
        openNamespace(pid, type, {as: 'ns'}),
        ioctl('ns', NS_GET_USERNS, 0, 'NS_GET_USERNS', {as: 'owner'}),
        readlink('/proc/self/fd/{owner}'),
      ];
      const end = await scene.asHost(...operations);
      const owner = (end.calls[2]?.texts[0] ?? '').replace(/\0+$/, '');
      const isShared = namespaceInode(pid, type) === namespaceInode('self', type);
      evidence[type] = `${isShared ? "the host's" : 'its own'}, owned by ${owner}`;
      // Where cgroup v1 is in use most runtimes make no cgroup namespace.
      if (isShared ? type !== 'cgroup' : owner !== `user:[${own}]`) foreign.push(type);
    }
    if (foreign.length > 0)
      return {
        outcome: 'broken',
        reason: `${foreign.join(', ')} of the pod ${foreign.length === 1 ? 'does' : 'do'} not belong to its user namespace`,
        evidence,
      };
    return {outcome: 'works', reason: 'they belong to it, or are shared where they must be', evidence};
  },
);
