import test from 'ava';
import {explainText} from '../../native-free/explain/explain-text.ts';
import {diagnose} from '../../src/doctor/diagnosis.ts';
import type {MachineFacts} from '../../src/doctor/facts.ts';
import {goodRoot, goodUser, liveNamespace, subuidText, withIds} from './doctor-facts.ts';
import {standingCases} from './doctor-standing-cases.ts';

/** What troubles people with user namespaces: what the doctor finds of it on a machine, and what `explain` makes of the message. */
interface Pain {
  readonly id: string;
  readonly what: string;
  /** Ids of findings; or why nothing of it can be seen on a machine. */
  readonly findings: readonly string[] | string;
  /** Messages with the cause that must be among the answers; or why there is no message. */
  readonly messages: readonly (readonly [text: string, cause: string])[] | string;
}

const pains: readonly Pain[] = [
  {
    id: 'last-block',
    what: 'a pod is given the block that holds 4294967295',
    findings: ['kubelet-records', 'range-touches-uint32-max'],
    messages: [['Failed to create pod sandbox: fork/exec /proc/self/exe: invalid argument', 'block-touches-last-id']],
  },
  {
    id: 'wrapped-range',
    what: 'a range past 2^32 wraps to host root',
    findings: ['range-overflows-u32', 'kubelet-range'],
    messages: [['newuidmap: subuid overflow detected.', 'range-past-32-bits']],
  },
  {
    id: 'pool-for-one',
    what: 'the pool holds one pod, and there are two',
    findings: ['subid-size'],
    messages: [
      ['could not find enough available IDs', 'pool-exhausted'],
      ['not enough unused IDs in user namespace', 'pool-exhausted'],
    ],
  },
  {
    id: 'narrowed-pool',
    what: 'older pods have ids outside of the narrowed range',
    findings: ['kubelet-records', 'ledger-records'],
    messages: [['create user namespace manager: record pod mappings: id 626982912 is out of range', 'pool-narrowed']],
  },
  {
    id: 'name-service-tools',
    what: 'getent or getsubids is missing, or another range is used than was written',
    findings: ['nss-tools', 'kubelet-range'],
    messages: [['exec: "getsubids": executable file not found in $PATH', 'nss-tool-missing']],
  },
  {
    id: 'owner-without-account',
    what: 'a line of somebody without an account',
    findings: ['subid-owner-unknown'],
    messages: [
      ['no subuid ranges found for user "containers"', 'subid-owner-without-account'],
      ['Error fetching ranges', 'subid-owner-without-account'],
    ],
  },
  {
    id: 'overlapping-grants',
    what: 'two owners of the same ids, or a range over real accounts',
    findings: [
      'subid-overlap',
      'subid-covers-real-uid',
      'subid-covers-real-gid',
      'subid-pool-collision',
      'pool-overlap',
      'live-namespace-foreign-range',
      'subid-file-owner',
    ],
    messages: 'nothing says anything: the containers act on each other',
  },
  {
    id: 'more-than-a-block',
    what: 'an image or a nested engine needs more than 65536 ids',
    findings: 'what a workload will ask for is in its image',
    messages: [['lchown /x: invalid argument', 'image-id-outside-map']],
  },
  {
    id: 'no-grant',
    what: 'the user has no line at all',
    findings: ['subid-present', 'subid-account'],
    messages: [['No subuid ranges found for user "vagrant" in /etc/subuid', 'subid-none']],
  },
  {
    id: 'old-map-stays',
    what: 'a long-lived process keeps the map of the old grant',
    findings: ['podman-outer-namespace'],
    messages: [['cannot re-exec process to join the existing user namespace', 'stale-outer-namespace']],
  },
  {
    id: 'own-lines-overlap',
    what: 'several lines of one user overlap, or are too many',
    findings: ['subid-own-lines'],
    messages: [['newuidmap: write to uid_map failed: Invalid argument', 'grant-overlaps-itself']],
  },
  {
    id: 'helper-without-privilege',
    what: 'newuidmap lost its setuid bit, or it does not count',
    findings: ['newuidmap', 'newgidmap', 'no-new-privs', 'bounding-set'],
    messages: [
      ['newuidmap: write to uid_map failed: Operation not permitted', 'helper-unprivileged'],
      ['should have setuid or have filecaps setuid', 'helper-nosuid'],
    ],
  },
  {
    id: 'proc-closed',
    what: 'uid_map cannot even be opened',
    findings: ['proc-mount', 'bounding-set'],
    messages: [['newuidmap: open of uid_map failed: Permission denied', 'idmap-open-owner']],
  },
  {
    id: 'setgroups-first',
    what: 'gid_map before setgroups, or groups in a map of one id',
    findings: ['setgroups'],
    messages: [
      ['setgroups failed: Operation not permitted', 'setgroups-denied'],
      ['chown: nobody: Invalid argument', 'id-unmapped'],
      ['writing file `/proc/4242/gid_map`: Operation not permitted', 'idmap-setid-capability'],
    ],
  },
  {
    id: 'map-in-pieces',
    what: 'a shell writes the map line by line',
    findings: 'it is in the words of a script',
    messages: [['write(1</proc/4242/uid_map>, "1 1 1") = -1 EINVAL (Invalid argument)', 'idmap-offset']],
  },
  {
    id: 'map-flag-order',
    what: 'unshare --map-users means two things',
    findings: ['util-linux'],
    messages: [['unshare: could not parse ID', 'map-flag-order']],
  },
  {
    id: 'exec-while-unmapped',
    what: 'a program that was started before the maps were written',
    findings: 'it is in the order of calls of a program',
    messages: [['setpriv: setresuid failed: Operation not permitted', 'exec-while-unmapped']],
  },
  {
    id: 'apparmor',
    what: 'Ubuntu makes user namespaces without capabilities',
    findings: ['apparmor-userns'],
    messages: [
      ['unshare: write failed /proc/self/uid_map: Operation not permitted', 'userns-apparmor'],
      ['No usable sandbox!', 'userns-apparmor'],
    ],
  },
  {
    id: 'apparmor-of-unshare',
    what: 'children of unshare(1) may not mount',
    findings: ['apparmor-label', 'apparmor-userns'],
    messages: [['mount: /mnt: permission denied.', 'apparmor-profile']],
  },
  {
    id: 'namespace-limit',
    what: 'no space left on device, and the disk is empty',
    findings: ['max-user-namespaces', 'namespace-limits'],
    messages: [
      ['bwrap: unshare user ns: No space left on device', 'userns-limit'],
      ['fork/exec /proc/self/exe: no space left on device', 'userns-nesting'],
    ],
  },
  {
    id: 'seccomp-of-container',
    what: 'a container forbids unshare, and a sysctl that does not exist is blamed',
    findings: ['seccomp', 'already-in-userns', 'unprivileged-userns-clone'],
    messages: [
      ['unshare: unshare failed: Operation not permitted', 'seccomp-filter'],
      ['sysctl: cannot stat /proc/sys/kernel/unprivileged_userns_clone: No such file or directory', 'sysctl-missing'],
    ],
  },
  {
    id: 'masked-proc',
    what: 'proc cannot be mounted where parts of it are covered',
    findings: ['proc-visible'],
    messages: [['mount "proc" to "/proc": Operation not permitted', 'proc-masked']],
  },
  {
    id: 'sysfs-of-others',
    what: 'sysfs cannot be mounted without a net namespace of one’s own',
    findings: ['sysfs-visible'],
    messages: [['mounting "sysfs" to rootfs at "/sys": operation not permitted', 'sysfs-other-net-namespace']],
  },
  {
    id: 'no-idmapped-mounts',
    what: 'file system or kernel without idmapped mounts',
    findings: ['kernel-version', 'state-file-system'],
    messages: [
      [
        "failed to set MOUNT_ATTR_IDMAP on /x: invalid argument (maybe the source filesystem doesn't support idmap mounts on this kernel?)",
        'idmap-unsupported',
      ],
      [
        'snapshotter "overlayfs" doesn\'t support idmap mounts on this host, configure slow_chown',
        'snapshotter-no-idmap',
      ],
    ],
  },
  {
    id: 'nfs-volume',
    what: 'volumes on network file systems',
    findings: ['network-file-systems'],
    messages: [
      [
        'mount_setattr(5, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP}) = -1 EINVAL (Invalid argument)',
        'idmap-network-file-system',
      ],
    ],
  },
  {
    id: 'files-of-nobody',
    what: 'files in a volume belong to nobody',
    findings: 'owners of files are looked at one path at a time: `explain PATH --pod POD`',
    messages: [
      ['drwxr-x--- 2 nobody nogroup 4096 Nov 27 10:00 data', 'owner-unmapped'],
      ["Error: EACCES: permission denied, open '/data/x'", 'owner-unmapped'],
    ],
  },
  {
    id: 'closed-parent',
    what: 'a folder above does not let the mapped root through',
    findings: ['state-reachable', 'supplementary-groups'],
    messages: [
      ['crun: open `/home/anna/rootfs`: Permission denied: OCI permission denied', 'parent-closed'],
      ['target not under the directory rootfs', 'parent-closed'],
    ],
  },
  {
    id: 'ids-of-image',
    what: 'a file of an image belongs to an id beyond the map',
    findings: 'it is in the image',
    messages: [
      ['container ID 6553600 cannot be mapped to a host ID', 'image-id-outside-map'],
      [
        'potentially insufficient UIDs or GIDs available in user namespace (requested 1516583083:0 for /x)',
        'image-id-outside-map',
      ],
    ],
  },
  {
    id: 'slow-chown',
    what: 'layers are copied and chowned for each map',
    findings: ['kernel-version'],
    messages: [
      [
        'rootless overlay is not supported: kernel does not support overlay mounts in user namespaces',
        'chowning-layers',
      ],
    ],
  },
  {
    id: 'changed-range',
    what: 'after a restart the pod has other ids than its files',
    findings: 'which ids a file was chowned for is not written anywhere',
    messages: [['-rw------- 1 nobody nogroup 12 Nov 27 10:00 data', 'range-changed']],
  },
  {
    id: 'lost-groups',
    what: 'what a supplementary group opens is closed in the pod',
    findings: ['supplementary-groups'],
    messages: [['uid=0(root) gid=0(root) groups=0(root),65534(nogroup)', 'groups-dropped']],
  },
  {
    id: 'field-ignored',
    what: 'hostUsers: false is accepted and ignored',
    findings: ['container-tools'],
    messages: [['         0          0 4294967295', 'hostusers-ignored']],
  },
  {
    id: 'runtime-too-old',
    what: 'the runtime does not support user namespaces',
    findings: ['container-tools', 'kernel-version'],
    messages: [
      ["can't set spec.hostUsers: false, runtime does not support user namespaces", 'runtime-without-userns'],
      ['RuntimeClass handler "kata" does not support user namespaces', 'runtime-without-userns'],
    ],
  },
  {
    id: 'initial-inode',
    what: 'the sample shows the initial namespace',
    findings: ['already-in-userns'],
    messages: [['user:[4026531837]', 'initial-namespace']],
  },
  {
    id: 'relative-maps',
    what: 'rootless --uidmap is off by one level',
    findings: 'it is in the words of a command',
    messages: [['crun: writing file `/proc/4242/gid_map`: Operation not permitted', 'map-relative-to-outer']],
  },
  {
    id: 'host-namespaces',
    what: 'host namespaces together with a user namespace',
    findings: 'it is in the manifest',
    messages: [['spec.HostPID: Forbidden: when `hostUsers` is false', 'host-namespaces-with-hostusers']],
  },
  {
    id: 'privileged-pod',
    what: 'privileged together with a user namespace',
    findings: 'it is in the manifest',
    messages: [['mounting "sysfs" to rootfs at "/sys": operation not permitted', 'privileged-with-hostusers']],
  },
  {
    id: 'cgroup-delegation',
    what: 'cgroups that are not ours',
    findings: ['cgroup'],
    messages: [
      ['opening file `/sys/fs/cgroup/x/cgroup.procs` for writing: Permission denied', 'cgroup-not-delegated'],
      ['opening file `cpu.max` for writing: No such file or directory', 'cgroup-controller-missing'],
    ],
  },
  {
    id: 'ping',
    what: 'ping and its range of groups',
    findings: ['ping-group-range'],
    messages: [
      ['ping: socket: Operation not permitted', 'ping-group-range'],
      ['write /proc/sys/net/ipv4/ping_group_range: invalid argument', 'ping-range-unmapped'],
    ],
  },
  {
    id: 'shared-budgets',
    what: 'inotify, processes, keys and terminals are counted per uid of the host',
    findings: [
      'inotify-budget',
      'inotify-watches',
      'process-limit',
      'open-files',
      'pids-cgroup',
      'key-budget',
      'pty-budget',
      'pid-max',
    ],
    messages: [
      ['failed to create fsnotify watcher: too many open files', 'inotify-budget'],
      ['bash: fork: retry: Resource temporarily unavailable', 'process-budget'],
      ['unable to join session keyring: create session key: disk quota exceeded', 'key-budget'],
    ],
  },
  {
    id: 'engine-in-userns',
    what: 'a kubelet or engine that runs in a user namespace itself',
    findings: ['already-in-userns', 'oom-score', 'sys-resource'],
    messages: [['write /proc/self/oom_score_adj: permission denied', 'kubelet-in-userns']],
  },
  {
    id: 'socket-of-nobody',
    what: 'a test reaper cannot reach the socket of a rootless engine',
    findings: 'whose socket a container is given is in the words of the engine',
    messages: [
      [
        'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
        'socket-owner-unmapped',
      ],
    ],
  },
];

