import {byDesign, cve, kubernetes} from '../define.ts';
import {idmappedMount} from '../idmapped-mount.ts';
import {O, open, read, umount, write} from '../operation.ts';

/** Where the claims for plain mounts end. */
export const idmappedRedirect = byDesign(
  {
    id: 'idmapped-redirect',
    title: 'a folder of the host that was mounted by mistake with shifted ids is open to the pod',
    group: 8,
    gain: 'every file of root in a folder of the host, if a runtime can be led to mount it with shifted ids',
    attempt: 'open(2) of a 0600 file of root, for reading and writing, through a mount with shifted ids',
    expected: {'treatment-all': 'opened', 'treatment-default': 'opened'},
    rule: 'fs/namei.c with mnt_idmap(): uid 0 of the disk is uid 0 of the pod there. The "mitigated" of KEP-127 for these vulnerabilities holds for plain mounts only',
    references: [cve('CVE-2021-25741'), cve('CVE-2017-1002101'), cve('CVE-2021-30465'), kubernetes('KEP-127')],
    insteadUse:
      'a runtime that looks at what it has opened before mount_setattr(2), and never shifts outside of the volume',
  },
  {
    prepare: async (place) => {
      place.dir('etc');
      place.file('etc/secret');
      place.dir('mount');
      await place.asHost(...idmappedMount(place.scene.pod.init.pid, place.path('etc'), place.path('mount')));
    },
    arms: ['treatment-all', 'treatment-default'],
    calls: (place) => [open(place.path('mount/secret'), O.RDWR), read(), write('changed\n')],
    effect: (place) => place.content('etc/secret').includes('changed'),
    undo: (place) => place.scene.tidy(umount(place.path('mount'))),
  },
);
