import type {Cause} from './cause.ts';

/** Why a mount is refused. Source: fs/namespace.c mount_too_revealing(), can_idmap_mount(); fs/proc/root.c; fs/sysfs/mount.c; fs/overlayfs, 6.18. */
export const causesOfMounts = {
  'proc-masked': {
    layer: 'container',
    why: 'a new proc needs one in this mount namespace with nothing mounted over it: engines and GPU hooks cover parts of /proc (masked and read-only paths), and then the kernel refuses another one',
    mend: 'start the outer container with an unmasked /proc (`procMount: Unmasked` with `hostUsers: false`, `--security-opt unmask=ALL`, `--security-opt systempaths=unconfined`), or bind the old /proc',
    look: ['grep " /proc" /proc/self/mountinfo', 'subroot doctor --problems'],
  },
  'proc-other-pid-namespace': {
    layer: 'kernel',
    why: 'a new proc shows the pid namespace, and that belongs to another user namespace (it is the host’s or that of the outer container)',
    mend: 'make a pid namespace too, and mount proc from a child in it: `unshare --user --map-root-user --pid --fork --mount-proc`',
    look: ['readlink /proc/self/ns/pid /proc/self/ns/user'],
  },
  'sysfs-other-net-namespace': {
    layer: 'kernel',
    why: 'a new sysfs shows the net namespace, and that belongs to another user namespace: host network, or a “privileged” sandbox that was made outside of the pod’s user namespace',
    mend: 'give it a net namespace of its own (no hostNetwork, not privileged together with hostUsers: false), or bind the old /sys read-only',
    look: ['readlink /proc/self/ns/net /proc/self/ns/user'],
  },
  'sysfs-masked': {
    layer: 'container',
    why: 'a new sysfs needs one in this mount namespace with nothing mounted over it, and there is none',
    mend: 'start the outer container with a /sys of its own and unmasked, or bind the old one',
    look: ['grep " /sys" /proc/self/mountinfo', 'subroot doctor --problems'],
  },
  'mqueue-other-ipc-namespace': {
    layer: 'kernel',
    why: 'mqueue shows the ipc namespace, and that belongs to another user namespace',
    mend: 'make an ipc namespace too',
    look: ['readlink /proc/self/ns/ipc /proc/self/ns/user'],
  },
  'cgroup-other-namespace': {
    layer: 'kernel',
    why: 'a cgroup file system is mounted for the cgroup namespace, and that belongs to another user namespace',
    mend: 'make a cgroup namespace too, or bind /sys/fs/cgroup',
    look: ['readlink /proc/self/ns/cgroup /proc/self/ns/user'],
  },
  'mount-namespace-foreign': {
    layer: 'kernel',
    why: 'mounting needs CAP_SYS_ADMIN over the user namespace that owns the MOUNT namespace: with a user namespace of its own and the mount namespace of somebody else there is none',
    mend: 'make a mount namespace with the user namespace (`unshare --user --map-root-user --mount`), or be root there',
    look: ['readlink /proc/self/ns/mnt /proc/self/ns/user', 'grep CapEff /proc/self/status'],
  },
  'mount-file-system-of-host': {
    layer: 'kernel',
    why: 'file systems on block devices (ext4, xfs, btrfs, squashfs, erofs …), devtmpfs, debugfs, securityfs, hugetlbfs and nfs are mounted by root of the machine only: a user namespace gets proc, sysfs, tmpfs, ramfs, devpts, mqueue, cgroup, overlay and fuse',
    mend: 'mount it on the host and bind it in, or use fuse (squashfuse, fuse2fs)',
    look: ['grep -v nodev /proc/filesystems'],
  },
  'mount-locked': {
    layer: 'kernel',
    why: 'mounts that came with the mount namespace from a namespace above are locked: they cannot be unmounted, moved, or bound one by one out of a tree with others below it (EINVAL)',
    mend: 'bind the whole tree (`mount --rbind`), or mount something over it',
    look: ['cat /proc/self/mountinfo'],
  },
  'mount-flags-locked': {
    layer: 'kernel',
    why: 'ro, nosuid, nodev, noexec and atime flags of an inherited mount are locked: a remount may add to them and must repeat all that are there',
    mend: 'repeat every flag that /proc/self/mountinfo shows for it, as `mount -o remount,bind,ro,nosuid,nodev`',
    look: ['findmnt -T PATH -o TARGET,OPTIONS'],
  },
  'idmap-unsupported': {
    layer: 'file system',
    why: 'the file system of {path|that path} cannot be mounted with shifted ids on this kernel: ext4, xfs, btrfs, tmpfs (6.3), erofs, squashfs can; overlay itself, nfs, ramfs, ext2, proc, sysfs and fuse without its server’s consent cannot',
    mend: 'put the data on a file system that can, or run a newer kernel (Linux 6.3 at least); without it the files must be chowned to the block of the pod',
    look: ['subroot doctor --mounts', 'findmnt -T {path|PATH} -o TARGET,FSTYPE', 'uname -r'],
  },
  'idmap-network-file-system': {
    layer: 'file system',
    why: 'an NFS client cannot shift ids: a pod with a user namespace and an NFS volume does not start, or sees nobody:nogroup',
    mend: 'there is no way around it today: leave `hostUsers: true` for that pod, or put the data elsewhere',
    look: ['findmnt -t nfs,nfs4,cifs,9p', 'subroot doctor --mounts'],
  },
  'idmap-not-ours': {
    layer: 'kernel',
    why: 'shifting the ids of a mount needs CAP_SYS_ADMIN over the user namespace that owns the FILE SYSTEM: a file system of the host is shifted by root of the host only (EPERM). A mount that is shifted already gives EPERM too',
    mend: 'let root of the host make it, or shift a tmpfs of your own with a namespace below yours',
    look: ['cat /proc/self/uid_map', 'grep idmapped /proc/self/mountinfo'],
  },
  'idmap-fault': {
    layer: 'kernel',
    why: 'the mount is attached already (it must be a clone that is nowhere yet), the user namespace has no uid_map or no gid_map, or it is the one that owns the file system itself (EINVAL)',
    mend: 'clone it with open_tree(2), set the ids of that clone, then attach it with move_mount(2), with a namespace whose maps are both written',
    look: ['cat /proc/PID/uid_map /proc/PID/gid_map'],
  },
  'snapshotter-no-idmap': {
    layer: 'container engine',
    why: 'containerd’s snapshotter {snapshotter|overlayfs} finds no idmapped mounts for its layers here (overlay on them needs Linux 5.19), and chowning every layer is off by default',
    mend: 'run Linux 6.3 or later and keep /var/lib/containerd on ext4, xfs or btrfs; or set `slow_chown = true` for the snapshotter, which copies the image for each pod',
    look: ['uname -r', 'findmnt -T /var/lib/containerd', 'subroot doctor --mounts'],
  },
  'overlay-unmapped-owner': {
    layer: 'file system',
    why: 'the file in the lower layer belongs to an id that this user namespace does not have, and copying it up would have to store such an owner: EOVERFLOW',
    mend: 'use an idmapped mount of the image as lower layer, or chown the image to the ids of the pod',
    look: ['stat -c "%u %g %n" FILE', 'cat /proc/self/uid_map'],
  },
  'overlay-opaque': {
    layer: 'file system',
    why: 'overlay in a user namespace without the option userxattr cannot mark a folder opaque (trusted.* is not for it): making a folder anew where the lower layer had one fails with EIO',
    mend: 'mount the overlay with `userxattr`',
    look: ['findmnt -t overlay -o TARGET,OPTIONS'],
  },
  'overlay-in-userns': {
    layer: 'kernel',
    why: 'overlay in a user namespace needs Linux 5.11, an upper layer that is not overlay itself and can hold user.* attributes, and no redirect_dir=on or metacopy=on',
    mend: 'keep upper and work folder on tmpfs, ext4, xfs or btrfs, leave those options out, or use fuse-overlayfs',
    look: ['dmesg | tail', 'findmnt -T UPPERDIR -o FSTYPE'],
  },
  'mount-option-unmapped': {
    layer: 'kernel',
    why: 'an option names an id that the user namespace does not have: gid=5 of devpts, uid= and gid= of tmpfs, user_id= of fuse',
    mend: 'leave it out, or name an id of the map (in a map of one id that is 0)',
    look: ['cat /proc/self/gid_map'],
  },
  'mknod-in-userns': {
    layer: 'kernel',
    why: 'device nodes are made by root of the machine only: mknod of a block or character device fails in every user namespace, with CAP_MKNOD too',
    mend: 'bind the node of the host (`mount --bind /dev/null …`), as runtimes do',
    look: ['cat /proc/self/uid_map'],
  },
  'device-on-nodev': {
    layer: 'kernel',
    why: 'a device node on a file system that a user namespace mounted (its tmpfs, its overlay), or on a mount with nodev, cannot be opened',
    mend: 'bind the node of the host from a mount without nodev',
    look: ['findmnt -T PATH -o TARGET,OPTIONS'],
  },
  'mount-source-missing': {
    layer: 'file system',
    why: '{path|what is mounted, or the place where it goes,} is not there',
    mend: 'make it, or correct the path',
    look: ['ls -ld {path|PATH}'],
  },
  'mount-cgroup-v1': {
    layer: 'cgroup',
    why: 'this machine has cgroup v1 or both versions, and a user namespace is given only what is delegated to it',
    mend: 'boot with `systemd.unified_cgroup_hierarchy=1`, or go without limits',
    look: ['stat -fc %T /sys/fs/cgroup', 'subroot doctor --problems'],
  },
} as const satisfies Record<string, Cause>;
