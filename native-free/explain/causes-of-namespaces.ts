import type {Cause} from './cause.ts';

/** Why a namespace is not made or joined. Source: kernel/user_namespace.c create_user_ns(), userns_install(); kernel/nsproxy.c; kernel/ucount.c, 6.18. */
export const causesOfNamespaces = {
  'userns-limit': {
    layer: 'kernel limit',
    why: 'user.max_user_namespaces (or the limit of another kind of namespace) is reached or 0, here or in a user namespace above: ENOSPC is about that and not about the disk',
    mend: 'as root: `sysctl -w user.max_user_namespaces=65536` (and a file in /etc/sysctl.d to keep it), or end what holds namespaces',
    look: ['sysctl user.max_user_namespaces', 'subroot doctor --problems', 'lsns -t user'],
  },
  'userns-nesting': {
    layer: 'kernel limit',
    why: 'user namespaces are nested 33 deep, pid namespaces 32: one more is ENOSPC (EUSERS before Linux 4.9)',
    mend: 'start fewer containers inside containers',
    look: ['lsns -t user --tree'],
  },
  'userns-sysctl': {
    layer: 'kernel limit',
    why: 'kernel.unprivileged_userns_clone is 0: users who are not root may not make user namespaces. Only kernels of Debian and some others have this switch',
    mend: 'as root: `sysctl -w kernel.unprivileged_userns_clone=1`, where it exists; or run it as root',
    look: ['cat /proc/sys/kernel/unprivileged_userns_clone'],
  },
  'userns-apparmor': {
    layer: 'LSM',
    why: 'kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu 23.10 and later): the namespace is made, and whoever has no profile with the rule "userns," gets it without capabilities, so that the next thing fails: writing the map, setgid, mount, bringing lo up',
    mend: 'load an AppArmor profile with "userns," for that one program (`subroot doctor` prints one for ours); only if that cannot be, as root `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, which weakens the whole machine',
    look: [
      'sysctl kernel.apparmor_restrict_unprivileged_userns',
      'dmesg | grep apparmor=',
      'cat /proc/self/attr/current',
    ],
  },
  'apparmor-profile': {
    layer: 'LSM',
    why: 'the process runs under an AppArmor profile that denies mounts or capabilities in user namespaces: children of unshare(1) under unshare-userns-restrict (Ubuntu 25.04), unprivileged_userns, or a container profile',
    mend: 'start it by another program than unshare(1), or outside of that profile (`--security-opt apparmor=unconfined` for a container)',
    look: ['cat /proc/self/attr/current', 'dmesg | grep apparmor='],
  },
  'userns-selinux': {
    layer: 'LSM',
    why: 'the SELinux policy does not let this domain create user namespaces (class user_namespace, Linux 6.1)',
    mend: 'see which rule is missing with `ausearch -m avc -ts recent | audit2allow`, and load it for this domain',
    look: ['getenforce', 'ausearch -m avc -ts recent'],
  },
  'seccomp-filter': {
    layer: 'seccomp',
    why: 'a seccomp filter answers EPERM (or ENOSYS) to the call: the usual profile of containers forbids unshare, setns, clone with new namespaces and mount to who lacks CAP_SYS_ADMIN, and systemd does so with RestrictNamespaces= or SystemCallFilter=',
    mend: 'start the outer container with a profile that allows them (`--security-opt seccomp=unconfined`, in a pod `seccompProfile: {type: Unconfined}`), or run it on the host',
    look: ['grep Seccomp: /proc/self/status'],
  },
  'userns-chroot': {
    layer: 'kernel',
    why: 'the process is in a chroot: no user namespace can be made where / is not the root of the mount namespace (EPERM)',
    mend: 'enter that root with pivot_root(2) in a mount namespace of its own instead of chroot',
    look: ['subroot doctor --problems', 'grep " / / " /proc/self/mountinfo'],
  },
  'creator-unmapped': {
    layer: 'kernel',
    why: 'the uid or gid of the process has no name in the user namespace it is in: who is unmapped (65534) makes no further user namespace (EPERM)',
    mend: 'write uid_map AND gid_map of the level above first, and take an id that they have',
    look: ['id', 'cat /proc/self/uid_map /proc/self/gid_map'],
  },
  'many-threads': {
    layer: 'kernel',
    why: 'a process with several threads, or one that shares its file system attributes, may not make or join a user namespace, nor join a mount namespace (EINVAL)',
    mend: 'do it in a child with one thread (fork first); that is why runtimes have a small program of their own for it',
    look: ['grep Threads /proc/PID/status'],
  },
  'userns-not-built': {
    layer: 'kernel',
    why: 'this kernel is built without that kind of namespace',
    mend: 'run a kernel with CONFIG_USER_NS (and PID_NS, NET_NS, …)',
    look: ['ls /proc/self/ns', 'subroot doctor --problems'],
  },
  'join-own': {
    layer: 'kernel',
    why: 'a process cannot join the user namespace that it is in already',
    mend: 'leave it out, and join the other kinds only',
    look: ['readlink /proc/self/ns/user /proc/PID/ns/user'],
  },
  'join-no-power': {
    layer: 'kernel',
    why: 'joining needs CAP_SYS_ADMIN over the user namespace that owns what is joined, and in the own one: the owner of a user namespace and root above it have that, a sibling or somebody inside does not, and nobody goes back up',
    mend: 'join the user namespace first and the others after it, as its owner or as root of the machine',
    look: ['readlink /proc/self/ns/user /proc/PID/ns/user', 'subroot map --pid PID'],
  },
  'namespace-needs-userns': {
    layer: 'kernel',
    why: 'a mount, pid, net, ipc, uts or cgroup namespace needs CAP_SYS_ADMIN; who is not root gets it only by making a user namespace in the same call or before',
    mend: 'make the user namespace with it: `unshare --user --map-root-user --mount …`',
    look: ['grep CapEff /proc/self/status'],
  },
  'exec-while-unmapped': {
    layer: 'kernel',
    why: 'the program was started before the maps were written: exec with an unmapped id drops every capability, and the process stays 65534',
    mend: 'write the maps before exec, or enter it anew: `nsenter --user --setuid 0 --setgid 0 --target PID`',
    look: ['grep -E "^(Uid|CapEff)" /proc/PID/status'],
  },
  'initial-namespace': {
    layer: 'kernel',
    why: 'that is the initial user namespace of a machine: inode 4026531837 is the same number on every Linux, and the map 0 0 4294967295 is the identity. Whoever shows it runs WITHOUT a user namespace',
    mend: 'if that is in a pod, its hostUsers: false was not honoured; compare with /proc/self/uid_map of a real one, as `0 3210805248 65536`',
    look: ['cat /proc/self/uid_map', 'readlink /proc/self/ns/user'],
  },
  'host-power-missing': {
    layer: 'kernel',
    why: 'this belongs to the whole machine (clock, kernel modules, swap, a device, a process or setting of the host), and asks for a capability in the INITIAL user namespace: root of a user namespace has none there',
    mend: 'nothing is broken: do it on the host, or give that one workload no user namespace (`hostUsers: true`)',
    look: ['cat /proc/self/uid_map', 'grep CapEff /proc/self/status'],
  },
  'kill-foreign': {
    layer: 'kernel',
    why: "a signal goes to processes of the same uid on the host, or below one's own user namespace: the target belongs to another pod, to the host, or to a namespace above",
    mend: 'send it from the namespace above, as the owner or as root',
    look: ['grep ^Uid /proc/PID/status', 'subroot map --pid PID'],
  },
  'ptrace-foreign': {
    layer: 'kernel',
    why: 'looking into a process (ptrace, environ, root, ns links) needs the same ids and no more capabilities in the same user namespace, or CAP_SYS_PTRACE over it; a process that is not dumpable refuses even its owner',
    mend: 'look from the namespace above, or as its owner from there',
    look: ['sysctl kernel.yama.ptrace_scope', 'grep ^Uid /proc/PID/status'],
  },
  'yama-ptrace': {
    layer: 'LSM',
    why: 'kernel.yama.ptrace_scope restricts attaching: 1 to children, 2 to CAP_SYS_PTRACE, 3 to nobody',
    mend: 'start the program under the tracer, or as root `sysctl -w kernel.yama.ptrace_scope=1`',
    look: ['sysctl kernel.yama.ptrace_scope'],
  },
  'chromium-sandbox': {
    layer: 'LSM',
    why: 'Chromium makes a user namespace for its sandbox and cannot',
    mend: 'let it make one (a profile with "userns,", or the limit raised); --no-sandbox hides this and takes the protection away',
    look: ['sysctl kernel.apparmor_restrict_unprivileged_userns user.max_user_namespaces', 'subroot doctor --problems'],
  },
} as const satisfies Record<string, Cause>;
