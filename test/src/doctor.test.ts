import test from 'ava';
import {allCapabilities, noCapabilities} from '../../native-free/capability.ts';
import {concludeFrom, diagnose} from '../../src/doctor/diagnosis.ts';
import type {MachineFacts} from '../../src/doctor/facts.ts';
import type {Finding} from '../../src/doctor/finding.ts';
import {findFreeRange} from '../../src/doctor/free-range.ts';
import {shellWord} from '../../src/doctor/shell-word.ts';
import {grantedRanges, parseGetsubids} from '../../src/doctor/subordinate-findings.ts';
import {goodIds, goodRoot, goodUser, helper, liveNamespace, subuidText, withIds} from './doctor-facts.ts';
import {type Case, standingCases} from './doctor-standing-cases.ts';

const without = (...names: readonly string[]) => new Set([...allCapabilities].filter((name) => !names.includes(name)));
const findingsOf = (facts: MachineFacts, id: string): Finding[] =>
  diagnose(facts).findings.filter((each) => each.id === id);

test('a good machine has no warning and no failure but that anna is not root', (t) => {
  const {findings, modes, best} = diagnose(goodUser);
  t.deepEqual(
    findings.filter(({severity}) => severity !== 'ok').map(({id, severity}) => [id, severity]),
    [['host-root', 'fail']],
  );
  t.deepEqual(modes, {
    host: {works: false, stoppedBy: ['host-root']},
    subid: {works: true, stoppedBy: []},
    single: {works: true, stoppedBy: []},
    simulated: {works: true, stoppedBy: []},
  });
  t.is(best, 'subid');
});

test('root on a good machine works in host mode, and subid fails only for want of a grant', (t) => {
  const {best, modes} = diagnose(goodRoot);
  t.is(best, 'host');
  t.deepEqual(modes.subid, {works: false, stoppedBy: ['subid-present']});
});

test('every finding that is not fine says how to mend it, and no finding holds a control byte', (t) => {
  const facts = withIds(
    {
      ...goodUser,
      kernel: '4.1\x1b[2J',
      apparmor: {restrictUserns: 1, label: 'x\x07', unshareProfile: true},
      perl: undefined,
    },
    subuidText('an\x1bna:1:2\nanna:bad\x1b:3\n'),
  );
  for (const finding of diagnose(facts).findings) {
    const text = `${finding.found}${finding.expected}${finding.mend ?? ''}`;
    t.notRegex(text, /[\x00-\x1f\x7f]/, finding.id);
    if (finding.severity !== 'ok') t.truthy(finding.mend, finding.id);
  }
});

const apparmor = (restrictUserns: number | undefined, label: string | undefined) => ({
  restrictUserns,
  label,
  unshareProfile: false,
});
const kubelet = (output: string | undefined, gidOutput = output) => ({account: true, uidOutput: output, gidOutput});

