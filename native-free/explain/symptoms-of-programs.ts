import type {Symptom} from './symptom.ts';

/** Messages of programs that run in a pod, and of the kernel's log. */
export const symptomsOfPrograms: readonly Symptom[] = [
  {
    source: 'Programs in a pod',
    example: "chown: changing ownership of 'x': Invalid argument",
    pattern: /(?:chown|chgrp): (?:changing (?:ownership|group) of )?['‘"]?(?<path>[^'’"\n:]*)['’"]?: invalid argument/i,
    causes: ['id-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: "chown: changing ownership of '/data': Operation not permitted",
    pattern: /(?:chown|chgrp|chmod|touch): [^\n]*: operation not permitted/i,
    causes: ['host-owned-file', 'owner-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: 'tar: app/index.js: Cannot change ownership to uid 1516583083, gid 0: Invalid argument',
    pattern: /Cannot change ownership to uid (?<id>\d+), gid \d+: invalid argument/i,
    causes: ['image-id-outside-map', 'id-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: 'E: setgroups 65534 failed - setgroups (1: Operation not permitted)',
    pattern: /setgroups(?: \d+ failed - setgroups)?(?:\(\))?(?: \(1: |: | failed: )operation not permitted/i,
    causes: ['setgroups-denied'],
  },
  {
    source: 'Programs in a pod',
    example: 'su: cannot set groups: Operation not permitted',
    pattern: /(?:cannot set groups|initgroups|setgid|setgroups): operation not permitted/i,
    causes: ['setgroups-denied', 'exec-while-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: 'setuid: Invalid argument',
    pattern: /\b(?:set(?:e|re|res)?[ug]id|setgroups)(?:\(\S*\))?: invalid argument/i,
    causes: ['id-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: 'sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set',
    pattern: /must be owned by uid 0 and have the setuid bit set|effective uid is not 0/i,
    causes: ['setuid-ignored', 'no-new-privs'],
  },
  {
    source: 'Programs in a pod',
    example: 'drwxr-xr-x 2 nobody nogroup 4096 Nov 27 10:00 data',
    pattern: /^[dlcbps-][rwxsStT-]{9}[.+@]? +\d+ +(?:nobody|65534) +(?:nogroup|nobody|65534)\b/m,
    causes: ['owner-unmapped', 'idmap-network-file-system', 'range-changed'],
  },
  {
    source: 'Programs in a pod',
    example: 'groups=0(root),65534(nogroup)',
    pattern: /groups=[^\n]*\b65534\((?:nogroup|nobody)\)/i,
    causes: ['groups-dropped'],
  },
  {
    source: 'Programs in a pod',
    example: 'mount: /mnt: permission denied.',
    pattern: /mount: (?<path>\S+): permission denied/i,
    causes: [
      'apparmor-profile',
      'mount-file-system-of-host',
      'seccomp-filter',
      'mount-namespace-foreign',
      'mount-flags-locked',
    ],
  },
  {
    source: 'Programs in a pod',
    example: 'mknod: /dev/sda: Operation not permitted',
    pattern: /mknod: [^\n]*: operation not permitted/i,
    causes: ['mknod-in-userns'],
  },
  {
    source: 'Programs in a pod',
    example: 'umount: /proc/sys: not mounted or invalid argument',
    pattern: /umount: [^\n]*(?:invalid argument|must be superuser to unmount)/i,
    causes: ['mount-locked', 'mount-namespace-foreign'],
  },
  {
    source: 'Programs in a pod',
    example: 'ping: socket: Operation not permitted',
    pattern: /ping: (?:socket|icmp open socket)[^\n]*: (?:operation not permitted|permission denied)/i,
    causes: ['ping-group-range'],
  },
  {
    source: 'Programs in a pod',
    example: 'write /proc/sys/net/ipv4/ping_group_range: invalid argument',
    pattern: /ping_group_range[^\n]*invalid argument/i,
    causes: ['ping-range-unmapped'],
  },
  {
    source: 'Programs in a pod',
    example: 'sysctl: cannot stat /proc/sys/kernel/unprivileged_userns_clone: No such file or directory',
    pattern: /cannot stat \/proc\/sys\/(?<path>\S+): no such file or directory/i,
    causes: ['sysctl-missing'],
  },
  {
    source: 'Programs in a pod',
    example: 'sysctl: permission denied on key "vm.max_map_count"',
    pattern:
      /sysctl: (?:permission denied on key|setting key|error setting key)[^\n]*|open \/proc\/sys\/(?<path>[^:\s]+): permission denied/i,
    causes: ['sysctl-of-host', 'proc-sys-read-only'],
  },
  {
    source: 'Programs in a pod',
    example: 'open /proc/sys/net/ipv4/ip_forward: read-only file system',
    pattern: /\/proc\/sys\/[^:\n]*: read-only file system/i,
    causes: ['proc-sys-read-only'],
  },
  {
    source: 'Programs in a pod',
    example: 'failed to create fsnotify watcher: too many open files',
    pattern: /(?:fsnotify|inotify)[^\n]*too many open files/i,
    causes: ['inotify-budget'],
  },
  {
    source: 'Programs in a pod',
    example: 'ENOSPC: System limit for number of file watchers reached',
    pattern: /system limit for number of file watchers reached|inotify[^\n]*no space left on device/i,
    causes: ['inotify-budget'],
  },
  {
    source: 'Programs in a pod',
    example: 'Too many open files',
    pattern: /too many open files(?! in system)/i,
    causes: ['open-files', 'inotify-budget'],
  },
  {
    source: 'Programs in a pod',
    example: 'bash: fork: retry: Resource temporarily unavailable',
    pattern: /\b(?:fork|clone|pthread_create)[^\n]*: resource temporarily unavailable/i,
    causes: ['process-budget', 'pids-cgroup'],
  },
  {
    source: 'Programs in a pod',
    example: 'date: cannot set date: Operation not permitted',
    pattern:
      /(?:cannot set date|clock_settime|settimeofday|adjtimex|init_module|finit_module|swapon failed)[^\n]*: operation not permitted/i,
    causes: ['host-power-missing'],
  },
  {
    source: 'Programs in a pod',
    example: 'user:[4026531837]',
    pattern: /user:\[4026531837\]/,
    causes: ['initial-namespace', 'hostusers-ignored'],
  },
  {
    source: 'Programs in a pod',
    example: '         0          0 4294967295',
    pattern: /^\s*0\s+0\s+4294967295\s*$/m,
    causes: ['initial-namespace', 'hostusers-ignored'],
  },
  {
    source: 'Programs in a pod',
    example: 'Value too large for defined data type',
    pattern: /value too large for (?:defined )?data type/i,
    causes: ['overlay-unmapped-owner', 'store-unmapped-owner'],
  },
  // the kernel log
  {
    source: 'The kernel log',
    example:
      'apparmor="DENIED" operation="userns_create" class="namespace" info="Userns create restricted - failed to find unprivileged_userns profile" error=-13 profile="unconfined"',
    pattern: /apparmor="(?:DENIED|AUDIT)" operation="userns_create"/i,
    causes: ['userns-apparmor'],
  },
  {
    source: 'The kernel log',
    example:
      'apparmor="DENIED" operation="capable" class="cap" profile="unprivileged_userns" capability=21 capname="sys_admin"',
    pattern: /apparmor="DENIED"[^\n]*profile="(?:unprivileged_userns|unshare-userns-restrict|unpriv_\w+)/i,
    causes: ['userns-apparmor', 'apparmor-profile'],
  },
  {
    source: 'The kernel log',
    example:
      'apparmor="DENIED" operation="mount" class="mount" info="failed mntpnt match" error=-13 profile="docker-default" name="/proc/"',
    pattern: /apparmor="DENIED" operation="(?:mount|umount|pivotroot|remount)"/i,
    causes: ['apparmor-profile'],
  },
  {
    source: 'The kernel log',
    example: 'avc:  denied  { create } for  pid=4242 comm="bwrap" tclass=user_namespace permissive=0',
    pattern: /avc:\s+denied[^\n]*tclass=user_namespace/i,
    causes: ['userns-selinux'],
  },
  {
    source: 'The kernel log',
    example:
      'audit: type=1326 audit(1700000000.1:2): auid=1000 comm="unshare" sig=0 arch=c000003e syscall=272 compat=0',
    pattern: /type=(?:1326|SECCOMP)\b[^\n]*syscall=(?:272|56|435|308|165|155|428|442|97|117|268|40|41)\b/i,
    causes: ['seccomp-filter'],
  },
  {
    source: 'The kernel log',
    example: 'cgroup: fork rejected by pids controller in /user.slice/user-1000.slice',
    pattern: /fork rejected by pids controller/i,
    causes: ['pids-cgroup'],
  },
  {
    source: 'The kernel log',
    example: 'overlayfs: failed to set xattr on upper',
    pattern: /overlayfs: failed to (?:set xattr on upper|verify upper root|resolve)/i,
    causes: ['overlay-in-userns', 'overlay-opaque'],
  },
];
