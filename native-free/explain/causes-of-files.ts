import type {Cause} from './cause.ts';

/** Why a file, an owner or a program is refused. Source: fs/namei.c generic_permission(), kernel/capability.c privileged_wrt_inode_uidgid(), 6.18. */
export const causesOfFiles = {
  'id-unmapped': {
    layer: 'kernel',
    why: 'the id {id|that is asked for} has no place in the id map of this user namespace: chown, setuid, setgid, setgroups and mount options with it fail with EINVAL. A pod of 65536 ids ends at 65535, a map of one id has only 0',
    mend: 'use an id of the map, or a larger map',
    look: ['cat /proc/self/uid_map /proc/self/gid_map', 'subroot map --pod POD {id|ID}'],
  },
  'image-id-outside-map': {
    layer: 'image',
    why: 'a file of the image belongs to id {id|which} outside of the map (npm tarballs and LDAP accounts have such): it cannot be unpacked for this user namespace',
    mend: 'rebuild the image with `chown` to ids below 65536 (`tar --numeric-owner`, `npm install` as root), or map more ids: a larger grant in /etc/subuid and /etc/subgid and then `podman system migrate`',
    look: [
      'find ROOTFS -xdev \\( -uid +65535 -o -gid +65535 \\) -printf "%U %G %p\\n"',
      'podman unshare cat /proc/self/uid_map',
    ],
  },
  'owner-unmapped': {
    layer: 'file permissions',
    why: 'the file belongs to an id that the pod does not have: it is shown as nobody (65534), and root of the pod has no power over it (CAP_DAC_OVERRIDE counts only where owner AND group are in the map), so that only the bits for others count',
    mend: 'mount the volume with shifted ids (idmapped: `:U` or `idmap` in podman, hostPath of subroot in mode host), or chown it to the host ids of the pod',
    look: ['subroot explain PATH --pod POD', 'stat -c "%u %g %A %n" PATH', 'cat /proc/self/uid_map'],
  },
  'owner-without-place': {
    layer: 'file system',
    why: 'the mount shifts ids, and the owner or group on disk is beyond the ids that it shifts: it shows as nobody, cannot be written, and changing or removing it fails with EOVERFLOW, even for root of the host',
    mend: 'on the host, not through that mount: `chown` it to an id that is shifted (0 to 65535 for a pod of 65536 ids)',
    look: ['subroot explain PATH --pod POD', 'stat -c "%u %g %n" PATH', 'grep idmapped /proc/self/mountinfo'],
  },
  'host-owned-file': {
    layer: 'kernel',
    why: 'only the owner may change mode, owner, times or attributes, and the owner has no id in this user namespace; in a folder with the sticky bit the same holds for removing',
    mend: 'do it on the host, or mount the folder with shifted ids',
    look: ['subroot explain PATH --pod POD', 'stat -c "%u %g %A %n" PATH'],
  },
  'parent-closed': {
    layer: 'file permissions',
    why: 'a folder above {path|it} has no x for others: the root of the container is somebody else on the host and cannot pass (a home of mode 0700, an external disk, a folder that is open to one group only)',
    mend: '`chmod o+x` the folder that blocks, or keep the files elsewhere; `subroot explain PATH --map MAP` names the first one',
    look: ['namei -l {path|PATH}', 'subroot explain {path|PATH} --map "0 100000 65536"'],
  },
  'mode-bits': {
    layer: 'file permissions',
    why: 'the mode bits or the ACL do not allow it to this user',
    mend: 'change them as the owner (`chmod`, `setfacl`), or run as the user who may',
    look: ['namei -l {path|PATH}', 'getfacl {path|PATH}', 'id'],
  },
  'read-only': {
    layer: 'file system',
    why: 'the mount, or the file system, is read-only: images and system folders of a container usually are',
    mend: 'write to a volume (emptyDir, a tmpfs), or mount it read-write',
    look: ['findmnt -T {path|PATH} -o TARGET,OPTIONS'],
  },
  'proc-sys-read-only': {
    layer: 'container',
    why: '/proc/sys is mounted read-only in this container',
    mend: 'set it for the pod (`securityContext.sysctls`, `--sysctl`), or on the host',
    look: ['findmnt -T /proc/sys -o TARGET,OPTIONS'],
  },
  'no-exec': {
    layer: 'file permissions',
    why: 'the program is on a mount with noexec, has no x bit for this user, or is no regular file',
    mend: '`chmod +x` it as its owner, start it through its interpreter, or move it to a mount without noexec',
    look: ['findmnt -T {path|PATH} -o TARGET,OPTIONS', 'ls -l {path|PATH}'],
  },
  'no-program': {
    layer: 'container',
    why: 'there is no such program in the image, or its interpreter or loader (the path behind #! or of ld-linux) is not there',
    mend: 'name a program of the image by its full path; a program that is linked to libraries needs them in the image too',
    look: ['subroot exec POD ls -l {path|PATH}'],
  },
  'other-architecture': {
    layer: 'image',
    why: 'the program is of another processor architecture, or a script without a #! line',
    mend: 'take the image of this architecture, or start the script through its interpreter',
    look: ['uname -m', 'file {path|PATH}'],
  },
  'store-unmapped-owner': {
    layer: 'file system',
    why: 'a new file would get an owner that the file system cannot hold: root of the host, or an id outside of the map, writes into a tmpfs or overlay of a pod, or through an idmapped mount that has no place for it (EOVERFLOW)',
    mend: 'write as an id of the map: from inside the pod, or with its host ids',
    look: ['cat /proc/PID/uid_map', 'grep -E "idmapped|tmpfs|overlay" /proc/self/mountinfo'],
  },
  'setuid-ignored': {
    layer: 'kernel',
    why: 'a setuid or setgid bit counts only where owner AND group of the file are in the map, the mount has no nosuid and no_new_privs is not set: else the program runs as whoever started it',
    mend: "let the program belong to the container's root (in the image, or by an idmapped mount of it)",
    look: ['stat -c "%u %g %A %n" "$(command -v sudo)"', 'grep NoNewPrivs /proc/self/status', 'cat /proc/self/uid_map'],
  },
  'groups-dropped': {
    layer: 'kernel',
    why: 'the access came from a supplementary group of the caller, and that group has no id in the map: it shows as 65534 (nogroup) and is lost at the first setgroups(2)',
    mend: 'give the files to a group of the map, map that one gid through, or keep the caller’s groups (`--group-add keep-groups` with crun), which lets the container use them on the host',
    look: ['id -G', 'cat /proc/self/gid_map'],
  },
  'range-changed': {
    layer: 'allocator',
    why: 'the files were chowned to the ids of an earlier container, and this one was given others: automatic ranges do not stay the same',
    mend: 'give it a fixed range, chown again at start (`:U`), or use idmapped mounts, which leave the owners on disk alone',
    look: ['stat -c "%u %g %n" PATH', 'subroot ids'],
  },
  'chowning-layers': {
    layer: 'container engine',
    why: 'there is no idmapped overlay here, so the engine copies and chowns every layer for each new id map; that takes minutes, holds the lock of the storage, and doubles the disk',
    mend: 'use one stable map for all containers, fuse-overlayfs, or a kernel and file system with idmapped mounts',
    look: ['podman info --format "{{.Store.GraphDriverName}}"', 'subroot doctor --mounts'],
  },
  'socket-owner-unmapped': {
    layer: 'file permissions',
    why: 'the socket belongs to an id that the container does not have, so that it is nobody’s there; test reapers meet that with rootless engines',
    mend: 'point the client at the socket of the rootless engine, or do without the reaper (TESTCONTAINERS_RYUK_DISABLED=true)',
    look: ['stat -c "%u %g %A %n" /var/run/docker.sock', 'cat /proc/self/uid_map'],
  },
  'file-gone': {
    layer: 'file system',
    why: '{path|the file} is not there, in the root that the program sees',
    mend: 'make it, or correct the path',
    look: ['ls -ld {path|PATH}'],
  },
  'disk-full': {
    layer: 'file system',
    why: 'no space or no inodes are left on that file system, or a quota is reached',
    mend: 'free some',
    look: ['df -h {path|.}; df -i {path|.}'],
  },
} as const satisfies Record<string, Cause>;
