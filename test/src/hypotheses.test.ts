import test from 'ava';
import {noCapabilities} from '../../native-free/capability.ts';
import {causeIds} from '../../native-free/explain/causes.ts';
import type {MachineFacts} from '../../src/doctor/facts.ts';
import {checkCause, checksOfCauses, type Verdict} from '../../src/doctor/hypotheses.ts';
import {goodMounts, goodRoot, goodUser, helper, liveNamespace, mount, subuidText, withIds} from './doctor-facts.ts';

interface Case {
  readonly cause: string;
  readonly title: string;
  readonly facts: MachineFacts;
  readonly verdict: Verdict;
  readonly observed: RegExp;
  readonly values?: Readonly<Record<string, string>>;
}

const apparmor = (restrictUserns: number | undefined, label: string | undefined) => ({
  restrictUserns,
  label,
  unshareProfile: false,
});
const many = Array.from({length: 5}, (_, at) => liveNamespace({inode: at}));

const cases: readonly Case[] = [
  {
    cause: 'userns-limit',
    title: 'a limit of 0',
    facts: {...goodUser, maxUserNamespaces: 0},
    verdict: 'confirmed',
    observed: /max_user_namespaces is 0/,
  },
  {
    cause: 'userns-limit',
    title: 'a limit that is reached',
    facts: withIds({...goodUser, maxUserNamespaces: 5}, {live: many}),
    verdict: 'confirmed',
    observed: /is 5, 5 seen/,
  },
  {cause: 'userns-limit', title: 'a limit far away', facts: goodUser, verdict: 'refuted', observed: /is 96365/},
  {
    cause: 'userns-limit',
    title: 'a limit far away in a user namespace',
    facts: {...goodUser, isInitialUserns: false},
    verdict: 'open',
    observed: /above ours/,
  },
  {
    cause: 'userns-apparmor',
    title: 'no such sysctl',
    facts: goodUser,
    verdict: 'refuted',
    observed: /has no kernel\.apparmor/,
  },
  {
    cause: 'userns-apparmor',
    title: 'the restriction',
    facts: {...goodUser, apparmor: apparmor(1, 'unconfined')},
    verdict: 'confirmed',
    observed: /is 1/,
  },
  {
    cause: 'userns-apparmor',
    title: 'the restriction, seen by root',
    facts: {...goodRoot, apparmor: apparmor(1, 'unconfined')},
    verdict: 'confirmed',
    observed: /is 1/,
  },
  {
    cause: 'userns-apparmor',
    title: 'no restriction',
    facts: {...goodUser, apparmor: apparmor(0, 'unconfined')},
    verdict: 'refuted',
    observed: /is 0/,
  },
  {
    cause: 'apparmor-profile',
    title: 'a profile on us',
    facts: {...goodUser, apparmor: apparmor(0, 'docker-default (enforce)')},
    verdict: 'confirmed',
    observed: /docker-default/,
  },
  {
    cause: 'userns-sysctl',
    title: 'the switch off',
    facts: {...goodUser, unprivilegedUsernsClone: 0},
    verdict: 'confirmed',
    observed: /is 0/,
  },
  {cause: 'userns-sysctl', title: 'no switch', facts: goodUser, verdict: 'refuted', observed: /has no/},
  {
    cause: 'seccomp-filter',
    title: 'a filter on us',
    facts: {...goodUser, seccomp: 2, container: 'docker'},
    verdict: 'confirmed',
    observed: /filter is on us \(we are in a container: docker\)/,
  },
  {
    cause: 'seccomp-filter',
    title: 'no filter on us',
    facts: goodUser,
    verdict: 'open',
    observed: /may have another one/,
  },
  {
    cause: 'no-new-privs',
    title: 'no_new_privs',
    facts: {...goodUser, noNewPrivs: true},
    verdict: 'confirmed',
    observed: /is set on us/,
  },
  {
    cause: 'helper-unprivileged',
    title: 'a newuidmap of mode 0755',
    facts: {...goodUser, newuidmap: {...helper, mode: 0o755}},
    verdict: 'confirmed',
    observed: /mode 0755/,
  },
  {
    cause: 'helper-unprivileged',
    title: 'one with its setuid bit',
    facts: goodUser,
    verdict: 'refuted',
    observed: /mode 4755/,
  },
  {
    cause: 'helper-unprivileged',
    title: 'one with a file capability',
    facts: {...goodUser, newuidmap: {...helper, mode: 0o755, fileCapabilities: new Set(['CAP_SETUID'])}},
    verdict: 'refuted',
    observed: /0755/,
  },
  {
    cause: 'helper-nosuid',
    title: 'a nosuid mount',
    facts: {...goodUser, newuidmap: {...helper, nosuid: true}},
    verdict: 'confirmed',
    observed: /with nosuid/,
  },
  {
    cause: 'helper-foreign-owner',
    title: 'an owner without a name',
    facts: {...goodUser, newuidmap: {...helper, uid: 65534}},
    verdict: 'confirmed',
    observed: /uid 65534/,
  },
  {
    cause: 'helper-missing',
    title: 'no newgidmap',
    facts: {...goodUser, newgidmap: undefined},
    verdict: 'confirmed',
    observed: /no newgidmap/,
  },
  {
    cause: 'helper-bounding-set',
    title: 'an empty bounding set',
    facts: {...goodUser, bounding: noCapabilities},
    verdict: 'confirmed',
    observed: /no CAP_SETUID/,
  },
  {
    cause: 'subid-none',
    title: 'a user whom the message names',
    facts: goodUser,
    verdict: 'confirmed',
    observed: /\/etc\/subuid has no line for bert/,
    values: {user: 'bert'},
  },
  {
    cause: 'subid-none',
    title: 'a user who has ids',
    facts: goodRoot,
    verdict: 'refuted',
    observed: /has 131072 ids for anna/,
    values: {user: 'anna'},
  },
  {
    cause: 'subid-none',
    title: 'another source of ids',
    facts: withIds(goodUser, {subidSource: 'sss'}),
    verdict: 'open',
    observed: /"sss"/,
  },
  {
    cause: 'subid-owner-without-account',
    title: 'no such account',
    facts: goodUser,
    verdict: 'confirmed',
    observed: /no account containers/,
    values: {user: 'containers'},
  },
  {
    cause: 'subid-file-refused',
    title: 'no final newline',
    facts: withIds(goodUser, {subuid: {path: '/etc/subuid', text: 'anna:1:1'}}),
    verdict: 'confirmed',
    observed: /\/etc\/subuid does not end/,
  },
  {
    cause: 'grant-overlaps-itself',
    title: 'two lines that overlap',
    facts: withIds(goodUser, subuidText('anna:131072:9\nanna:131075:9\n')),
    verdict: 'confirmed',
    observed: /lines 1 and 2/,
  },
  {
    cause: 'proc-masked',
    title: 'a mask where we are',
    facts: {...goodUser, mounts: [...goodMounts, mount({id: 9, parent: 2, point: '/proc/kcore', type: 'tmpfs'})]},
    verdict: 'confirmed',
    observed: /\/proc\/kcore/,
  },
  {
    cause: 'proc-masked',
    title: 'a whole proc where we are',
    facts: goodUser,
    verdict: 'open',
    observed: /in the container that failed/,
  },
  {
    cause: 'idmap-network-file-system',
    title: 'no network file system',
    facts: goodUser,
    verdict: 'refuted',
    observed: /no network/,
  },
  {
    cause: 'idmap-network-file-system',
    title: 'the path on NFS',
    facts: {...goodUser, mounts: [...goodMounts, mount({id: 9, point: '/data', type: 'nfs4'})]},
    verdict: 'confirmed',
    observed: /\/data\/x is on \/data \(nfs4\)/,
    values: {path: '/data/x'},
  },
  {
    cause: 'snapshotter-no-idmap',
    title: 'an old kernel',
    facts: {...goodUser, kernel: '5.15.0'},
    verdict: 'confirmed',
    observed: /needs 5\.19/,
  },
  {cause: 'call-unknown', title: 'a new kernel', facts: goodUser, verdict: 'refuted', observed: /Linux 6\.8/},
  {
    cause: 'runtime-without-userns',
    title: 'an old runc',
    facts: {...goodUser, tools: [{name: 'runc', path: '/r', version: '1.1.5'}]},
    verdict: 'confirmed',
    observed: /runc 1\.1\.5 \(1\.2 is needed\)/,
  },
  {
    cause: 'userns-chroot',
    title: 'a chroot',
    facts: {...goodUser, chroot: true},
    verdict: 'confirmed',
    observed: /in a chroot/,
  },
  {
    cause: 'setgroups-denied',
    title: 'denied where we are',
    facts: {...goodUser, setgroups: 'deny'},
    verdict: 'confirmed',
    observed: /denied where we are/,
  },
  {
    cause: 'mount-cgroup-v1',
    title: 'hybrid cgroups',
    facts: {...goodUser, cgroup: {...goodUser.cgroup, layout: 'hybrid'}},
    verdict: 'confirmed',
    observed: /hybrid/,
  },
  {
    cause: 'block-touches-last-id',
    title: 'a pod with that block',
    facts: {...goodRoot, kubeletBlocks: [{pod: 'p', first: 4_294_901_760, size: 65536}]},
    verdict: 'confirmed',
    observed: /pod p has the block 4294901760:65536/,
  },
  {
    cause: 'key-budget',
    title: 'no key left',
    facts: {...goodUser, budgets: {...goodUser.budgets, keys: {used: 200, max: 200}}},
    verdict: 'confirmed',
    observed: /200 keys of 200/,
  },
];

