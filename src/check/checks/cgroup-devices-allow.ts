import {chownSync} from 'node:fs';
import {join} from 'node:path';
import {type Attempt, CannotTry} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {O, open, write} from '../operation.ts';
import type {Place} from '../place.ts';
import {cgroupMounts} from '../run-folder.ts';

function devices(place: Place): string {
  const {devices: mounted} = cgroupMounts().v1;
  if (mounted === undefined) throw new CannotTry('no v1 hierarchy of the controller devices is mounted');
  return place.keep('group', place.scene.run.makeCgroup(mounted));
}

/** The list of devices that a container may open. */
export const cgroupDevicesAllow = tried(
  'K',
  {
    id: 'cgroup-devices-allow',
    title: 'the list of allowed devices cannot be changed',
    group: 3,
    gain: 'every device of the node, once a node for it is there',
    attempt: 'write(2) to devices.allow of an empty canary group; again after the file was given to the pod',
    expected: expectedOfCapability('EPERM', 'EACCES', 'EPERM'),
    rule: 'security/device_cgroup.c devcgroup_update_access(): capable(CAP_SYS_ADMIN) in the initial user namespace',
    references: [attack('T1611'), nist('3.4.3')],
    needs: ['cgroup-v1'],
  },
  ...(['as-made', 'given-to-the-pod'] as const).map(
    (name): Attempt => ({
      name,
      prepare: (place) => {
        const file = join(devices(place), 'devices.allow');
        const block = place.isControl ? undefined : place.scene.blockOf(place.scene.pod);
        if (name === 'given-to-the-pod' && block) chownSync(file, block.uid, block.gid);
      },
      calls: (place) => [open(join(place.kept('group'), 'devices.allow'), O.WRONLY), write('c 1:3 r')],
      undo: (place) => {
        const group = place.note<string>('group');
        if (group !== undefined) place.scene.run.removeCgroup(group);
      },
    }),
  ),
);
