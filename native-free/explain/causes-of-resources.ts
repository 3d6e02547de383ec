import type {Cause} from './cause.ts';

/** Budgets, cgroups and settings. Source: kernel/ucount.c inc_ucount(); kernel/cgroup; net/ipv4/ping.c; fs/proc/base.c, 6.18. */
export const causesOfResources = {
  'inotify-budget': {
    layer: 'kernel limit',
    why: 'inotify instances and watches are counted per uid of the HOST, and again for whoever created the user namespace: containers on one range, or made by one uid, share one budget (128 instances by default)',
    mend: 'as root: `sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`, and give each pod ids of its own, made by its own first id (mode host of subroot does)',
    look: ['sysctl fs.inotify', 'subroot doctor --problems'],
  },
  'process-budget': {
    layer: 'kernel limit',
    why: 'the number of processes is limited: RLIMIT_NPROC counts per uid of the host across all containers, pids.max per cgroup, kernel.pid_max and kernel.threads-max for the machine',
    mend: 'raise the limit that is reached (`ulimit -u`, `--pids-limit`, TasksMax=), and give containers ids of their own',
    look: [
      'ulimit -u',
      'cat /sys/fs/cgroup/$(sed -n s/^0:://p /proc/self/cgroup)/pids.max',
      'subroot doctor --problems',
    ],
  },
  'pids-cgroup': {
    layer: 'cgroup',
    why: 'the pids controller of the cgroup has reached pids.max',
    mend: 'raise it (`--pids-limit`, TasksMax=, podPidsLimit of the kubelet), or find what forks without end',
    look: ['cat /sys/fs/cgroup/*/pids.max'],
  },
  'open-files': {
    layer: 'kernel limit',
    why: 'the process has as many descriptors open as RLIMIT_NOFILE lets it (or inotify instances as its uid may have, which fails with the same words)',
    mend: '`ulimit -n` higher; for watchers raise fs.inotify.max_user_instances',
    look: ['ulimit -n', 'sysctl fs.inotify fs.file-nr'],
  },
  'key-budget': {
    layer: 'kernel limit',
    why: 'the quota of keyrings is reached (kernel.keys.maxkeys, 200 for each uid): every container makes a session keyring',
    mend: 'as root: `sysctl -w kernel.keys.maxkeys=2000 kernel.keys.maxbytes=2000000`, or let the engine make none (`--no-new-keyring` of runc)',
    look: ['cat /proc/key-users', 'sysctl kernel.keys.maxkeys'],
  },
  'pty-budget': {
    layer: 'kernel limit',
    why: 'no pseudo-terminal is left (kernel.pty.max), or /dev/ptmx is not the one of the devpts that is mounted there',
    mend: 'as root: `sysctl -w kernel.pty.max=8192`; in a container mount devpts with `newinstance,ptmxmode=0666` and link /dev/ptmx to pts/ptmx',
    look: ['sysctl kernel.pty', 'ls -l /dev/ptmx /dev/pts/ptmx'],
  },
  'mount-budget': {
    layer: 'kernel limit',
    why: 'the mount namespace has as many mounts as fs.mount-max lets it',
    mend: 'unmount what is left over, or as root `sysctl -w fs.mount-max=200000`',
    look: ['wc -l /proc/self/mountinfo', 'sysctl fs.mount-max'],
  },
  'cgroup-not-delegated': {
    layer: 'cgroup',
    why: 'the cgroup folder is not the caller’s to write: without delegation nobody but root makes cgroups, and moving a process asks for write permission on the common ancestor too',
    mend: 'start it in a scope of its own (`systemd-run --user --scope -p Delegate=yes …`); for cpu and io add `Delegate=cpu cpuset io memory pids` to user@.service',
    look: [
      'cat /proc/self/cgroup',
      'cat /sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service/cgroup.controllers',
      'subroot doctor --problems',
    ],
  },
  'cgroup-controller-missing': {
    layer: 'cgroup',
    why: 'the controller is not enabled for that cgroup, or lives in the v1 hierarchy',
    mend: 'enable it above (`echo +cpu > cgroup.subtree_control`, `Delegate=cpu …`), and boot with cgroup v2 alone',
    look: ['cat /sys/fs/cgroup/cgroup.controllers', 'cat /proc/self/cgroup'],
  },
  'ping-group-range': {
    layer: 'kernel limit',
    why: 'ping sockets are for the groups in net.ipv4.ping_group_range, which is for each net namespace and starts as `1 0`: nobody',
    mend: 'in the pod: `sysctl -w net.ipv4.ping_group_range="0 65535"` (securityContext.sysctls; it is a safe one), or give ping CAP_NET_RAW',
    look: ['sysctl net.ipv4.ping_group_range'],
  },
  'ping-range-unmapped': {
    layer: 'kernel',
    why: 'both ends of net.ipv4.ping_group_range must be gids of the map: 0 2147483647 is not in a user namespace of 65536 ids',
    mend: 'write `0 65535`, or `0 0` in a map of one id',
    look: ['cat /proc/self/gid_map'],
  },
  'oom-score-floor': {
    layer: 'kernel limit',
    why: 'oom_score_adj cannot be lowered below what was inherited without CAP_SYS_RESOURCE in the INITIAL user namespace',
    mend: 'ask for a score that is not below the one of the starter, or start it from a service with OOMScoreAdjust=',
    look: ['cat /proc/self/oom_score_adj'],
  },
  'rlimit-hard': {
    layer: 'kernel limit',
    why: 'a hard limit is raised only with CAP_SYS_RESOURCE in the INITIAL user namespace',
    mend: 'raise it before the container starts (`ulimit -H`, LimitNOFILE=), and ask for no more inside',
    look: ['ulimit -H -a'],
  },
  'sysctl-of-host': {
    layer: 'kernel',
    why: 'that sysctl is of the whole machine: in a pod only those of its own net, ipc, pid, uts and user namespaces can be written',
    mend: 'set it on the host',
    look: ['ls -l /proc/sys/{path|PATH}'],
  },
  'sysctl-missing': {
    layer: 'kernel',
    why: 'this kernel has no such sysctl: kernel.unprivileged_userns_clone is of Debian, kernel.apparmor_restrict_unprivileged_userns of Ubuntu. Where it is not there it is not in the way either',
    mend: 'leave it out, and look for what is in the way: `subroot doctor`',
    look: ['subroot doctor --problems'],
  },
  'memory-short': {
    layer: 'kernel limit',
    why: 'no memory is left for it, or RLIMIT_MEMLOCK is reached',
    mend: 'free memory, or raise the limit (`ulimit -l`)',
    look: ['free -m', 'ulimit -l'],
  },
  'seccomp-not-built': {
    layer: 'seccomp',
    why: 'this kernel takes no seccomp filter, or does not know one of the flags of the profile',
    mend: 'use a kernel with CONFIG_SECCOMP_FILTER, or leave out seccompProfile (type Unconfined)',
    look: ['grep Seccomp: /proc/self/status', 'cat /proc/sys/kernel/seccomp/actions_avail'],
  },
  'seccomp-needs-privilege': {
    layer: 'seccomp',
    why: 'a filter is taken from who has CAP_SYS_ADMIN in the pod, or has set no_new_privs',
    mend: 'set allowPrivilegeEscalation to false, or leave out seccompProfile (type Unconfined)',
    look: ['grep -E "NoNewPrivs|CapEff" /proc/self/status'],
  },
  'call-unknown': {
    layer: 'kernel',
    why: 'this kernel does not know the call (or a seccomp filter says so): idmapped mounts need Linux 5.12',
    mend: 'run a newer kernel: Debian 12, Ubuntu 22.04 and RHEL 9 have one',
    look: ['uname -r', 'grep Seccomp: /proc/self/status'],
  },
} as const satisfies Record<string, Cause>;