const cases: readonly Case[] = [
  ...standingCases,
  // kernel
  {
    title: 'a kernel before 5.12',
    id: 'kernel-version',
    facts: {...goodUser, kernel: '5.10.0-1'},
    severity: 'fail',
    found: /5\.10\.0-1 has no mount_setattr/,
    mend: /newer kernel/,
  },
  {
    title: 'a kernel before 6.3',
    id: 'kernel-version',
    facts: {...goodUser, kernel: '5.15.0'},
    severity: 'warn',
    found: /no overlay on idmapped layers \(5\.19\), no idmapped tmpfs \(6\.3\)$/,
    mend: /6\.3/,
  },
  {
    title: 'Linux 5.12 exactly',
    id: 'kernel-version',
    facts: {...goodUser, kernel: '5.12'},
    severity: 'warn',
    found: /no overlay on idmapped layers/,
  },
  {
    title: 'Linux 6.3 exactly',
    id: 'kernel-version',
    facts: {...goodUser, kernel: '6.3'},
    severity: 'ok',
    found: /Linux 6\.3$/,
  },
  {
    title: 'a kernel without pid namespaces',
    id: 'namespaces',
    facts: {...goodUser, namespaces: ['user', 'mnt', 'net', 'ipc', 'uts', 'cgroup']},
    severity: 'fail',
    found: /no pid/,
    mend: /CONFIG_PID_NS/,
  },
  {
    title: 'no user namespaces allowed',
    id: 'max-user-namespaces',
    facts: {...goodUser, maxUserNamespaces: 0},
    severity: 'fail',
    found: /ENOSPC.*not your disk/,
    mend: /sysctl -w user\.max_user_namespaces=15000/,
  },
  {
    title: 'few user namespaces left',
    id: 'max-user-namespaces',
    facts: withIds({...goodUser, maxUserNamespaces: 16}, {live: [liveNamespace({})]}),
    severity: 'warn',
    found: /is 16, 1 seen in use/,
    mend: /15000/,
  },
  {
    title: 'just enough user namespaces left',
    id: 'max-user-namespaces',
    facts: {...goodUser, maxUserNamespaces: 16},
    severity: 'ok',
    found: /is 16, 0 seen/,
  },
  {
    title: 'a limit that cannot be read',
    id: 'max-user-namespaces',
    facts: {...goodUser, maxUserNamespaces: undefined},
    severity: 'warn',
    found: /cannot be read/,
  },
  {
    title: "Debian's switch off",
    id: 'unprivileged-userns-clone',
    facts: {...goodUser, unprivilegedUsernsClone: 0},
    severity: 'fail',
    found: /is 0: unshare\(2\)/,
    mend: /unprivileged_userns_clone=1/,
  },
  {
    title: "Debian's switch off and we are privileged",
    id: 'unprivileged-userns-clone',
    facts: {...goodRoot, unprivilegedUsernsClone: 0},
    severity: 'ok',
    found: /is 0$/,
  },
  {
    title: "Debian's switch on",
    id: 'unprivileged-userns-clone',
    facts: {...goodUser, unprivilegedUsernsClone: 1},
    severity: 'ok',
    found: /is 1$/,
  },
  {
    title: "Ubuntu's AppArmor restriction",
    id: 'apparmor-userns',
    facts: {...goodUser, apparmor: apparmor(1, 'unconfined')},
    severity: 'fail',
    found: /our label is unconfined: .* without capabilities$/,
    mend: /'profile subroot-agent \/usr\/bin\/perl flags=\(unconfined\) \{' ' {2}userns,' '\}' > \/etc\/apparmor\.d\/subroot-agent && apparmor_parser -r .*; or .*=0`$/,
  },
  {
    title: "Ubuntu's AppArmor restriction lifted",
    id: 'apparmor-userns',
    facts: {...goodUser, apparmor: apparmor(0, 'unconfined')},
    severity: 'ok',
    found: /is 0$/,
  },
  {
    title: "Ubuntu's AppArmor restriction for root",
    id: 'apparmor-userns',
    facts: {...goodRoot, apparmor: apparmor(1, 'unconfined')},
    severity: 'ok',
    found: /is 1$/,
  },
  {
    title: 'a profile of ours',
    id: 'apparmor-userns',
    facts: {...goodUser, apparmor: apparmor(1, 'subroot-agent (unconfined)')},
    severity: 'ok',
    found: /under the profile subroot-agent/,
  },
  {
    title: 'the profile that strips children of unshare',
    id: 'apparmor-userns',
    facts: {...goodUser, apparmor: {...apparmor(1, 'unconfined'), unshareProfile: true}},
    severity: 'fail',
    found: /unshare-userns-restrict/,
  },
  {
    title: 'a container profile of AppArmor',
    id: 'apparmor-label',
    facts: {...goodUser, apparmor: apparmor(undefined, 'docker-default (enforce)')},
    severity: 'warn',
    found: /docker-default \(enforce\)/,
    mend: /apparmor=unconfined/,
  },
  {
    title: 'the profile of stripped namespaces',
    id: 'apparmor-label',
    facts: {...goodUser, apparmor: apparmor(undefined, 'unprivileged_userns (enforce)')},
    severity: 'fail',
    found: /denied$/,
    mend: /unshare\(1\)/,
  },
  {
    title: 'no confinement',
    id: 'apparmor-label',
    facts: {...goodUser, apparmor: apparmor(undefined, 'unconfined')},
    severity: 'ok',
    found: /is unconfined$/,
  },
  {
    title: 'a seccomp filter without CAP_SYS_ADMIN',
    id: 'seccomp',
    facts: {...goodUser, seccomp: 2, container: 'docker'},
    severity: 'warn',
    found: /in a container: docker/,
    mend: /seccomp=unconfined/,
  },
  {
    title: 'a seccomp filter on root of the host',
    id: 'seccomp',
    facts: {...goodRoot, seccomp: 2},
    severity: 'ok',
    found: /we have CAP_SYS_ADMIN/,
  },
  {
    title: 'strict seccomp',
    id: 'seccomp',
    facts: {...goodUser, seccomp: 1},
    severity: 'fail',
    found: /strict/,
    mend: /ordinary shell/,
  },
  // identity
  {
    title: 'a user namespace around us',
    id: 'already-in-userns',
    facts: {
      ...goodUser,
      isInitialUserns: false,
      container: 'podman',
      selfUidMap: [{containerId: 0, hostId: 100000, size: 65536}],
    },
    severity: 'warn',
    found: /in a container \(podman\): uid_map 0 100000 65536; "host" means this namespace/,
    mend: /not with 4294967295/,
  },
  {
    title: 'a user namespace that looks like the host',
    id: 'already-in-userns',
    facts: {...goodUser, isInitialUserns: false},
    severity: 'warn',
    found: /looks like the host, and it is not/,
  },
  {
    title: 'the initial user namespace',
    id: 'already-in-userns',
    facts: goodUser,
    severity: 'ok',
    found: /initial user namespace$/,
  },
  {
    title: 'not being root',
    id: 'host-root',
    facts: goodUser,
    severity: 'fail',
    found: /uid 1000 \(anna\)/,
    mend: /sudo subroot/,
  },
  {title: 'being root', id: 'host-root', facts: goodRoot, severity: 'ok', found: /we are uid 0/},
  {
    title: 'root without CAP_SYS_ADMIN',
    id: 'host-capabilities',
    facts: {...goodRoot, effective: without('CAP_SYS_ADMIN')},
    severity: 'fail',
    found: /^uid 0 without CAP_SYS_ADMIN$/,
    mend: /--cap-add SYS_ADMIN`/,
  },
  {
    title: 'root without CAP_SYS_PTRACE',
    id: 'host-capabilities',
    facts: {...goodRoot, effective: without('CAP_SYS_PTRACE')},
    severity: 'warn',
    found: /CAP_SYS_PTRACE/,
  },
  {
    title: 'root with all capabilities',
    id: 'host-capabilities',
    facts: goodRoot,
    severity: 'ok',
    found: /every capability/,
  },
  {
    title: 'root without CAP_SYS_RESOURCE',
    id: 'sys-resource',
    facts: {...goodRoot, effective: without('CAP_SYS_RESOURCE')},
    severity: 'ok',
    found: /^no CAP_SYS_RESOURCE/,
  },
  {title: 'root with CAP_SYS_RESOURCE', id: 'sys-resource', facts: goodRoot, severity: 'ok', found: /^we have/},
  {
    title: 'root of a container with 65536 ids',
    id: 'host-ids',
    facts: {...goodRoot, selfUidMap: [{containerId: 0, hostId: 100000, size: 65536}]},
    severity: 'fail',
    found: /has 65536 uids and no whole block/,
    mend: /131072 or more/,
  },
  {
    title: 'root of a container with 131072 ids',
    id: 'host-ids',
    facts: {
      ...goodRoot,
      selfUidMap: [{containerId: 0, hostId: 100000, size: 131072}],
      selfGidMap: [{containerId: 0, hostId: 100000, size: 131072}],
    },
    severity: 'ok',
    found: /has 1 whole blocks/,
  },
  {
    title: 'no_new_privs',
    id: 'no-new-privs',
    facts: {...goodUser, noNewPrivs: true},
    severity: 'fail',
    found: /EPERM/,
    mend: /NoNewPrivileges=no/,
  },
  {title: 'no no_new_privs', id: 'no-new-privs', facts: goodUser, severity: 'ok', found: /not set/},
  // helpers
  {
    title: 'no perl',
    id: 'perl',
    facts: {...goodUser, perl: undefined},
    severity: 'fail',
    found: /no perl/,
    mend: /perl-base/,
  },
  {title: 'a perl', id: 'perl', facts: goodUser, severity: 'ok', found: /5\.36\.0 at \/usr\/bin\/perl/},
  {
    title: 'no newuidmap',
    id: 'newuidmap',
    facts: {...goodUser, newuidmap: undefined},
    severity: 'fail',
    found: /not installed/,
    mend: /apt-get install uidmap/,
  },
  {
    title: 'newuidmap without privilege',
    id: 'newuidmap',
    facts: {...goodUser, newuidmap: {...helper, mode: 0o755}},
    severity: 'fail',
    found: /mode 0755, owner 0\) has no setuid bit and no file capabilities/,
    mend: /chmod u\+s \/usr\/bin\/newuidmap.*setcap cap_setuid=ep/,
  },
  {
    title: 'newgidmap with the wrong file capability',
    id: 'newgidmap',
    facts: {...goodUser, newgidmap: {...helper, mode: 0o755, fileCapabilities: new Set(['CAP_SETUID'] as const)}},
    severity: 'fail',
    found: /without CAP_SETGID/,
    mend: /cap_setgid=ep/,
  },
  {
    title: 'newuidmap with a file capability',
    id: 'newuidmap',
    facts: {...goodUser, newuidmap: {...helper, mode: 0o755, fileCapabilities: new Set(['CAP_SETUID'] as const)}},
    severity: 'ok',
    found: /by file capability CAP_SETUID/,
  },
  {
    title: 'newuidmap setuid to nobody',
    id: 'newuidmap',
    facts: {...goodUser, newuidmap: {...helper, uid: 65534}},
    severity: 'fail',
    found: /setuid to uid 65534/,
    mend: /chown root/,
  },
  {
    title: 'newuidmap on a nosuid mount',
    id: 'newuidmap',
    facts: {...goodUser, newuidmap: {...helper, mountPoint: '/usr', nosuid: true}},
    severity: 'fail',
    found: /on \/usr, mounted nosuid/,
    mend: /remount,suid \/usr/,
  },
  {title: 'newgidmap setuid root', id: 'newgidmap', facts: goodUser, severity: 'ok', found: /by its setuid bit/},
  {
    title: 'util-linux before 2.39',
    id: 'util-linux',
    facts: {...goodUser, utilLinux: '2.38.1'},
    severity: 'ok',
    found: /ignores X-mount\.idmap/,
  },
  {title: 'util-linux 2.39', id: 'util-linux', facts: goodUser, severity: 'ok', found: /INNER:OUTER:COUNT/},
  {
    title: 'no util-linux',
    id: 'util-linux',
    facts: {...goodUser, utilLinux: undefined},
    severity: 'ok',
    found: /not installed/,
  },
  {title: 'an old shadow', id: 'shadow', facts: goodUser, severity: 'ok', found: /before 4\.14/},
  {
    title: 'a newer shadow',
    id: 'shadow',
    facts: withIds(goodUser, {shadow: '4.20'}),
    severity: 'ok',
    found: /4\.14 or later/,
  },
  // subordinate ids
  {
    title: 'a uid without account',
    id: 'subid-account',
    facts: {...goodUser, user: {uid: 12345, gid: 12345, name: undefined, inPasswdFile: false}},
    severity: 'fail',
    found: /uid 12345 has no account.*Cannot determine your user name/,
    mend: /useradd --uid 12345/,
  },
  {
    title: 'an account',
    id: 'subid-account',
    facts: goodUser,
    severity: 'ok',
    found: /uid 1000 is anna/,
  },
  {
    title: 'no grant',
    id: 'subid-present',
    facts: withIds(goodUser, subuidText('')),
    severity: 'fail',
    found: /no subordinate ids for anna in \/etc\/subuid or \/etc\/subgid/,
    mend: /^as root: `usermod --add-subuids 131072-1179647 --add-subgids 131072-1179647 anna`$/,
  },
  {
    title: 'a grant of uids only',
    id: 'subid-present',
    facts: withIds(goodUser, subuidText('anna:131072:65536\n', '')),
    severity: 'fail',
    found: /no subordinate gids for anna in \/etc\/subgid/,
    mend: /usermod --add-subuids 196608-1245183/,
  },
  {
    title: 'no grant in a namespace with few ids',
    id: 'subid-present',
    facts: withIds(
      {...goodUser, isInitialUserns: false, selfUidMap: [{containerId: 0, hostId: 100000, size: 65536}]},
      subuidText(''),
    ),
    severity: 'fail',
    found: /no subordinate ids/,
    mend: /of the 65536 that our namespace has, no block above the first is free/,
  },
  {
    title: 'no grant for an account outside of passwd',
    id: 'subid-present',
    facts: withIds({...goodUser, user: {...goodUser.user, inPasswdFile: false}}, subuidText('')),
    severity: 'fail',
    found: /no subordinate ids/,
    mend: /`echo anna:131072:1048576 \| tee -a \/etc\/subuid \/etc\/subgid`/,
  },
  {
    title: 'no grant in a source other than the files',
    id: 'subid-present',
    facts: withIds(goodUser, {subidSource: 'sss'}),
    severity: 'fail',
    found: /source "sss"/,
    mend: /subid: files/,
  },
  {
    title: 'a grant by number',
    id: 'subid-present',
    facts: withIds(goodUser, subuidText('1000:131072:131072\n')),
    severity: 'ok',
    found: /anna has uids 131072-262143/,
  },
  {
    title: 'a grant of a few ids',
    id: 'subid-size',
    facts: withIds(goodUser, subuidText('anna:131072:1000\n')),
    severity: 'warn',
    found: /1000 uids and 1000 gids are granted: one pod at a time, and with 1000 ids only/,
    mend: /usermod/,
  },
  {
    title: 'a grant of one block',
    id: 'subid-size',
    facts: withIds(goodUser, subuidText('anna:100000:65536\n')),
    severity: 'warn',
    found: /: one pod at a time$/,
    mend: /usermod --add-subuids 196608-/,
  },
  {title: 'a grant of two blocks', id: 'subid-size', facts: goodUser, severity: 'ok', found: /room for 2 pods/},
  {
    title: 'a line with a bad number',
    id: 'subid-syntax',
    facts: withIds(goodUser, subuidText('anna:131072:131072\nbert:1e5:65536\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /^\/etc\/subuid:2:start "1e5": .*\(line ignored\)$/,
    mend: /sed -i 2d \/etc\/subuid/,
  },
  {title: 'files without a fault', id: 'subid-syntax', facts: goodUser, severity: 'ok', found: /reads without a fault/},
  {
    title: 'a file without final newline on an old shadow',
    id: 'subid-final-newline',
    facts: withIds(goodUser, subuidText('anna:131072:131072', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /\/etc\/subuid has no newline at its end/,
    mend: /`echo >> \/etc\/subuid`/,
  },
  {
    title: 'a file without final newline on a newer shadow',
    id: 'subid-final-newline',
    facts: withIds(goodUser, {...subuidText('anna:131072:131072'), shadow: '4.20'}),
    severity: 'fail',
    found: /refuse the whole file/,
  },
  {
    title: 'ranges of two users that overlap',
    id: 'subid-overlap',
    facts: withIds(goodUser, subuidText('anna:131072:131072\nbert:196608:65536\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /lines 1 \(anna\) and 2 \(bert\) both grant 196608-262143/,
    mend: /usermod --del-subuids 196608-262143 bert/,
  },
  {
    title: 'a range over a real account',
    id: 'subid-covers-real-uid',
    facts: withIds(goodUser, subuidText('anna:1001:131072\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /act as the real accounts bert \(1001\), nobody \(65534\)/,
    mend: /--del-subuids 1001-132072 anna/,
  },
  {
    title: 'a range over a real group',
    id: 'subid-covers-real-gid',
    facts: withIds(goodUser, subuidText('anna:131072:131072\n', 'anna:65534:131072\n')),
    severity: 'warn',
    found: /the real group nogroup \(65534\)/,
  },
  {
    title: 'a range up to 2^32',
    id: 'range-touches-uint32-max',
    facts: withIds(goodUser, subuidText('anna:4294836224:131072\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /reaches 4294967295/,
    mend: /anna:4294836224:131071/,
  },
  {
    title: 'a range past 2^32',
    id: 'range-overflows-u32',
    facts: withIds(goodUser, subuidText('anna:327680:4294836224\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /wraps them to host id 0/,
    mend: /anna:327680:4294639615/,
  },
  {
    title: 'a range of nobody',
    id: 'subid-owner-unknown',
    facts: withIds(goodUser, subuidText('anna:131072:131072\nghost:1000000:65536\n', 'anna:131072:131072\n')),
    severity: 'warn',
    found: /grants ids to "ghost"/,
    mend: /useradd --system --no-create-home ghost/,
  },
  {
    title: 'a range in the pool of an installed tool',
    id: 'subid-pool-collision',
    facts: withIds(goodUser, {...subuidText('anna:1000000:131072\n'), tools: ['incus']}),
    severity: 'warn',
    found: /lie in the pool that Incus\/LXD takes from/,
    mend: /configure Incus/,
  },
  {
    title: 'no getsubids where NSS is the source',
    id: 'nss-tools',
    facts: withIds({...goodUser, nss: {getent: true, getsubids: false}}, {subidSource: 'sss'}),
    severity: 'fail',
    found: /no getsubids; subordinate ids come from "sss"/,
    mend: /apt-get install uidmap/,
  },
  {
    title: 'no getent',
    id: 'nss-tools',
    facts: {...goodUser, nss: {getent: false, getsubids: true}},
    severity: 'warn',
    found: /no getent/,
  },
  {title: 'both tools', id: 'nss-tools', facts: goodUser, severity: 'ok', found: /both are here/},
  {
    title: 'a kubelet account without ranges',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet(undefined)},
    severity: 'warn',
    found: /no subuid range: a kubelet fails to start/,
    mend: /kubelet:65536:7208960/,
  },
  {
    title: 'a kubelet account without getsubids',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet(undefined), nss: {getent: true, getsubids: false}},
    severity: 'warn',
    found: /getsubids does not/,
  },
  {
    title: 'different kubelet ranges',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 65536 7208960\n', '0: kubelet 65536 65536\n')},
    severity: 'warn',
    found: /other ranges/,
    mend: /equal/,
  },
  {
    title: 'two kubelet ranges',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 65536 65536\n1: kubelet 262144 65536\n')},
    severity: 'warn',
    found: /2 ranges/,
  },
  {
    title: 'an unaligned kubelet range',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 65537 7208960\n')},
    severity: 'warn',
    found: /not made of whole 64K blocks/,
  },
  {
    title: 'a kubelet range past 2^32',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 327680 4294836224\n')},
    severity: 'warn',
    found: /wraps it to host id 0/,
  },
  {
    title: 'a small kubelet range',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 65536 65536\n')},
    severity: 'warn',
    found: /has 1 blocks/,
  },
  {
    title: 'a good kubelet range',
    id: 'kubelet-range',
    facts: {...goodUser, kubelet: kubelet('0: kubelet 65536 7208960\n')},
    severity: 'ok',
    found: /65536-7274495 \(110 blocks\)/,
  },
  {title: 'no kubelet account', id: 'kubelet-range', facts: goodUser, severity: 'ok', found: /default pool/},
  // surroundings
  {
    title: 'a state folder that cannot be made',
    id: 'state-folder',
    facts: {...goodUser, state: {...goodUser.state, writable: false}},
    severity: 'fail',
    found: /cannot be made: \/run\/user\/1000 cannot be written by uid 1000/,
    mend: /SUBROOT_ROOT/,
  },
  {
    title: 'a state folder of ours',
    id: 'state-folder',
    facts: {...goodUser, state: {...goodUser.state, exists: true}},
    severity: 'ok',
    found: /ours to write/,
  },
  {
    title: 'a state folder on NFS',
    id: 'state-file-system',
    facts: {...goodUser, state: {...goodUser.state, fsType: 'nfs4'}},
    severity: 'warn',
    found: /is nfs4: no idmapped mounts/,
    mend: /local file system/,
  },
  {title: 'a state folder on tmpfs', id: 'state-file-system', facts: goodUser, severity: 'ok', found: /is tmpfs$/},
  {
    title: 'a full disk',
    id: 'free-space',
    facts: {...goodUser, state: {...goodUser.state, freeBytes: 1000}},
    severity: 'fail',
    found: /^0 MiB/,
    mend: /df -h \/run\/user\/1000/,
  },
  {
    title: 'few inodes',
    id: 'free-space',
    facts: {...goodUser, state: {...goodUser.state, freeInodes: 500}},
    severity: 'warn',
    found: /500 inodes/,
  },
  {
    title: 'room on the disk',
    id: 'free-space',
    facts: {...goodUser, state: {...goodUser.state, freeInodes: Number.MAX_SAFE_INTEGER}},
    severity: 'ok',
    found: /1024 MiB and inodes without limit/,
  },
  {
    title: 'a closed folder on the way',
    id: 'state-reachable',
    facts: {...goodUser, state: {...goodUser.state, closedAt: '/home/my folder'}},
    severity: 'warn',
    found: /^\/home\/my folder has no search permission/,
    mend: /chmod o\+x '\/home\/my folder'/,
  },
  {title: 'an open way', id: 'state-reachable', facts: goodUser, severity: 'ok', found: /can reach/},
  {
    title: 'neither node-pty nor script',
    id: 'terminal',
    facts: {...goodUser, terminal: {nodePty: false, script: undefined}},
    severity: 'warn',
    found: /no interactive terminals/,
    mend: /bsdutils/,
  },
  {
    title: 'script alone',
    id: 'terminal',
    facts: {...goodUser, terminal: {nodePty: false, script: '/usr/bin/script'}},
    severity: 'ok',
    found: /\/usr\/bin\/script/,
  },
  {
    title: 'a low pid_max',
    id: 'pid-max',
    facts: {...goodUser, pidMax: 1000},
    severity: 'warn',
    found: /is 1000/,
    mend: /kernel\.pid_max=4194304/,
  },
  {
    title: 'a crowded machine',
    id: 'pid-max',
    facts: {...goodUser, pidMax: 32768, processCount: 30000},
    severity: 'warn',
    found: /30000 processes/,
  },
  {title: 'room for processes', id: 'pid-max', facts: goodUser, severity: 'ok', found: /200 processes/},
  {
    title: 'few inotify instances',
    id: 'inotify-budget',
    facts: {...goodUser, inotifyInstances: 64},
    severity: 'warn',
    found: /is 64 per uid/,
    mend: /max_user_instances=1024/,
  },
  {title: 'the usual inotify instances', id: 'inotify-budget', facts: goodUser, severity: 'ok', found: /is 128/},
  {
    title: 'hybrid cgroups',
    id: 'cgroup',
    facts: {...goodUser, cgroup: {...goodUser.cgroup, layout: 'hybrid'}},
    severity: 'warn',
    found: /hybrid, cpu memory pids: limits of pods are not enforced/,
    mend: /unified_cgroup_hierarchy/,
  },
  {
    title: 'no cgroups',
    id: 'cgroup',
    facts: {...goodUser, cgroup: {layout: 'none', controllers: [], delegated: false}},
    severity: 'warn',
    found: /none, no controllers/,
  },
  {
    title: 'cgroups that are not ours',
    id: 'cgroup',
    facts: {...goodUser, cgroup: {...goodUser.cgroup, delegated: false}},
    severity: 'warn',
    found: /not ours to write/,
    mend: /Delegate=yes/,
  },
  {title: 'delegated cgroups', id: 'cgroup', facts: goodUser, severity: 'ok', found: /delegated to us/},
  {
    title: 'a clock in the past',
    id: 'clock',
    facts: {...goodUser, nowMs: 0},
    severity: 'warn',
    found: /1970-01-01/,
    mend: /set-ntp/,
  },
  {title: 'a clock that goes', id: 'clock', facts: goodUser, severity: 'ok', found: /2026-06-01/},
  {
    title: 'another operating system',
    id: 'linux',
    facts: {...goodUser, platform: 'darwin'},
    severity: 'fail',
    found: /this is darwin/,
    mend: /simulated/,
  },
];

for (const {title, id, facts, severity, found, mend} of cases) {
  test(`doctor finds ${id} ${severity} with ${title}`, (t) => {
    const finding = findingsOf(facts, id).find((each) => each.severity === severity);
    if (finding === undefined) return t.fail(JSON.stringify(findingsOf(facts, id)));
    t.regex(finding.found, found);
    if (mend !== undefined) t.regex(finding.mend ?? '', mend);
  });
}

test('every finding has a case in which it fires and one in which it does not', (t) => {
  const all = new Set(cases.map(({id}) => id));
  const onlyWhenWrong = [
    'subid-final-newline',
    'subid-overlap',
    'subid-covers-real-uid',
    'subid-covers-real-gid',
    'range-touches-uint32-max',
    'range-overflows-u32',
    'subid-owner-unknown',
    'subid-pool-collision',
    'subid-own-lines',
    'kubelet-records',
    'podman-outer-namespace',
    'linux',
  ];
  for (const facts of [goodUser, goodRoot]) for (const {id} of diagnose(facts).findings) t.true(all.has(id), id);
  for (const id of onlyWhenWrong) for (const facts of [goodUser, goodRoot]) t.deepEqual(findingsOf(facts, id), [], id);
  for (const id of all) {
    const found = cases.filter((each) => each.id === id);
    t.true(found.length >= 2 || onlyWhenWrong.includes(id) || found.some(({severity}) => severity === 'fail'), id);
  }
});

test('a sysctl that this kernel does not have is never named', (t) => {
  const text = JSON.stringify(diagnose({...goodUser, perl: undefined, newuidmap: undefined}));
  t.notRegex(text, /unprivileged_userns_clone|apparmor_restrict/);
});

test('a failure stops exactly the modes that it affects', (t) => {
  const {modes} = diagnose({...goodUser, noNewPrivs: true});
  t.deepEqual(modes.subid, {works: false, stoppedBy: ['no-new-privs']});
  t.true(modes.single.works);
  t.is(concludeFrom([]).best, 'host');
  const none = diagnose({...goodUser, perl: undefined});
  t.is(none.best, 'simulated');
  t.deepEqual([none.modes.host.works, none.modes.subid.works, none.modes.single.works], [false, false, false]);
});

test('the range proposed is free of accounts, grants, running namespaces, blocks and pools of installed tools', (t) => {
  const block = 65536;
  t.deepEqual(findFreeRange({...goodIds, ...subuidText('')}, block), {start: 131072, size: block});
  t.deepEqual(findFreeRange(goodIds, block), {start: 262144, size: block});
  const gidOnly = {...goodIds, ...subuidText('', 'bert:131072:65536\n')};
  t.deepEqual(findFreeRange(gidOnly, block), {start: 196608, size: block});
  const account = {...goodIds, ...subuidText(''), accounts: [{name: 'ldap', uid: 150000, gid: 5, shell: '/bin/sh'}]};
  t.deepEqual(findFreeRange(account, block), {start: 196608, size: block});
  t.deepEqual(findFreeRange({...goodIds, ...subuidText(''), live: [liveNamespace({})]}, block), {
    start: 196608,
    size: block,
  });
  const ledger = {root: '', ownerUid: 0, blocks: [{first: 131072, size: block, kind: 'pod', pod: 'p'}]};
  t.deepEqual(findFreeRange({...goodIds, ...subuidText(''), ledger}, block), {start: 196608, size: block});
  const nspawn = {...goodIds, ...subuidText(''), tools: ['systemd-nspawn'] as const};
  t.deepEqual(findFreeRange(nspawn, 16 * block), {start: 1879048192, size: 16 * block});
  t.deepEqual(findFreeRange({...goodIds, ...subuidText(''), tools: ['kubelet']}, block), {start: 131072, size: block});
  t.is(findFreeRange(goodIds, 2 ** 32), undefined);
  t.is(findFreeRange(goodIds, block, [{start: 0, size: 65536}]), undefined);
  t.deepEqual(findFreeRange(goodIds, block, [{start: 300000, size: 200000}]), {start: 327680, size: block});
});

test('ranges of another source are those that getsubids prints', (t) => {
  t.deepEqual(parseGetsubids('0: anna 100000 65536\n1: anna 300000 5\nError\n'), [
    {start: 100000, size: 65536},
    {start: 300000, size: 5},
  ]);
  const facts = {...withIds(goodUser, {subidSource: 'sss'}), nssRanges: {uid: '0: anna 9 1\n', gid: undefined}};
  t.deepEqual(grantedRanges(facts, 'uid'), [{start: 9, size: 1}]);
  t.deepEqual(grantedRanges(facts, 'gid'), []);
});

test('a word for a shell is quoted unless it is plain', (t) => {
  t.is(shellWord('/usr/bin/x-1.0'), '/usr/bin/x-1.0');
  t.is(shellWord('a b'), "'a b'");
  t.is(shellWord("it's $(x)"), String.raw`'it'\''s $(x)'`);
  t.is(shellWord(''), "''");
});

test('an unprivileged seccomp filter stops nothing by itself', (t) => {
  t.true(diagnose({...goodUser, seccomp: 2, effective: noCapabilities}).modes.single.works);
});
