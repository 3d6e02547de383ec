import {byDesign, cve, nist} from '../define.ts';
import {call} from '../operation.ts';

/** Whoever is root of some namespace reaches more of the kernel. */
export const nestedUsernsAttackSurface = byDesign(
  {
    id: 'nested-userns-attack-surface',
    title: 'user namespaces open more of the kernel, not less',
    group: 8,
    gain: 'bugs in file systems, nf_tables and packet sockets that only some root can reach',
    attempt: 'with the default capabilities: unshare(2) of a user and a mount namespace, then fsopen(2) of ext4',
    expected: {'treatment-default': 'opened'},
    rule: 'kernel/user_namespace.c create_user_ns(): every capability over what is made in it. The same without a pod around it',
    references: [cve('CVE-2022-0185'), cve('CVE-2020-14386'), cve('CVE-2022-1015'), nist('3.5.1')],
    insteadUse: 'a seccomp profile (RuntimeDefault); user.max_user_namespaces = 0 in the pod, see nested-userns-cap',
  },
  {
    arms: ['control-default', 'treatment-default'],
    calls: () => [
      call('unshare', [0x10000000 + 0x20000], 'unshare(user, mnt)'),
      call('fsopen', ['ext4', 0], 'fsopen(ext4)'),
    ],
  },
);
