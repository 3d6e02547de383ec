import type {Attempt} from '../attempt.ts';
import {kubernetes, usable} from '../define.ts';
import {mknod} from '../operation.ts';

/** Nodes that lead to no device. */
export const mknodRefusedFifoOk = usable(
  {
    id: 'mknod-refused-fifo-ok',
    title: 'the pod can make FIFOs and whiteouts',
    group: 7,
    gain: 'nothing; without it: programs with named pipes, overlays in the pod',
    attempt: 'mknod(2) of a FIFO and of c 0:0 in a folder where everybody may write',
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'fs/namei.c vfs_mknod(): CAP_MKNOD is asked for devices alone, and not for the whiteout 0:0',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  ...Object.entries({fifo: 0o010600, whiteout: 0o020600}).map(
    ([name, mode]): Attempt => ({
      name,
      arms: ['control-default', 'treatment-all', 'treatment-default'],
      prepare: (place) => {
        place.dir('room', {mode: 0o777});
      },
      calls: (place) => [mknod(place.path('room/node'), mode, 0, 0)],
    }),
  ),
);
