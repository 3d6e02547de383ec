import {attack, cis, cve, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, read} from '../operation.ts';
import {canary} from '../place.ts';

/** A root-only file, read. */
export const readRoot0600 = tried(
  'U',
  {
    id: 'read-root-0600',
    title: "a file that only the host's root may read stays closed",
    group: 2,
    gain: "passwords, keys and tokens of the node: /etc/shadow, kubelet keys, other pods' secrets",
    attempt: 'open(2) of a 0600 file of root, for reading',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/namei.c generic_permission(): CAP_DAC_OVERRIDE counts only over inodes whose owner and group are mapped in the namespace (capable_wrt_inode_uidgid)',
    references: [
      cve('CVE-2021-25741'),
      cve('CVE-2017-1002101'),
      attack('T1003.008'),
      attack('T1552.001'),
      nist('3.5.5'),
      cis('4.1.x'),
      cis('5.2.11'),
    ],
  },
  {
    prepare: (place) => {
      place.file('secret');
      place.sibling();
    },
    reach: (place) => [open(place.path('sibling'), O.RDONLY), read()],
    calls: (place) => [open(place.path('secret'), O.RDONLY), read()],
    effect: (_, seen) => seen.text('read') !== undefined && (seen.text('read') ?? '').startsWith(canary),
  },
);
