import type {Attempt} from '../attempt.ts';
import {kubernetes, usable} from '../define.ts';
import {insidePastMounts} from '../inside.ts';
import {O, open, write} from '../operation.ts';

/** Settings of its own IPC. */
export const sysctlOwnIpc = usable(
  {
    id: 'sysctl-own-ipc',
    title: 'the pod can change settings of its own IPC namespace',
    group: 7,
    gain: 'nothing; without it: databases that want more shared memory',
    attempt:
      "write(2) to kernel/shmmax and fs/mqueue/msg_max in the pod's IPC namespace, past the runtime's read-only /proc/sys",
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'ipc/ipc_sysctl.c ipc_permissions(), ipc/mq_sysctl.c: the files belong to root of the owner of the IPC namespace',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  ...Object.entries({'kernel/shmmax': '134217728', 'fs/mqueue/msg_max': '20'}).map(
    ([name, value]): Attempt => ({
      name,
      arms: ['control-default', 'treatment-all', 'treatment-default'],
      who: insidePastMounts,
      calls: () => [open(`/proc/sys/${name}`, O.WRONLY), write(value)],
    }),
  ),
);
