import {kubernetes, usable} from '../define.ts';
import {sameSetting} from '../inside.ts';

/** Settings of its own IPC. */
export const sysctlOwnIpc = usable(
  {
    id: 'sysctl-own-ipc',
    title: 'the pod can change settings of its own IPC namespace',
    group: 7,
    gain: 'nothing; without it: databases that want more shared memory',
    attempt:
      "the same value into kernel/shmmax and fs/mqueue/msg_max of the pod's IPC namespace, past the runtime's read-only /proc/sys",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'ipc/ipc_sysctl.c ipc_permissions(), ipc/mq_sysctl.c: the files belong to root of the owner of the IPC namespace',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  ...['kernel/shmmax', 'fs/mqueue/msg_max'].map((name) =>
    sameSetting(`/proc/sys/${name}`, {arms: ['control-default', 'treatment-all', 'treatment-default']}),
  ),
);
