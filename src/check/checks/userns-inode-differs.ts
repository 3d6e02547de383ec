import {namespaceInode} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, docker, invariant, kubernetes, nist} from '../define.ts';

/** The first of all questions: is there a user namespace at all? */
export const usernsInodeDiffers = invariant(
  {
    id: 'userns-inode-differs',
    title: 'the pod has a user namespace of its own',
    group: 1,
    gain: 'root in the pod is root on the host, limited by capabilities alone',
    attempt: "readlink(2) of /proc/PID/ns/user of the pod's first program and of our own process",
    expected: {'control-default': 'the same inode', 'treatment-default': 'another inode'},
    rule: 'fs/nsfs.c: a namespace is an inode of nsfs; two processes are in one namespace exactly when the inodes are equal',
    references: [attack('T1611'), nist('3.4.3'), docker('2.9'), docker('5.31'), kubernetes('KEP-127')],
    abilities: ['outside'],
  },
  (scene) => {
    const [pod, own] = [namespaceInode(scene.pod.init.pid, 'user'), namespaceInode('self', 'user')];
    if (pod === undefined || own === undefined) throw new CannotTry('the namespaces of the pod cannot be looked at');
    const evidence = {pod: `user:[${pod}]`, host: `user:[${own}]`};
    if (pod === own) return {outcome: 'broken', reason: `the pod is in our own user namespace, ${pod}`, evidence};
    return {outcome: 'works', reason: `the pod is in user namespace ${pod}, we are in ${own}`, evidence};
  },
);
