import {namespaceInode} from '../../host/process-view.ts';
import {attack, invariant, nist} from '../define.ts';
import {probeExec} from '../exec-probe.ts';

/** Joining all namespaces but one is easily done, and hard to see. */
export const execUserNamespace = invariant(
  {
    id: 'exec-user-namespace',
    title: "a program run in the pod is in the pod's user namespace",
    group: 1,
    gain: "root of the host among the pod's files: everything that the pod sees, changed as root",
    attempt: 'exec in the pod, as its users do, of readlink /proc/self/ns/user',
    expected: {'treatment-default': "the inode of the pod's first program"},
    rule: 'fs/nsfs.c: one namespace, one inode',
    references: [attack('T1611'), nist('3.4.1')],
    abilities: ['exec', 'outside'],
  },
  async (scene) => {
    const {userNamespace} = await probeExec(scene.pod);
    const own = namespaceInode(scene.pod.init.pid, 'user');
    const evidence = {'of the program': `user:[${userNamespace}]`, 'of the pod': `user:[${own}]`};
    if (userNamespace !== own)
      return {outcome: 'broken', reason: `it is in user namespace ${userNamespace}, the pod in ${own}`, evidence};
    if (!scene.hasOwnUserNamespace(scene.pod))
      return {outcome: 'broken', reason: 'both are in our own user namespace', evidence};
    return {outcome: 'works', reason: `both are in ${own}`, evidence};
  },
);
