import type {Cause} from './cause.ts';

const lookAtGrants = ['subroot ids --conflicts', 'subroot doctor --problems'] as const;

/** Who is granted which ids: /etc/subuid, newuidmap's policy, pools of a kubelet. Source: shadow src/newuidmap.c, lib/subordinateio.c; kubelet pkg/kubelet/userns. */
export const causesOfIds = {
  'block-touches-last-id': {
    layer: 'allocator',
    why: 'the block that this pod was given ends at 4294967295, which is (uid_t)-1 and never an id: the kernel refuses its map with EINVAL, and a kubelet draws that block about once in 65535 pods',
    mend: 'delete the pod, so that it is given another block; for good, give account kubelet a range that ends below: `kubelet:65536:7208960` in /etc/subuid and /etc/subgid',
    look: ['grep -h . /var/lib/kubelet/pods/*/userns', 'subroot ids --conflicts'],
  },
  'range-past-32-bits': {
    layer: 'subordinate ids',
    why: 'a range goes past 2^32: 32-bit arithmetic wraps it to id 0, and the kernel takes a wrapped map for granted when root writes it, so that somebody inside IS root of the host',
    mend: 'shorten the range so that first + count is at most 4294967295, and look at what runs on ids of it',
    look: lookAtGrants,
  },
  'pool-exhausted': {
    layer: 'allocator',
    why: 'every block of the pool is taken: each pod wants 65536 ids of its own',
    mend: 'remove pods that are done, or give a larger range: CRI-O and podman take it from account containers, a kubelet from account kubelet, subroot from yours',
    look: ['subroot ids', 'getsubids containers; getsubids kubelet'],
  },
  'pool-narrowed': {
    layer: 'kubelet',
    why: 'a pod that was started earlier has ids outside of the range that account kubelet has now ({id|its record says which}): the kubelet refuses to start over it',
    mend: 'give the old range back, or drain the node and remove the folders of those pods below /var/lib/kubelet/pods first',
    look: ['grep -H hostId /var/lib/kubelet/pods/*/userns', 'getsubids kubelet'],
  },
  'pool-shape': {
    layer: 'kubelet',
    why: "the range of account kubelet is not what a kubelet takes: one range, the same for uids and gids, in whole blocks of 65536 from 65536 up, with at least as many blocks as the node's maxPods",
    mend: 'write `kubelet:65536:7208960` into /etc/subuid and /etc/subgid (110 pods), and no other line of kubelet',
    look: ['getsubids kubelet; getsubids -g kubelet', 'subroot doctor --problems'],
  },
  'nss-tool-missing': {
    layer: 'subordinate ids',
    why: '{tool|getsubids} is not installed (or not on the PATH of the service): without getsubids a kubelet with an account kubelet does not start, without getent it does not see the account and silently takes the default pool',
    mend: 'install both: `apt-get install uidmap libc-bin` (Debian, Ubuntu), `dnf install shadow-utils-subid glibc-common` (Fedora)',
    look: ['command -v getsubids getent', 'subroot doctor --problems'],
  },
  'subid-none': {
    layer: 'subordinate ids',
    why: 'user {user|who runs this} has no line in {file|/etc/subuid and /etc/subgid}: accounts made without useradd (LDAP, systemd-homed, CI images) or as system accounts get none',
    mend: 'add a range that nobody else has: `subroot doctor` computes one and prints the usermod line',
    look: ['getsubids "$(id -un)"', 'subroot doctor --problems'],
  },
  'subid-owner-without-account': {
    layer: 'subordinate ids',
    why: 'the line is there, and its owner {user|of the line} has no account: shadow 4.20 and later finds no range then',
    mend: 'create the account: `useradd --system --no-create-home {user|NAME}`',
    look: ['getent passwd {user|NAME}', 'subroot ids --conflicts'],
  },
  'subid-line-unread': {
    layer: 'subordinate ids',
    why: 'the line is there, and newuidmap does not read it: a space, a sign, a comment behind it, a carriage return or a missing field makes it no line at all',
    mend: 'write it as NAME:FIRST:COUNT in plain decimal; `subroot doctor` names the line and the fault',
    look: ['subroot doctor --problems', 'cat -A /etc/subuid'],
  },
  'subid-file-refused': {
    layer: 'subordinate ids',
    why: 'the file does not end with a newline: shadow 4.20 refuses the whole file then, for everybody; 4.13 read it',
    mend: 'as root: `echo >> {file|/etc/subuid}`',
    look: ['tail -c1 /etc/subuid | od -c', 'tail -c1 /etc/subgid | od -c'],
  },
  'subid-range-not-granted': {
    layer: 'newuidmap policy',
    why: 'the ids that were asked for {outside|} are not within lines of the caller: newuidmap and newgidmap grant only what /etc/subuid and /etc/subgid (each its own file) have for the caller, and his own id',
    mend: 'ask for ids of your own lines, or add these as root when nobody else has them: `usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST USER`',
    look: ['getsubids "$(id -un)"; getsubids -g "$(id -un)"', 'subroot ids --conflicts'],
  },
  'subid-overflow': {
    layer: 'newuidmap policy',
    why: 'a number is negative, or the range goes past 4294967294: newuidmap checks that before it looks at any grant (it reads 010 as octal and 0x10 as hexadecimal)',
    mend: 'give plain decimal numbers whose end is at most 4294967294',
    look: ['subroot map --check --map "INSIDE OUTSIDE COUNT"'],
  },
  'map-target-foreign': {
    layer: 'newuidmap policy',
    why: "the process is not the caller's: newuidmap wants real uid, the account's uid and the owner of /proc/PID to be one, and the same for gids; a caller whose group is not that of his account is refused too, and so is root for somebody else's process",
    mend: "call it as the process's own user, with that user's own group (`newgrp -`); root writes uid_map itself",
    look: ['id', 'stat -c "%u %g" /proc/{pid|PID}', 'getent passwd "$(id -u)"'],
  },
  'caller-without-account': {
    layer: 'newuidmap policy',
    why: 'newuidmap asks the passwd database for its caller first, and this uid has no account',
    mend: 'as root: `useradd --uid UID --no-create-home NAME`, or run it as a user that has one',
    look: ['getent passwd "$(id -u)"'],
  },
  'map-target-gone': {
    layer: 'newuidmap policy',
    why: 'there is no such process any more: it ended before its maps were written (it says why itself, further up), or the pid is that of another pid namespace',
    mend: 'look at what the process said before it ended',
    look: ['subroot doctor --problems'],
  },
  'helper-missing': {
    layer: 'newuidmap policy',
    why: 'newuidmap and newgidmap are not installed: only they may map more than one id for a user who is not root',
    mend: '`apt-get install uidmap` (Debian, Ubuntu), `dnf install shadow-utils` (Fedora), `apk add shadow-uidmap` (Alpine)',
    look: ['command -v newuidmap newgidmap'],
  },
  'helper-unprivileged': {
    layer: 'newuidmap policy',
    why: 'newuidmap has lost its privilege: no setuid bit and no file capability (a copied image layer, a package manager in a home folder, a restored backup), so the kernel refuses its write',
    mend: 'reinstall it (`apt-get install --reinstall uidmap`, `dnf reinstall shadow-utils`), or as root `chown root /usr/bin/newuidmap /usr/bin/newgidmap && chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap`',
    look: [
      'stat -c "%A %U %n" "$(command -v newuidmap)" "$(command -v newgidmap)"',
      'getcap "$(command -v newuidmap)"',
    ],
  },
  'helper-nosuid': {
    layer: 'newuidmap policy',
    why: 'newuidmap is on a mount with nosuid: its setuid bit and file capabilities do not count there',
    mend: 'install it on another file system, or as root remount that one with suid',
    look: ['findmnt -T "$(command -v newuidmap)" -o TARGET,OPTIONS'],
  },
  'helper-foreign-owner': {
    layer: 'newuidmap policy',
    why: "newuidmap belongs to an id that this user namespace does not have (the host's file seen from inside a container): its setuid bit is ignored",
    mend: "install it in the image, so that it belongs to the container's own root",
    look: ['stat -c "%u %g %A" "$(command -v newuidmap)"', 'cat /proc/self/uid_map'],
  },
  'no-new-privs': {
    layer: 'newuidmap policy',
    why: 'no_new_privs is set on the caller: newuidmap, sudo and su gain nothing from their setuid bits',
    mend: 'start it without: systemd `NoNewPrivileges=no`, Docker without `--security-opt no-new-privileges`, a pod with `allowPrivilegeEscalation: true`',
    look: ['grep NoNewPrivs /proc/self/status'],
  },
  'helper-bounding-set': {
    layer: 'newuidmap policy',
    why: 'the bounding set lacks CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN or CAP_DAC_OVERRIDE: a setuid-root newuidmap is then root without what it needs to write the map',
    mend: 'give them back: `--cap-add` for a container, CapabilityBoundingSet= for a service',
    look: ['grep CapBnd /proc/self/status'],
  },
  'stale-outer-namespace': {
    layer: 'container engine',
    why: 'a process that podman keeps between calls (the pause process) still has the map of the old grant, and new containers join it',
    mend: '`podman system migrate` (it stops your containers), then try again',
    look: ['subroot doctor --problems', 'podman unshare cat /proc/self/uid_map'],
  },
  'grant-overlaps-itself': {
    layer: 'subordinate ids',
    why: 'two lines of the same user overlap, and a tool that hands all of them to newuidmap asks for the same ids twice: EINVAL',
    mend: 'remove the line that repeats another one',
    look: lookAtGrants,
  },
  'map-relative-to-outer': {
    layer: 'container engine',
    why: "rootless maps are counted twice: the outside ids of --uidmap are ids of podman's own (intermediate) namespace, where 0 is you and 1 is the first id of your grant, not ids of the host",
    mend: 'count from the intermediate namespace: `podman unshare cat /proc/self/uid_map` shows it, `subroot map --map OUTER --map INNER ID` translates through both',
    look: ['podman unshare cat /proc/self/uid_map'],
  },
  'map-flag-order': {
    layer: 'program',
    why: 'unshare --map-users takes OUTER,INNER,COUNT with commas in util-linux 2.38, and INNER:OUTER:COUNT with colons since 2.39: the same words mean another map, or none',
    mend: 'write it as `unshare --help` of this machine says, and look at the map afterwards',
    look: ['unshare --version', 'unshare --help | grep map-users'],
  },
} as const satisfies Record<string, Cause>;