for (const {cause, title, facts, verdict, observed, values} of cases) {
  test(`${cause} is ${verdict} by ${title}`, (t) => {
    const answer = checkCause(cause, facts, values);
    t.is(answer?.verdict, verdict);
    t.regex(answer?.observed ?? '', observed);
  });
}

test('every check is of a cause that exists, has an answer on a good machine or none, and never a control byte', (t) => {
  const hostile: MachineFacts = {
    ...goodUser,
    apparmor: apparmor(1, 'x\u001b[2J'),
    kernel: '6.1\u0007',
    container: '\u001b',
  };
  for (const id of Object.keys(checksOfCauses)) {
    t.true((causeIds as readonly string[]).includes(id), id);
    for (const facts of [goodUser, goodRoot, hostile])
      t.notRegex(checkCause(id, facts, {user: '\u001b', path: '\u001b'})?.observed ?? '', /[\x00-\x1f\x7f]/, id);
  }
});

/** About a message's own words, another machine, or a moment that is over: nothing on this machine decides them. */
const unseen =
  /^(?:idmap-|setgroups-(?!denied)|range-|pool-exhausted|subid-overflow|map-(?:target|relative)|join-|namespace-needs|exec-while|host-power|kill-|ptrace-|many-threads|mount-(?!cgroup-v1|budget)|overlay-(?!in-userns)|mknod|device-|proc-(?!masked)|sysfs-other|mqueue|cgroup-other|id-|image-|owner-|host-|mode-|read-only|no-(?!new-privs)|other-|store-|setuid-|range-changed|socket-|file-gone|kubelet-gate|volume-|unmasked|privileged|ping-range|rlimit|sysctl-of|memory|seccomp-(?!filter))/;

test('a cause without a check is one of which nothing can be seen here', (t) => {
  const without = causeIds.filter((id) => checksOfCauses[id] === undefined);
  t.deepEqual(
    without.filter((id) => !unseen.test(id)),
    [],
  );
});

test('elsewhere than on Linux nothing is said', (t) => {
  t.is(checkCause('userns-limit', {...goodUser, platform: 'darwin'}), undefined);
});
