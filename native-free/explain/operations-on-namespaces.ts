import type {Operation} from './operation.ts';

const create = ['unshare', 'clone', 'clone3', 'create', 'make'] as const;

/** Making, mapping and joining namespaces; ids; processes of others. */
export const operationsOnNamespaces: readonly Operation[] = [
  {
    name: 'open uid_map',
    calls: ['open', 'openat', 'openat2'],
    about: /\b(?:uid|gid|projid)_map\b/,
    refusals: {
      EACCES: ['idmap-open-owner', 'helper-bounding-set'],
      EROFS: ['idmap-open-read-only'],
      ENOENT: ['map-target-gone'],
    },
  },
  {
    name: 'open setgroups',
    calls: ['open', 'openat', 'openat2'],
    about: /\bsetgroups\b/,
    refusals: {EACCES: ['setgroups-open-sys-admin'], EROFS: ['idmap-open-read-only']},
  },
  {
    name: 'write uid_map',
    calls: ['write', 'pwrite64', 'writev', 'echo', 'printf'],
    about: /\b(?:uid|gid|projid)_map\b/,
    refusals: {
      EPERM: [
        'idmap-setid-capability',
        'idmap-already-written',
        'idmap-parent-unmapped',
        'idmap-setfcap',
        'idmap-sys-admin',
        'idmap-opener-namespace',
        'idmap-initial-namespace',
        'userns-apparmor',
      ],
      EINVAL: [
        'idmap-syntax',
        'idmap-overlap',
        'idmap-past-last-id',
        'idmap-offset',
        'idmap-invalid-id',
        'idmap-no-ids',
        'idmap-too-many-extents',
        'idmap-too-long',
      ],
      ESPIPE: ['idmap-offset'],
    },
  },
  {
    name: 'write setgroups',
    calls: ['write', 'echo', 'printf'],
    about: /\bsetgroups\b/,
    refusals: {
      EPERM: ['setgroups-after-gid-map', 'setgroups-denied'],
      EINVAL: ['setgroups-word', 'setgroups-offset', 'setgroups-too-long'],
    },
  },
  {
    name: 'newuidmap',
    calls: ['newuidmap', 'newgidmap'],
    refusals: {
      EPERM: [
        'helper-unprivileged',
        'helper-nosuid',
        'no-new-privs',
        'helper-foreign-owner',
        'helper-bounding-set',
        'idmap-already-written',
        'idmap-parent-unmapped',
      ],
      EINVAL: ['grant-overlaps-itself', 'idmap-past-last-id', 'idmap-too-many-extents', 'idmap-too-long'],
      EACCES: ['idmap-open-owner', 'helper-bounding-set'],
      ENOENT: ['helper-missing'],
    },
  },
  {
    name: 'unshare user',
    calls: create,
    about: /\buser\b|userns|NEWUSER/i,
    refusals: {
      EPERM: [
        'seccomp-filter',
        'userns-sysctl',
        'userns-chroot',
        'creator-unmapped',
        'userns-apparmor',
        'userns-selinux',
      ],
      EACCES: ['userns-selinux', 'userns-apparmor'],
      ENOSPC: ['userns-limit', 'userns-nesting'],
      EUSERS: ['userns-nesting', 'userns-limit'],
      EINVAL: ['many-threads', 'userns-not-built'],
      ENOSYS: ['seccomp-filter', 'call-unknown'],
      EAGAIN: ['process-budget', 'pids-cgroup'],
    },
  },
  {
    name: 'unshare mnt',
    calls: ['unshare', 'clone3', 'clone'],
    about: /\b(?:mnt|mount|pid|net|ipc|uts|cgroup|time)\b|NEW(?:NS|PID|NET|IPC|UTS|CGROUP)/i,
    refusals: {
      EPERM: ['namespace-needs-userns', 'userns-apparmor', 'seccomp-filter'],
      ENOSPC: ['userns-limit', 'userns-nesting'],
      EINVAL: ['userns-not-built', 'many-threads'],
      ENOSYS: ['seccomp-filter', 'call-unknown'],
    },
  },
  {
    name: 'unshare',
    calls: ['unshare'],
    refusals: {
      EPERM: [
        'namespace-needs-userns',
        'seccomp-filter',
        'userns-sysctl',
        'userns-apparmor',
        'userns-chroot',
        'creator-unmapped',
      ],
      ENOSPC: ['userns-limit', 'userns-nesting'],
      EINVAL: ['userns-not-built', 'many-threads'],
      ENOSYS: ['seccomp-filter', 'call-unknown'],
    },
  },
  {
    name: 'setns user',
    calls: ['setns', 'nsenter', 'join'],
    about: /\buser\b|NEWUSER/i,
    refusals: {EINVAL: ['join-own', 'many-threads'], EPERM: ['join-no-power'], EACCES: ['ptrace-foreign']},
  },
  {
    name: 'setns',
    calls: ['setns', 'nsenter', 'join'],
    refusals: {
      EINVAL: ['many-threads', 'join-own'],
      EPERM: ['join-no-power', 'seccomp-filter'],
      EACCES: ['ptrace-foreign'],
    },
  },
  {
    name: 'setuid',
    calls: ['setuid', 'setgid', 'setresuid', 'setresgid', 'setreuid', 'setregid', 'seteuid', 'setegid'],
    refusals: {EINVAL: ['id-unmapped'], EPERM: ['exec-while-unmapped', 'userns-apparmor'], EAGAIN: ['process-budget']},
  },
  {
    name: 'setgroups',
    calls: ['setgroups', 'initgroups'],
    refusals: {EPERM: ['setgroups-denied', 'exec-while-unmapped', 'userns-apparmor'], EINVAL: ['id-unmapped']},
  },
  {name: 'kill', calls: ['kill', 'tgkill', 'pidfd_send_signal'], refusals: {EPERM: ['kill-foreign']}},
  {
    name: 'ptrace',
    calls: ['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'strace', 'gdb'],
    refusals: {EPERM: ['ptrace-foreign', 'yama-ptrace', 'seccomp-filter'], EACCES: ['ptrace-foreign']},
  },
  {
    name: 'readlink /proc/1/ns/user',
    calls: ['readlink', 'readlinkat', 'open', 'openat'],
    about: /\/proc\/\d+\/(?:ns|root|cwd|exe|environ|fd|mem|maps)\b/,
    refusals: {EACCES: ['ptrace-foreign'], EPERM: ['ptrace-foreign']},
  },
];
