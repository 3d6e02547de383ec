import {idCount, toHostId} from '../../native-free/id-map.ts';
import {formatRanges} from '../../native-free/id-range.ts';
import {namedHostRanges} from '../doctor/id-space.ts';
import {type InsideView, viewFromInside} from '../host/inside-view.ts';
import type {Check} from './check.ts';
import {attack, docker, type Found, invariant, kubernetes, nist} from './define.ts';
import {shownMap} from './shown.ts';

/**
 * Inodes of the namespaces that a kernel begins with. Source: include/linux/proc_ns.h, PROC_*_INIT_INO; network and mount namespaces have no such number
 * on older kernels.
 */
const initial: Readonly<Record<string, number>> = {
  time: 4_026_531_834,
  cgroup: 4_026_531_835,
  pid: 4_026_531_836,
  user: 4_026_531_837,
  uts: 4_026_531_838,
  ipc: 4_026_531_839,
};

const works = (reason: string, evidence: Found['evidence'] = {}): Found => ({outcome: 'works', reason, evidence});
const broken = (reason: string, evidence: Found['evidence'] = {}): Found => ({outcome: 'broken', reason, evidence});

type Written = Parameters<typeof invariant>[0];

/** A fact that is seen from inside. */
export interface SelfCheck {
  readonly check: Check;
  find(view: InsideView): Found;
}

function seen(written: Written, find: (view: InsideView) => Found): SelfCheck {
  return {check: invariant(written, () => find(viewFromInside())), find};
}

const hasOwnNamespace = ({namespaces}: InsideView): boolean => namespaces.user !== initial.user;

const mapOnly = (view: InsideView, which: 'uidMap' | 'gidMap'): Found => {
  const map = view[which];
  const evidence = {[which === 'uidMap' ? 'uid_map' : 'gid_map']: shownMap(map)};
  const outside = toHostId(map, 0);
  if (idCount(map) >= 4_294_967_295)
    return broken(`every id is itself: this is no user namespace of its own (${shownMap(map)})`, evidence);
  if (outside === 0) return broken(`0 inside is 0 outside (${shownMap(map)})`, evidence);
  const ranges = formatRanges(namedHostRanges(map));
  return works(`0 inside is ${outside ?? 'nobody'} outside; ids outside: ${ranges}`, evidence);
};

