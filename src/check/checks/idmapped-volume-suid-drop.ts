import {attack, byDesign, kubernetes} from '../define.ts';
import {idmappedMount} from '../idmapped-mount.ts';
import {chmod, run, umount} from '../operation.ts';
import {catProgram, effectiveUidOf} from '../programs.ts';

/** Shifted ids write as root on the disk: that is what they are for. */
export const idmappedVolumeSuidDrop = byDesign(
  {
    id: 'idmapped-volume-suid-drop',
    title: "a set-user-ID program on a volume with shifted ids is root's on the disk",
    group: 8,
    gain: 'root for a user of the host who runs it under its path on the host',
    attempt:
      'a 6755 copy of a program through a mount with shifted ids; a user of the host runs it under the path on the disk',
    expected: {'treatment-all': 'that user becomes uid 0', 'treatment-default': 'that user becomes uid 0'},
    rule: "include/linux/fs.h mapped_fsuid(): what the pod's root makes through the mount belongs to uid 0 on the disk",
    references: [attack('T1548.001'), kubernetes('KEP-127')],
    insteadUse: "nosuid where the host mounts the volume's disk, or a 0700 folder of root above it",
  },
  {
    arms: ['treatment-all', 'treatment-default'],
    prepare: async (place) => {
      place.dir('disk', {mode: 0o777});
      place.dir('mount');
      await place.asHost(...idmappedMount(place.scene.pod.init.pid, place.path('disk'), place.path('mount')));
    },
    calls: (place) => [run('/bin/cp', catProgram(), place.path('mount/tool')), chmod(place.path('mount/tool'), 0o6755)],
    effect: async (place, seen) => {
      if (!seen.through || !place.exists('disk/tool')) return false;
      const user = await place.actor({capabilities: 'none', uid: 65_534});
      const end = await user.run([run(place.path('disk/tool'), '/proc/self/status')]);
      return effectiveUidOf(end.calls[0]?.texts[0]) === 0;
    },
    undo: (place) => place.scene.tidy(umount(place.path('mount'))),
  },
);
