import type {Symptom} from './symptom.ts';

/** Messages of newuidmap, unshare, nsenter, bubblewrap, browsers, systemd and LXC. */
export const symptomsOfTools: readonly Symptom[] = [
  // newuidmap and getsubids
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: uid range [0-65536) -> [600000-665536) not allowed',
    pattern: /new[ug]idmap: [ug]id range \[\S+\) -> (?<outside>\[\S+\)) not allowed/i,
    causes: ['subid-range-not-granted', 'subid-none', 'subid-line-unread', 'subid-owner-without-account'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: write to uid_map failed: Operation not permitted',
    pattern: /new[ug]idmap: write to [ug]id_map failed: operation not permitted/i,
    causes: [
      'helper-unprivileged',
      'helper-nosuid',
      'no-new-privs',
      'userns-apparmor',
      'helper-foreign-owner',
      'helper-bounding-set',
      'idmap-already-written',
      'idmap-parent-unmapped',
    ],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: write to uid_map failed: Invalid argument',
    pattern: /new[ug]idmap: write to [ug]id_map failed: invalid argument/i,
    causes: [
      'grant-overlaps-itself',
      'idmap-overlap',
      'idmap-too-many-extents',
      'idmap-too-long',
      'idmap-past-last-id',
    ],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: open of uid_map failed: Permission denied',
    pattern: /new[ug]idmap: open of [ug]id_map failed: permission denied/i,
    causes: ['idmap-open-owner', 'helper-bounding-set', 'helper-foreign-owner', 'apparmor-profile'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: open of uid_map failed: Read-only file system',
    pattern: /open of [ug]id_map failed: read-only file system/i,
    causes: ['idmap-open-read-only'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: subuid overflow detected.',
    pattern: /new[ug]idmap: sub[ug]id overflow detected/i,
    causes: ['subid-overflow', 'range-past-32-bits'],
  },
  {
    source: 'newuidmap and getsubids',
    example:
      'newuidmap: Target process 4242 is owned by a different user: uid:1000 pw_uid:1000 st_uid:0, gid:1000 pw_gid:1000 st_gid:0',
    pattern: /new[ug]idmap: Target (?:process )?(?<pid>\d+)? ?is owned by a different user/i,
    causes: ['map-target-foreign'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: Could not open proc directory for target 4242',
    pattern: /Could not open proc directory for target (?<pid>\d+)/i,
    causes: ['map-target-gone'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'newuidmap: Cannot determine your user name.',
    pattern: /Cannot determine your user name/i,
    causes: ['caller-without-account'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'Non-text file /etc/subuid, cannot open',
    pattern: /Non-text file(?:[^\n]*?(?<file>\/\S*sub[ug]id))?/i,
    causes: ['subid-file-refused'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'Error fetching ranges',
    pattern: /Error fetching ranges/i,
    causes: ['subid-none', 'subid-owner-without-account', 'subid-line-unread', 'subid-file-refused'],
  },
  {
    source: 'newuidmap and getsubids',
    example: 'exec: "newuidmap": executable file not found in $PATH',
    pattern: /"?new[ug]idmap"?: (?:executable file not found|command not found|not found|No such file or directory)/i,
    causes: ['helper-missing'],
  },
  // unshare, nsenter, setpriv
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: write failed /proc/self/uid_map: Operation not permitted',
    pattern: /write failed \/proc\/self\/[ug]id_map: operation not permitted/i,
    causes: ['userns-apparmor', 'idmap-setid-capability', 'idmap-already-written', 'seccomp-filter'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: write failed /proc/self/uid_map: Invalid argument',
    pattern: /write failed \/proc\/self\/[ug]id_map: invalid argument/i,
    causes: ['map-flag-order', 'idmap-overlap', 'idmap-past-last-id', 'idmap-offset'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: write failed /proc/self/setgroups: Permission denied',
    pattern: /write failed \/proc\/self\/setgroups: (?:permission denied|operation not permitted)/i,
    causes: ['setgroups-after-gid-map', 'setgroups-denied', 'userns-apparmor', 'setgroups-open-sys-admin'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: unshare failed: Operation not permitted',
    pattern: /unshare failed: operation not permitted/i,
    causes: [
      'namespace-needs-userns',
      'seccomp-filter',
      'userns-sysctl',
      'userns-apparmor',
      'userns-chroot',
      'creator-unmapped',
    ],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: unshare failed: No space left on device',
    pattern: /unshare failed: no space left on device/i,
    causes: ['userns-limit', 'userns-nesting'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: unshare failed: Invalid argument',
    pattern: /unshare failed: invalid argument/i,
    causes: ['userns-not-built', 'many-threads'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: mount /proc failed: Operation not permitted',
    pattern: /mount \/proc failed: operation not permitted/i,
    causes: ['proc-masked', 'proc-other-pid-namespace'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: cannot change root filesystem propagation: Permission denied',
    pattern: /cannot change root filesystem propagation: (?:permission denied|operation not permitted)/i,
    causes: ['apparmor-profile', 'userns-apparmor', 'mount-namespace-foreign', 'seccomp-filter'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: could not parse ID: 0:400000:65536',
    pattern: /could not parse ID/i,
    causes: ['map-flag-order'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'unshare: no line matching user "anna" in /etc/subuid',
    pattern: /no line matching user "(?<user>[^"]*)" in (?<file>\/\S+)/i,
    causes: ['subid-none', 'subid-owner-without-account', 'subid-line-unread'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'nsenter: setgroups failed: Operation not permitted',
    pattern: /setgroups failed: operation not permitted/i,
    causes: ['setgroups-denied'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'setpriv: setresuid failed: Operation not permitted',
    pattern: /setresuid failed: operation not permitted/i,
    causes: ['exec-while-unmapped', 'userns-apparmor'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: "nsenter: reassociate to namespace 'ns/user' failed: Operation not permitted",
    pattern: /reassociate to namespaces?[^\n]* failed: operation not permitted/i,
    causes: ['join-no-power'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: "nsenter: reassociate to namespace 'ns/user' failed: Invalid argument",
    pattern: /reassociate to namespaces?[^\n]* failed: invalid argument/i,
    causes: ['join-own', 'many-threads'],
  },
  {
    source: 'unshare, nsenter and setpriv',
    example: 'mount: drop permissions failed.',
    pattern: /mount: drop permissions failed/i,
    causes: ['exec-while-unmapped'],
  },
  // bubblewrap and browsers
  {
    source: 'bubblewrap and browsers',
    example: 'bwrap: setting up uid map: Permission denied',
    pattern: /setting up [ug]id map: (?:permission denied|operation not permitted)/i,
    causes: ['userns-apparmor', 'apparmor-profile', 'idmap-open-owner'],
  },
  {
    source: 'bubblewrap and browsers',
    example: 'bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted',
    pattern: /loopback: Failed RTM_NEW(?:ADDR|LINK): operation not permitted/i,
    causes: ['userns-apparmor'],
  },
  {
    source: 'bubblewrap and browsers',
    example:
      'bwrap: No permissions to create a new namespace, likely because the kernel does not allow non-privileged user namespaces',
    pattern: /No permissions to create (?:a )?new namespace/i,
    causes: ['userns-sysctl', 'seccomp-filter', 'userns-apparmor', 'userns-chroot'],
  },
  {
    source: 'bubblewrap and browsers',
    example: 'bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)',
    pattern:
      /Creating new namespace failed:[^\n]*(?:ENOSPC|no space left on device|max_\*_namespaces)|unshare user ns: no space left on device/i,
    causes: ['userns-limit', 'userns-nesting'],
  },
  {
    source: 'bubblewrap and browsers',
    example: 'bwrap: Creating new namespace failed, likely because the kernel does not support user namespaces.',
    pattern: /Creating new namespace failed, likely because the kernel does not support user namespaces/i,
    causes: ['userns-not-built', 'many-threads'],
  },
  {
    source: 'bubblewrap and browsers',
    example: "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
    pattern: /Can't mount proc on \S+: operation not permitted/i,
    causes: ['proc-masked', 'proc-other-pid-namespace'],
  },
  {
    source: 'bubblewrap and browsers',
    example: 'No usable sandbox!',
    pattern: /No usable sandbox!/i,
    causes: ['userns-apparmor', 'chromium-sandbox', 'userns-sysctl', 'userns-limit', 'seccomp-filter'],
  },
  // systemd and LXC
  {
    source: 'systemd and LXC',
    example: 'Failed to set up user namespacing: Operation not permitted',
    pattern: /Failed to set up user namespacing[^:\n]*: operation not permitted/i,
    causes: ['userns-apparmor', 'seccomp-filter', 'userns-sysctl', 'creator-unmapped'],
  },
  {
    source: 'systemd and LXC',
    example: 'Main process exited, code=exited, status=226/NAMESPACE',
    pattern: /(?:status=226\/NAMESPACE|Failed (?:at step NAMESPACE|to set up mount namespacing))/i,
    causes: ['apparmor-profile', 'seccomp-filter', 'namespace-needs-userns', 'mount-source-missing'],
  },
  {
    source: 'systemd and LXC',
    example: 'Failed to mount proc on /proc (MS_NOSUID|MS_NODEV|MS_NOEXEC ""): Operation not permitted',
    pattern: /Failed to mount proc (?:\(type proc\) )?on \S+[^\n]*: operation not permitted/i,
    causes: ['proc-masked', 'proc-other-pid-namespace'],
  },
  {
    source: 'systemd and LXC',
    example: 'Operation not permitted - Failed to clone a new set of namespaces',
    pattern: /operation not permitted - Failed to clone a new set of namespaces/i,
    causes: ['userns-sysctl', 'seccomp-filter', 'userns-apparmor', 'userns-chroot'],
  },
  {
    source: 'systemd and LXC',
    example: 'Failed to create /user.slice/session.scope control group: Permission denied',
    pattern: /Failed to create (?:\S+ )?(?:control group|compat systemd cgroup)[^\n]*permission denied/i,
    causes: ['cgroup-not-delegated', 'mount-cgroup-v1'],
  },
];