/** Machines on which each finding is made: those of the doctor's own cases, and one where everybody claims everything. */
const crowded: MachineFacts = withIds(
  {...goodUser, apparmor: {restrictUserns: 1, label: 'unconfined', unshareProfile: true}, unprivilegedUsernsClone: 0},
  {
    ...subuidText(
      'anna:1000000:131072\nbert:1000000:65536\nghost:3000000:65536\nbert:1000:1\nanna:4294901760:65536\nbert:4294901760:99999999\n',
    ),
    tools: ['incus'],
    ledger: {root: '/l', ownerUid: 1000, blocks: [{first: 3_000_000, size: 65_536, kind: 'pod', pod: 'p'}]},
    live: [liveNamespace({owner: 1001, uidMap: [{containerId: 0, hostId: 1_100_000, size: 10}]})],
  },
);
const known = new Set(
  [goodUser, goodRoot, crowded, ...standingCases.map(({facts}) => facts)].flatMap((facts) =>
    diagnose(facts).findings.map(({id}) => id),
  ),
);

for (const {id, what, findings, messages} of pains) {
  test(`${id}: ${what}`, (t) => {
    if (typeof findings === 'string') t.true(findings.length > 10);
    else for (const finding of findings) t.true(known.has(finding), finding);
    if (typeof messages === 'string') return t.true(messages.length > 10);
    for (const [text, cause] of messages)
      t.true(
        explainText(text).explanations.some((each) => each.id === cause),
        `${text}: ${explainText(text).explanations.map((each) => each.id)}`,
      );
  });
}

test('no pain is listed twice, and what cannot be seen on a machine says why', (t) => {
  t.is(new Set(pains.map(({id}) => id)).size, pains.length);
  t.is(pains.length, 42);
});
