import type {Operation} from './operation.ts';

const mount = ['mount', 'fsmount', 'fsopen', 'fsconfig'] as const;

/** Mounting, shifting ids of mounts, changing roots, device nodes. */
export const operationsOnMounts: readonly Operation[] = [
  {
    name: 'mount idmap',
    calls: ['mount_setattr', 'idmap', 'mount', 'open_tree', 'open_tree_attr'],
    about: /idmap/i,
    refusals: {
      EINVAL: ['idmap-unsupported', 'idmap-fault', 'idmap-network-file-system'],
      EPERM: ['idmap-not-ours', 'seccomp-filter'],
      ENOSYS: ['call-unknown'],
    },
  },
  {
    name: 'mount proc',
    calls: mount,
    about: /\bproc\b/,
    refusals: {
      EPERM: ['proc-masked', 'proc-other-pid-namespace', 'mount-namespace-foreign', 'seccomp-filter'],
      EACCES: ['apparmor-profile'],
    },
  },
  {
    name: 'mount sysfs',
    calls: mount,
    about: /\bsys(?:fs)?\b/,
    refusals: {
      EPERM: ['sysfs-other-net-namespace', 'sysfs-masked', 'privileged-with-hostusers', 'mount-namespace-foreign'],
      EACCES: ['apparmor-profile'],
    },
  },
  {
    name: 'mount mqueue',
    calls: mount,
    about: /\bmqueue\b/,
    refusals: {EPERM: ['mqueue-other-ipc-namespace', 'mount-namespace-foreign'], EACCES: ['apparmor-profile']},
  },
  {
    name: 'mount cgroup2',
    calls: mount,
    about: /\bcgroup2?\b/,
    refusals: {EPERM: ['cgroup-other-namespace', 'mount-namespace-foreign'], EACCES: ['apparmor-profile']},
  },
  {
    name: 'mount overlay',
    calls: mount,
    about: /\boverlay(?:fs)?\b/,
    refusals: {
      EPERM: ['overlay-in-userns', 'mount-namespace-foreign'],
      EINVAL: ['overlay-in-userns'],
      EACCES: ['parent-closed', 'apparmor-profile'],
      ENODEV: ['overlay-in-userns'],
    },
  },
  {
    name: 'mount tmpfs',
    calls: mount,
    about: /\b(?:devpts|tmpfs|ramfs|fuse)\b/,
    refusals: {
      EINVAL: ['mount-option-unmapped'],
      EPERM: ['mount-namespace-foreign', 'seccomp-filter'],
      EACCES: ['apparmor-profile'],
    },
  },
  {
    name: 'mount ext4',
    calls: mount,
    about:
      /\b(?:ext[234]|xfs|btrfs|squashfs|erofs|vfat|nfs4?|cifs|devtmpfs|debugfs|tracefs|securityfs|hugetlbfs|iso9660|\/dev\/\S+)\b/,
    refusals: {
      EPERM: ['mount-file-system-of-host', 'mount-namespace-foreign'],
      EACCES: ['apparmor-profile', 'mount-file-system-of-host'],
    },
  },
  {
    name: 'mount remount',
    calls: ['mount', 'remount', 'mount_setattr'],
    about: /remount|read.?only|\bro\b|nosuid|nodev|noexec/i,
    refusals: {EPERM: ['mount-flags-locked', 'mount-namespace-foreign'], EACCES: ['apparmor-profile']},
  },
  {
    name: 'mount bind',
    calls: ['mount', 'open_tree', 'move_mount', 'bind'],
    about: /\bbind\b|rbind|MS_BIND|CLONE/i,
    refusals: {
      EINVAL: ['mount-locked'],
      EPERM: ['mount-namespace-foreign', 'seccomp-filter'],
      EACCES: ['parent-closed', 'apparmor-profile'],
      ENOENT: ['mount-source-missing'],
      ENOSYS: ['call-unknown'],
      ENOSPC: ['mount-budget'],
    },
  },
  {
    name: 'mount',
    calls: [...mount, 'move_mount', 'open_tree', 'mount_setattr'],
    refusals: {
      EPERM: ['mount-namespace-foreign', 'seccomp-filter', 'mount-flags-locked', 'mount-file-system-of-host'],
      EACCES: ['apparmor-profile', 'parent-closed'],
      EINVAL: ['mount-locked', 'mount-option-unmapped'],
      ENOENT: ['mount-source-missing'],
      ENOSPC: ['mount-budget'],
      ENOSYS: ['call-unknown'],
    },
  },
  {
    name: 'umount',
    calls: ['umount', 'umount2', 'unmount'],
    refusals: {EINVAL: ['mount-locked'], EPERM: ['mount-namespace-foreign', 'mount-locked']},
  },
  {
    name: 'pivot_root',
    calls: ['pivot_root', 'pivot', 'chroot'],
    refusals: {EPERM: ['mount-namespace-foreign', 'seccomp-filter'], EACCES: ['parent-closed']},
  },
  {
    name: 'mknod',
    calls: ['mknod', 'mknodat'],
    refusals: {
      EPERM: ['mknod-in-userns'],
      EACCES: ['owner-unmapped', 'parent-closed'],
      EOVERFLOW: ['store-unmapped-owner'],
    },
  },
];
