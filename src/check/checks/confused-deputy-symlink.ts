import {byDesign, cve, nist} from '../define.ts';
import {O, open, read, symlink} from '../operation.ts';
import {canary} from '../place.ts';

/** The pod asks nothing of the kernel; root does. */
export const confusedDeputySymlink = byDesign(
  {
    id: 'confused-deputy-symlink',
    title: "the host's root follows links that the pod has made",
    group: 8,
    gain: "files of root that root itself hands out: the kubelet's /var/log, backups, log collectors",
    attempt: 'symlink(2) to a 0600 file of root in a shared folder; root of the host opens it',
    expected: {'treatment-all': 'root reads the secret', 'treatment-default': 'root reads the secret'},
    rule: 'fs/namei.c: permission is asked of whoever opens; fs.protected_symlinks protects sticky folders alone',
    references: [cve('CVE-2017-1002101'), nist('3.5.5')],
    insteadUse: 'openat2(2) with RESOLVE_BENEATH, or O_NOFOLLOW, in what reads the folders of pods',
  },
  {
    prepare: (place) => {
      place.file('secret');
      place.dir('shared', {mode: 0o777});
    },
    calls: (place) => [symlink(place.path('secret'), place.path('shared/log'))],
    effect: async (place, seen) => {
      if (!seen.through) return false;
      const end = await place.scene.asHost(open(place.path('shared/log'), O.RDONLY), read());
      return end.calls[1]?.texts[0]?.startsWith(canary) ?? false;
    },
  },
);