const selfFacts: readonly SelfCheck[] = [
  seen(
    {
      id: 'self-user-namespace',
      title: 'we are in a user namespace of our own',
      group: 1,
      gain: 'root here is root of the host',
      attempt: 'readlink(2) of /proc/self/ns/user; 4026531837 is the one that the kernel began with',
      rule: 'include/linux/proc_ns.h PROC_USER_INIT_INO',
      references: [attack('T1611'), docker('2.9')],
    },
    (view) => {
      const inode = view.namespaces.user;
      if (inode === undefined) return {outcome: 'inconclusive', reason: '/proc/self/ns/user cannot be read'};
      const evidence = {'user namespace': `user:[${inode}]`};
      return hasOwnNamespace(view)
        ? works(`it is user:[${inode}], not the initial one`, evidence)
        : broken(`user:[${inode}] is the initial user namespace of the kernel: the host's`, evidence);
    },
  ),
  seen(
    {
      id: 'self-uid-map',
      title: 'uid 0 here is another uid outside',
      group: 1,
      gain: 'files and processes of the host that belong to root',
      attempt: 'read(2) of /proc/self/uid_map',
      rule: 'kernel/user_namespace.c map_id_down()',
      references: [attack('T1611'), kubernetes('KEP-127')],
    },
    (view) => mapOnly(view, 'uidMap'),
  ),
  seen(
    {
      id: 'self-gid-map',
      title: 'gid 0 here is another gid outside',
      group: 1,
      gain: 'what the group of root may do on the host',
      attempt: 'read(2) of /proc/self/gid_map',
      rule: 'kernel/user_namespace.c map_id_down()',
      references: [attack('T1611'), kubernetes('KEP-127')],
    },
    (view) => mapOnly(view, 'gidMap'),
  ),
  seen(
    {
      id: 'self-host-root-is-nobody',
      title: "a file of the host's root is shown as nobody's",
      group: 1,
      gain: 'the map says one thing and the kernel another',
      attempt: "stat(2) of /proc/sys/kernel/core_pattern, which belongs to the host's root whatever is mounted over it",
      rule: 'fs/stat.c from_kuid_munged(): an owner without a name here is shown as overflowuid',
      references: [nist('3.4.3')],
    },
    ({kernelFileOwner, overflowUid}) => {
      if (kernelFileOwner === undefined)
        return {outcome: 'not-possible', reason: 'the file is not there: /proc is hidden'};
      const evidence = {owner: String(kernelFileOwner)};
      return kernelFileOwner === overflowUid
        ? works(`its owner is shown as ${kernelFileOwner}`, evidence)
        : broken(`its owner is shown as ${kernelFileOwner}: the host's root has a name here`, evidence);
    },
  ),
  seen(
    {
      id: 'self-capabilities',
      title: 'capabilities count for nothing outside',
      group: 3,
      gain: 'mounts, modules, raw disks: whatever the capability allows',
      attempt: 'CapEff and CapBnd of /proc/self/status, and whose namespace they are over',
      rule: 'security/commoncap.c cap_capable(): a capability holds in its own user namespace and those below',
      references: [attack('T1611'), docker('5.4')],
    },
    (view) => {
      const {effective, bounding} = view;
      const evidence = {effective: [...effective].join(' ') || '(none)', bounding: `${bounding.size} capabilities`};
      if (hasOwnNamespace(view))
        return works(`${effective.size} capabilities, over our own user namespace alone`, evidence);
      const strong = [...effective].filter((name) => powerful.has(name));
      return strong.length > 0
        ? broken(`over the whole host: ${strong.join(', ')}`, evidence)
        : works(`over the host, but none that gives it away: ${effective.size} capabilities`, evidence);
    },
  ),
  seen(
    {
      id: 'self-kernel-files',
      title: 'files of the kernel that run programs as root cannot be written',
      group: 3,
      gain: "a program of ours, run by the kernel as the host's root",
      attempt: 'access(2), and no write, of core_pattern, modprobe, sysrq-trigger and uevent_helper',
      rule: 'fs/proc/proc_sysctl.c sysctl_perm(): the owner is the root of the initial namespace',
      references: [attack('T1611')],
    },
    ({writableKernelFiles: files}) =>
      files.length === 0 ? works('none of them may be written') : broken(`may be written: ${files.join(', ')}`),
  ),
  seen(
    {
      id: 'self-runtime-sockets',
      title: 'no socket of a container runtime can be used',
      group: 2,
      gain: "a container that has the host's root file system, from whoever listens there",
      attempt: 'access(2) of the sockets of docker, containerd, CRI-O and podman in their usual places',
      rule: 'net/unix/af_unix.c unix_find_bsd(): connecting needs write permission',
      references: [attack('T1610'), docker('5.32')],
    },
    ({sockets}) => {
      const usable = sockets.filter((each) => each.usable);
      if (usable.length > 0) return broken(`may be used: ${usable.map(({path}) => path).join(', ')}`);
      return works(
        sockets.length === 0 ? 'none is there' : `there, and closed to us: ${sockets.map(({path}) => path).join(', ')}`,
      );
    },
  ),
  seen(
    {
      id: 'self-disks',
      title: 'no disk can be read',
      group: 2,
      gain: 'every file of the host, past all permissions',
      attempt: 'access(2) of the block devices in /dev',
      rule: 'fs/namei.c generic_permission()',
      references: [attack('T1006'), docker('5.18')],
    },
    ({disks}) =>
      disks.length === 0 ? works('none may be read') : broken(`may be read: ${disks.slice(0, 8).join(', ')}`),
  ),
  seen(
    {
      id: 'self-host-namespaces',
      title: 'no namespace is shared with the host',
      group: 4,
      gain: 'processes, names and message queues of the host',
      attempt: 'inodes of /proc/self/ns; the first of each kind has a fixed number',
      rule: 'include/linux/proc_ns.h PROC_*_INIT_INO',
      references: [docker('5.16'), docker('5.17'), docker('5.21')],
    },
    ({namespaces}) => {
      const shared = ['pid', 'ipc', 'uts', 'cgroup'].filter((type) => namespaces[type] === initial[type]);
      const evidence = Object.fromEntries(
        Object.entries(namespaces).map(([type, inode]) => [type, `${type}:[${inode}]`]),
      );
      return shared.length === 0
        ? works('pid, ipc, uts and cgroup are our own; of mnt and net that cannot be told from inside', evidence)
        : broken(`the host's: ${shared.join(', ')}`, evidence);
    },
  ),
  seen(
    {
      id: 'self-seccomp',
      title: 'a seccomp filter keeps system calls from the kernel',
      group: 8,
      gain: 'the whole kernel is in reach, with whatever is wrong in it',
      attempt: 'Seccomp and NoNewPrivs of /proc/self/status, and the label of an LSM',
      rule: 'kernel/seccomp.c; a user namespace does not do this',
      references: [nist('3.5.2')],
    },
    ({seccomp, noNewPrivs, label}) => ({
      outcome: 'by-design',
      reason: `${seccomp === 0 ? 'no filter' : seccomp === 2 ? 'a filter' : 'strict mode'}, no_new_privs ${noNewPrivs ? 'set' : 'not set'}, ${label === undefined ? 'no LSM confines us' : `LSM label ${label}`}. A user namespace stops no system call`,
    }),
  ),
];

/** Over the host these give it away. Source: capabilities(7). */
const powerful = new Set<string>([
  'CAP_SYS_ADMIN',
  'CAP_SYS_MODULE',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RAWIO',
  'CAP_DAC_READ_SEARCH',
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_SYS_BOOT',
  'CAP_NET_ADMIN',
]);

export {selfFacts};

/** What a process can tell of its own container: read only, without any right. Run by `--target self`. */
export const selfChecks: readonly Check[] = selfFacts.map(({check}) => check);
