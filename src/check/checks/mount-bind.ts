import {kubernetes, usable} from '../define.ts';
import {anyFolder, insidePod, ownMounts} from '../inside.ts';
import {MS, mount} from '../operation.ts';

/** Folders elsewhere in the pod. */
export const mountBind = usable(
  {
    id: 'mount-bind',
    title: 'the pod can bind-mount',
    group: 7,
    gain: 'nothing; without it: nested containers, builds',
    attempt: 'mount(2) with MS_BIND of a folder of the pod, in a copy of its mount namespace',
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "fs/namespace.c may_mount(): CAP_SYS_ADMIN over the owner of the mount namespace, which is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [...ownMounts(), mount('/proc', anyFolder, '', MS.bind + MS.rec)],
  },
);
