import type {Attempt} from '../attempt.ts';
import {attack, cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read, write} from '../operation.ts';
import {everyNamespace} from '../scene.ts';

/** A descriptor of a folder of the host that was left open in the pod. */
export const leakedDirFd = tried(
  'U',
  {
    id: 'leaked-dir-fd',
    title: 'a folder of the host that was left open leads to no secret',
    group: 2,
    gain: "the host's files through a descriptor that the runtime forgot to close",
    attempt: "openat(2) below an inherited descriptor of a folder of the host, from all of the pod's namespaces",
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c link_path_walk() and may_open(): permission is asked anew with the credentials of whoever opens',
    references: [cve('CVE-2024-21626'), attack('T1611'), nist('3.4.1')],
  },
  ...(['read', 'append'] as const).map(
    (name): Attempt => ({
      name,
      who: (place) => ({
        keep: [['leak', place.folder, O.RDONLY + O.DIRECTORY]],
        ...(place.isControl ? {} : {inside: everyNamespace}),
      }),
      prepare: (place) => {
        place.file('secret');
        place.sibling();
      },
      reach: () => [open('sibling', O.RDONLY, {at: 'leak'}), read()],
      calls: () =>
        name === 'read'
          ? [open('secret', O.RDONLY, {at: 'leak'}), read()]
          : [open('secret', O.WRONLY + O.APPEND, {at: 'leak'}), write('changed')],
      undo: (place) =>
        place.scene.dismiss({
          ...place.scene.whoOf(place.arm),
          keep: [['leak', place.folder, O.RDONLY + O.DIRECTORY]],
          ...(place.isControl ? {} : {inside: everyNamespace}),
        }),
    }),
  ),
);
