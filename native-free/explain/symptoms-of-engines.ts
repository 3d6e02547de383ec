import type {Symptom} from './symptom.ts';

/** Messages of OCI runtimes, podman, buildah, Docker and rootlesskit. */
export const symptomsOfEngines: readonly Symptom[] = [
  // runc
  {
    source: 'runc',
    example: 'fork/exec /proc/self/exe: invalid argument',
    pattern: /fork\/exec \S+: invalid argument/i,
    causes: ['block-touches-last-id', 'idmap-past-last-id', 'grant-overlaps-itself'],
  },
  {
    source: 'runc',
    example: 'fork/exec /proc/self/exe: no space left on device',
    pattern: /fork\/exec \S+: no space left on device/i,
    causes: ['userns-limit', 'userns-nesting'],
  },
  {
    source: 'runc',
    example: 'fork/exec /proc/self/exe: operation not permitted',
    pattern: /fork\/exec \S+: operation not permitted/i,
    causes: ['userns-apparmor', 'userns-sysctl', 'seccomp-filter', 'creator-unmapped', 'userns-chroot'],
  },
  {
    source: 'runc',
    example: 'nsexec[1]: failed to unshare user namespace: Operation not permitted',
    pattern: /failed to unshare (?:user|remaining) namespaces?(?:[^:]*): operation not permitted/i,
    causes: ['userns-apparmor', 'seccomp-filter', 'userns-sysctl', 'userns-chroot', 'creator-unmapped'],
  },
  {
    source: 'runc',
    example: 'error mounting "proc" to rootfs at "/proc": mount src=proc, dst=/proc: operation not permitted',
    pattern: /mount(?:ing)? "proc" to (?:rootfs|")[^\n]*operation not permitted/i,
    causes: ['proc-masked', 'proc-other-pid-namespace'],
  },
  {
    source: 'runc',
    example: 'error mounting "sysfs" to rootfs at "/sys": mount src=sysfs, dst=/sys: operation not permitted',
    pattern: /mount(?:ing)? "sysfs" to (?:rootfs|")[^\n]*operation not permitted/i,
    causes: ['sysfs-other-net-namespace', 'privileged-with-hostusers', 'sysfs-masked'],
  },
  {
    source: 'runc',
    example:
      "failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/x/volumes/y: invalid argument (maybe the source filesystem doesn't support idmap mounts on this kernel?)",
    pattern: /failed to set MOUNT_ATTR_IDMAP(?: on (?<path>[^:\s]+))?: invalid argument/i,
    causes: ['idmap-unsupported', 'idmap-network-file-system'],
  },
  {
    source: 'runc',
    example: 'failed to set MOUNT_ATTR_IDMAP on /data: operation not permitted',
    pattern: /MOUNT_ATTR_IDMAP(?: on (?<path>[^:\s]+))?: operation not permitted/i,
    causes: ['idmap-not-ours'],
  },
  {
    source: 'runc',
    example: 'rootless containers require user namespaces',
    pattern: /rootless containers? requires? user ?namespaces/i,
    causes: ['namespace-needs-userns'],
  },
  {
    source: 'runc',
    example: 'unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: permission denied',
    pattern:
      /(?:unable to apply cgroup configuration|(?:mkdir|openat2?|open|write) \/sys\/fs\/cgroup\/\S*)[^\n]*permission denied/i,
    causes: ['cgroup-not-delegated', 'mount-cgroup-v1'],
  },
  {
    source: 'runc',
    example: 'write /proc/self/oom_score_adj: permission denied',
    pattern: /oom_score_adj[^\n]*permission denied/i,
    causes: ['oom-score-floor', 'kubelet-in-userns'],
  },
  {
    source: 'runc',
    example: 'unable to join session keyring: create session key: disk quota exceeded',
    pattern: /session key(?:ring)?[^\n]*disk quota exceeded/i,
    causes: ['key-budget'],
  },
  {
    source: 'runc',
    example: 'exec user process caused: exec format error',
    pattern: /exec format error/i,
    causes: ['other-architecture'],
  },
  {
    source: 'runc',
    example: 'exec: "/app/run": stat /app/run: no such file or directory',
    pattern:
      /exec: "(?<path>(?!new[ug]idmap|getsubids|getent)[^"]+)":[^\n]*(?:no such file or directory|executable file not found in \$PATH)/i,
    causes: ['no-program'],
  },
  {
    source: 'runc',
    example: 'exec: "/app/run": permission denied',
    pattern: /exec: "(?<path>[^"]+)": permission denied/i,
    causes: ['no-exec', 'parent-closed'],
  },
  // crun
  {
    source: 'crun',
    example: 'crun: writing file `/proc/1234/gid_map`: Operation not permitted: OCI permission denied',
    pattern: /writing file [`'"]?\/proc\/[^/\s]+\/[ug]id_map[`'"]?: operation not permitted/i,
    causes: ['map-relative-to-outer', 'idmap-parent-unmapped', 'idmap-setid-capability', 'userns-apparmor'],
  },
  {
    source: 'crun',
    example: 'crun: mount `proc` to `proc`: Operation not permitted: OCI permission denied',
    pattern: /mount [`'"]proc[`'"] to [`'"]\/?proc[`'"]: operation not permitted/i,
    causes: ['proc-masked', 'proc-other-pid-namespace'],
  },
  {
    source: 'crun',
    example: 'crun: mount `sysfs` to `sys`: Operation not permitted: OCI permission denied',
    pattern: /mount [`'"]sysfs[`'"] to [`'"]\/?sys[`'"]: operation not permitted/i,
    causes: ['sysfs-other-net-namespace', 'sysfs-masked'],
  },
  {
    source: 'crun',
    example: 'target not under the directory rootfs',
    pattern: /target not under the directory rootfs/i,
    causes: ['parent-closed'],
  },
  {
    source: 'crun',
    example: 'crun: cannot setresgid: Invalid argument',
    pattern: /(?:cannot )?set(?:res)?[ug]id[^\n]{0,40}: invalid argument/i,
    causes: ['id-unmapped'],
  },
  {
    source: 'crun',
    example: 'crun: open `/home/anna/rootfs`: Permission denied: OCI permission denied',
    pattern: /(?:open|stat|make|chdir to) [`'"](?<path>\/[^`'"]*)[`'"]: permission denied: OCI permission denied/i,
    causes: ['parent-closed', 'owner-unmapped'],
  },
  {
    source: 'crun',
    example: 'opening file `/sys/fs/cgroup/x/cgroup.procs` for writing: Permission denied',
    pattern: /cgroup\.procs[`'"]?(?: for writing)?: permission denied/i,
    causes: ['cgroup-not-delegated', 'mount-cgroup-v1'],
  },
  {
    source: 'crun',
    example: 'opening file `cpu.max` for writing: No such file or directory',
    pattern: /\b(?:cpu\.max|cpu\.weight|io\.max|memory\.max|cpuset\.cpus)\b[^\n]*no such file or directory/i,
    causes: ['cgroup-controller-missing'],
  },
  // podman and buildah
  {
    source: 'podman and buildah',
    example:
      'cannot set up namespace using "/usr/bin/newuidmap": should have setuid or have filecaps setuid: exit status 1',
    pattern: /should have setuid or have filecaps set[ug]id/i,
    causes: ['helper-unprivileged', 'helper-nosuid', 'no-new-privs', 'helper-foreign-owner', 'helper-bounding-set'],
  },
  {
    source: 'podman and buildah',
    example: 'No subuid ranges found for user "vagrant" in /etc/subuid',
    pattern:
      /no sub(?:uid|gid|ordinate)? ?(?:ids|ranges) found for (?:user|group) "?(?<user>[^"\s]+)"?(?: in (?<file>\/\S*))?/i,
    causes: ['subid-none', 'subid-owner-without-account', 'subid-line-unread'],
  },
  {
    source: 'podman and buildah',
    example:
      'potentially insufficient UIDs or GIDs available in user namespace (requested 1516583083:0 for /app): Check /etc/subuid and /etc/subgid: lchown /app: invalid argument',
    pattern: /potentially insufficient UIDs or GIDs available in user namespace(?: \(requested (?<id>\d+:\d+))?/i,
    causes: ['image-id-outside-map', 'stale-outer-namespace', 'subid-none'],
  },
  {
    source: 'podman and buildah',
    example: 'lchown /app/node_modules/x: invalid argument',
    pattern: /l?chown (?<path>\/[^:\n]*): invalid argument/i,
    causes: ['image-id-outside-map', 'id-unmapped'],
  },
  {
    source: 'podman and buildah',
    example: 'cannot re-exec process to join the existing user namespace',
    pattern: /cannot re-exec process(?: to join the existing user namespace)?/i,
    causes: ['stale-outer-namespace', 'userns-apparmor', 'helper-unprivileged'],
  },
  {
    source: 'podman and buildah',
    example: 'cannot clone: Operation not permitted',
    pattern: /cannot clone: operation not permitted/i,
    causes: ['userns-apparmor', 'userns-sysctl', 'seccomp-filter', 'userns-chroot'],
  },
  {
    source: 'podman and buildah',
    example: 'cannot clone: No space left on device',
    pattern: /cannot clone: no space left on device/i,
    causes: ['userns-limit', 'userns-nesting'],
  },
  {
    source: 'podman and buildah',
    example: 'user namespaces are not enabled in /proc/sys/user/max_user_namespaces',
    pattern: /user namespaces are not enabled(?: in \/proc\/sys\/user\/max_user_namespaces)?/i,
    causes: ['userns-limit', 'userns-not-built'],
  },
  {
    source: 'podman and buildah',
    example: 'writing file `/proc/self/gid_map`: Operation not permitted',
    pattern: /\/gid_map[`'"]?: operation not permitted/i,
    causes: ['idmap-setid-capability', 'map-relative-to-outer', 'userns-apparmor'],
  },
  {
    source: 'podman and buildah',
    example: 'rootless overlay is not supported: kernel does not support overlay mounts in user namespaces',
    pattern:
      /(?:native|rootless|kernel)[^\n]*(?:does not support|not supported)[^\n]*overlay|overlay[^\n]*is not supported[^\n]*(?:rootless|user namespace)/i,
    causes: ['overlay-in-userns', 'chowning-layers'],
  },
  // Docker and rootlesskit
  {
    source: 'Docker and rootlesskit',
    example: 'container ID 6553600 cannot be mapped to a host ID',
    pattern: /container ID (?<id>\d+) cannot be mapped to a host ID/i,
    causes: ['image-id-outside-map'],
  },
  {
    source: 'Docker and rootlesskit',
    example: '[rootlesskit:parent] error: failed to setup UID/GID map: newuidmap 4242 [0 1000 1 1 100000 65536] failed',
    pattern: /failed to set ?up UID\/GID map/i,
    causes: ['subid-range-not-granted', 'helper-unprivileged', 'grant-overlaps-itself', 'subid-none'],
  },
  {
    source: 'Docker and rootlesskit',
    example: 'failed to share mount point: /: permission denied',
    pattern: /failed to share mount point[^\n]*permission denied/i,
    causes: ['apparmor-profile', 'userns-apparmor'],
  },
  {
    source: 'Docker and rootlesskit',
    example: 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    pattern: /permission denied[^\n]*docker(?:\.sock| daemon socket)|docker\.sock[^\n]*permission denied/i,
    causes: ['socket-owner-unmapped', 'groups-dropped'],
  },
];
