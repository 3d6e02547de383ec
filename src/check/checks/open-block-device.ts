import {statSync} from 'node:fs';
import type {Attempt} from '../attempt.ts';
import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {loopDevice} from '../loop-device.ts';
import {O, open, read} from '../operation.ts';

const onlyRoots = ['/dev/loop-control', '/dev/kvm', '/dev/btrfs-control'];

/** A disk, past its file system. */
export const openBlockDevice = tried(
  'U',
  {
    id: 'open-block-device',
    title: "device nodes of the host's root stay closed",
    group: 2,
    gain: 'every file of a disk, past all permissions',
    attempt: 'open(2) of the 0600 node of a canary loop device and read(2) of a sector; open(2) of control devices',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission() of the node: that is all that protects an existing node',
    references: [attack('T1006'), nist('3.4.3')],
    needs: ['loop-device'],
  },
  {
    name: 'loop',
    prepare: async (place) => {
      await loopDevice(place);
    },
    calls: (place) => [open(place.path('disk'), O.RDONLY), read(512)],
    effect: (_, seen) => seen.text('read')?.startsWith('subroot canary disk') ?? false,
  },
  ...onlyRoots.map(
    (path): Attempt => ({
      name: path.slice(5),
      prepare: () => {
        const mode = statSync(path, {throwIfNoEntry: false})?.mode;
        if (mode === undefined) throw new Error(`there is no ${path}`);
        if (mode % 8 !== 0) throw new Error(`${path} is open to everybody here`);
      },
      calls: () => [open(path, O.RDWR)],
    }),
  ),
);
