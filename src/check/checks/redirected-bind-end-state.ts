import {cve, expectedOfIds, nist, tried} from '../define.ts';
import {MS, mount, O, open, read, umount} from '../operation.ts';

/** The end of a mount race: the runtime was led to another folder than the one that it meant to mount. */
export const redirectedBindEndState = tried(
  'U',
  {
    id: 'redirected-bind-end-state',
    title: 'a folder of the host that was mounted by mistake shows no secret',
    group: 2,
    gain: 'a folder of the node as a volume, after a subPath or a volume was swapped for a link',
    attempt: 'open(2) of a 0600 file of root through a plain bind mount that root of the host made',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(): a plain bind mount shifts no ids. Holds for plain mounts only, see idmapped-redirect',
    references: [cve('CVE-2021-30465'), cve('CVE-2021-25741'), cve('CVE-2022-23648'), nist('3.4.1')],
  },
  {
    prepare: async (place) => {
      place.dir('etc');
      place.file('etc/secret');
      place.file('etc/open', {mode: 0o644});
      place.dir('volume');
      await place.asHost(mount(place.path('etc'), place.path('volume'), '', MS.bind));
    },
    reach: (place) => [open(place.path('volume/open'), O.RDONLY), read()],
    calls: (place) => [open(place.path('volume/secret'), O.RDONLY), read()],
    undo: (place) => place.scene.tidy(umount(place.path('volume'))),
  },
);
