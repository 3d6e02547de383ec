import {capabilityNames} from '../../native-free/capability.ts';
import {printable} from '../../native-free/errors.ts';
import type {CauseValues} from '../../native-free/explain/cause.ts';
import type {CauseId} from '../../native-free/explain/causes.ts';
import {parseSubordinateIds, rangesOf} from '../../native-free/subordinate-ids.ts';
import {diagnose} from './diagnosis.ts';
import type {MachineFacts} from './facts.ts';
import {isOwnIdMapped} from './place-findings.ts';
import {toolsBelowFloor} from './tool-findings.ts';
import {visibilityOf} from './visible-mounts.ts';

/** `confirmed`: it is so here. `refuted`: it is not. `open`: what can be seen here does not decide it. */
export type Verdict = 'confirmed' | 'refuted' | 'open';

/** What this machine says to a cause; `observed` is a sentence without a full stop, safe to print. */
export interface Observed {
  readonly verdict: Verdict;
  readonly observed: string;
}

type Check = (facts: MachineFacts, values: CauseValues) => Observed | undefined;

const say =
  (verdict: Verdict) =>
  (observed: string): Observed => ({verdict, observed});
const confirmed = say('confirmed');
const refuted = say('refuted');
const open = say('open');

/** A cause whose machine is judged by a finding of the doctor: not fine means confirmed. */
function byFinding(id: string, whenFine: Verdict = 'refuted'): Check {
  return (facts) => {
    const findings = diagnose(facts).findings.filter((each) => each.id === id);
    const [first] = findings;
    if (first === undefined) return undefined;
    const bad = findings.find(({severity}) => severity !== 'ok');
    return bad === undefined ? {verdict: whenFine, observed: first.found} : confirmed(bad.found);
  };
}

/** A filter, a label or a bit of OUR process: it may be another one in the process that failed. */
function ofOurs(isSo: boolean, yes: string, no: string): Observed {
  return isSo ? confirmed(yes) : open(`${no}; the process that failed may have another one`);
}

function apparmor({apparmor: {restrictUserns}}: MachineFacts): Observed {
  if (restrictUserns === undefined) return refuted('this kernel has no kernel.apparmor_restrict_unprivileged_userns');
  const found = `kernel.apparmor_restrict_unprivileged_userns is ${restrictUserns}`;
  return restrictUserns === 0 ? refuted(found) : confirmed(found);
}

function usernsLimit({maxUserNamespaces, ids, isInitialUserns}: MachineFacts): Observed | undefined {
  if (maxUserNamespaces === undefined) return undefined;
  const found = `max_user_namespaces is ${maxUserNamespaces}, ${ids.live.length} seen in use`;
  if (maxUserNamespaces - ids.live.length < 1) return confirmed(found);
  return isInitialUserns ? refuted(found) : open(`${found}; the namespaces above ours have limits of their own`);
}

function clone({unprivilegedUsernsClone: value}: MachineFacts): Observed {
  if (value === undefined) return refuted('this kernel has no kernel.unprivileged_userns_clone');
  const found = `kernel.unprivileged_userns_clone is ${value}`;
  return value === 0 ? confirmed(found) : refuted(found);
}

function seccomp({seccomp: mode, container}: MachineFacts): Observed {
  const where = container === undefined ? '' : ` (we are in a container: ${printable(container)})`;
  return ofOurs(mode !== 0, `a seccomp filter is on us${where}`, `no seccomp filter is on us${where}`);
}

/** Whose lines are asked about: the user that the message names, or we. */
function grant(facts: MachineFacts, values: CauseValues): Observed {
  const {ids, user} = facts;
  const name = values.user?.trim() || user.name || String(user.uid);
  const uid = ids.accounts.find((account) => account.name === name)?.uid ?? (name === user.name ? user.uid : -1);
  const counts = [ids.subuid, ids.subgid].map((file) => {
    const {ranges} = parseSubordinateIds(file.text ?? '', {shadow: ids.shadow});
    const own = rangesOf(ranges, {name, uid});
    return {path: file.path, lines: own.length, ids: own.reduce((sum, {count}) => sum + count, 0)};
  });
  const found = counts.map(
    ({path, lines, ids: sum}) => `${path} has ${lines === 0 ? 'no line' : `${sum} ids`} for ${printable(name)}`,
  );
  const source = ids.subidSource === 'files' ? '' : `; subordinate ids come from "${printable(ids.subidSource)}" here`;
  const isMissing = counts.some(({lines}) => lines === 0);
  const observed = `${found.join(', ')}${source}`;
  if (source !== '') return open(observed);
  return isMissing ? confirmed(observed) : refuted(observed);
}

function ownerAccount({ids}: MachineFacts, values: CauseValues): Observed {
  const name = values.user?.trim();
  if (name === undefined || name === '') return byFindingOpen('subid-owner-unknown', ids.accountsFrom);
  const has = ids.accounts.some((account) => account.name === name || String(account.uid) === name);
  return has ? refuted(`there is an account ${printable(name)}`) : confirmed(`there is no account ${printable(name)}`);
}

function byFindingOpen(id: string, source: string): Observed {
  return open(`see ${id} in \`subroot doctor\` (accounts are read from ${source})`);
}

function helperPrivilege({newuidmap}: MachineFacts): Observed {
  if (newuidmap === undefined) return open('newuidmap is not installed here');
  const {path, mode, uid, fileCapabilities} = newuidmap;
  const shown = `${printable(path)} has mode ${mode.toString(8).padStart(4, '0')}, owner ${uid}`;
  const isPrivileged = Math.floor(mode / 0o4000) % 2 === 1 || fileCapabilities?.has('CAP_SETUID') === true;
  return isPrivileged ? refuted(shown) : confirmed(`${shown}, and no file capability`);
}

function helperOwner({newuidmap}: MachineFacts): Observed {
  if (newuidmap === undefined) return open('newuidmap is not installed here');
  const found = `${printable(newuidmap.path)} belongs to uid ${newuidmap.uid}`;
  return newuidmap.uid === 0 ? refuted(found) : confirmed(found);
}

function helperMount({newuidmap}: MachineFacts): Observed {
  if (newuidmap === undefined) return open('newuidmap is not installed here');
  const found = `${printable(newuidmap.path)} is on ${printable(newuidmap.mountPoint)}, ${newuidmap.nosuid ? 'with' : 'without'} nosuid`;
  return newuidmap.nosuid ? confirmed(found) : refuted(found);
}

function masked(type: 'proc' | 'sysfs'): Check {
  return ({mounts}) => {
    if (mounts.length === 0) return undefined;
    const {visible, covered} = visibilityOf(mounts, type);
    if (visible) return open(`a whole ${type} is mounted where we are; in the container that failed it may be covered`);
    return confirmed(
      covered.length === 0
        ? `no whole ${type} is mounted here`
        : `mounted over it: ${covered.slice(0, 5).map(printable).join(', ')}`,
    );
  };
}

function network({mounts}: MachineFacts, {path}: CauseValues): Observed {
  const remote = mounts.filter(({type}) => /^(?:nfs4?|cifs|smb3|9p|ceph|fuse\.sshfs)$/.test(type));
  if (remote.length === 0) return refuted('no network file system is mounted here');
  const shown = remote.slice(0, 3).map(({point, type}) => `${printable(point)} (${type})`);
  const hit = path === undefined ? undefined : remote.find(({point}) => path === point || path.startsWith(`${point}/`));
  return hit === undefined
    ? open(`mounted here: ${shown.join(', ')}`)
    : confirmed(`${printable(path ?? '')} is on ${printable(hit.point)} (${hit.type})`);
}

function kernelBelow(major: number, minor: number, what: string): Check {
  return ({kernel}) => {
    const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
    const isOlder = Number(a) < major || (Number(a) === major && Number(b) < minor);
    return isOlder
      ? confirmed(`this is Linux ${printable(kernel)}, and ${what} needs ${major}.${minor}`)
      : open(`this is Linux ${printable(kernel)}; the file system decides: \`subroot doctor --mounts\` tries it`);
  };
}

function runtimes({tools, kernel}: MachineFacts): Observed {
  const old = toolsBelowFloor(tools);
  if (old.length > 0) return confirmed(`on this machine: ${old.join(', ')}; Linux ${printable(kernel)}`);
  const known = tools.filter(({name}) => ['containerd', 'crio', 'runc', 'crun', 'kubelet'].includes(name));
  if (known.length === 0) return open('no container runtime is installed where we are: look on the node');
  return refuted(known.map(({name, version}) => `${name} ${printable(version ?? '?')}`).join(', '));
}

function tools({nss}: MachineFacts): Observed {
  const missing = [...(nss.getent ? [] : ['getent']), ...(nss.getsubids ? [] : ['getsubids'])];
  return missing.length === 0
    ? refuted('getent and getsubids are both here')
    : confirmed(`there is no ${missing.join(' and no ')} here`);
}

function budget(found: string | undefined, isSpent: boolean): Observed | undefined {
  if (found === undefined) return undefined;
  return isSpent ? confirmed(found) : open(`${found} for us`);
}

/**
 * What can be seen of a cause on a machine. A cause that has no line here is about a message's own words, another machine or a moment that
 * is over: nothing is said about it then. A test holds which these are.
 */
export const checksOfCauses: Readonly<Partial<Record<CauseId, Check>>> = {
  'userns-apparmor': apparmor,
  'chromium-sandbox': apparmor,
  'apparmor-profile': ({apparmor: {label}}) =>
    label === undefined
      ? refuted('no AppArmor here')
      : ofOurs(
          !/unconfined/.test(label),
          `our AppArmor label is ${printable(label)}`,
          `our AppArmor label is ${printable(label)}`,
        ),
  'userns-limit': usernsLimit,
  'userns-sysctl': clone,
  'userns-selinux': ({selinux}) =>
    selinux === undefined
      ? refuted('no SELinux here')
      : selinux === 'permissive'
        ? refuted('SELinux is permissive here')
        : open('SELinux is enforcing here'),
  'seccomp-filter': seccomp,
  'userns-chroot': ({chroot}) =>
    chroot === undefined
      ? undefined
      : chroot
        ? confirmed('we are in a chroot')
        : open('we are in no chroot; the process that failed may be'),
  'userns-not-built': ({namespaces}) =>
    namespaces.includes('user') ? refuted('/proc/self/ns has user') : confirmed('/proc/self/ns has no user'),
  'creator-unmapped': (facts) =>
    isOwnIdMapped(facts)
      ? open('our own uid and gid are mapped')
      : confirmed('our own uid or gid has no name in our user namespace'),
  'setgroups-denied': ({setgroups}) =>
    setgroups === undefined
      ? undefined
      : ofOurs(setgroups === 'deny', 'setgroups is denied where we are', 'setgroups is allowed where we are'),
  'no-new-privs': ({noNewPrivs}) => ofOurs(noNewPrivs, 'no_new_privs is set on us', 'no_new_privs is not set on us'),
  'helper-missing': ({newuidmap, newgidmap}) =>
    newuidmap !== undefined && newgidmap !== undefined
      ? refuted(`${printable(newuidmap.path)} and ${printable(newgidmap.path)} are here`)
      : confirmed(`there is no ${newuidmap === undefined ? 'newuidmap' : 'newgidmap'} here`),
  'helper-unprivileged': helperPrivilege,
  'helper-nosuid': helperMount,
  'helper-foreign-owner': helperOwner,
  'helper-bounding-set': ({bounding}) => {
    const missing = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE'] as const;
    const lacking = missing.filter((name) => !bounding.has(name));
    return lacking.length > 0
      ? confirmed(`our bounding set has no ${lacking.join(', no ')}`)
      : open(`our bounding set has all of them (${bounding.size} of ${capabilityNames.length} capabilities)`);
  },
  'subid-none': grant,
  'subid-range-not-granted': (facts, values) => {
    const {observed} = grant(facts, values);
    return open(observed);
  },
  'subid-owner-without-account': ownerAccount,
  'subid-line-unread': byFinding('subid-syntax'),
  'subid-file-refused': ({ids}) => {
    const files = [ids.subuid, ids.subgid].filter(
      ({text}) => text !== undefined && text !== '' && !text.endsWith('\n'),
    );
    return files.length === 0
      ? refuted('both files end with a newline here')
      : confirmed(
          `${files.map(({path}) => path).join(' and ')} ${files.length === 1 ? 'does' : 'do'} not end with a newline`,
        );
  },
  'grant-overlaps-itself': (facts) =>
    byFinding('subid-own-lines')(facts, {}) ?? refuted('no two lines of ours overlap'),
  'caller-without-account': ({user}) =>
    user.name === undefined ? confirmed(`uid ${user.uid} has no account`) : open(`we are ${printable(user.name)}`),
  'nss-tool-missing': tools,
  'pool-shape': byFinding('kubelet-range'),
  'pool-narrowed': (facts) => byFinding('kubelet-records')(facts, {}),
  'block-touches-last-id': (facts) => {
    const hit = facts.kubeletBlocks.find(({first, size}) => first + size > 4_294_967_295);
    if (hit !== undefined)
      return confirmed(`pod ${printable(hit.pod)} has the block ${hit.first}:${hit.size} on record`);
    return facts.kubeletBlocks.length === 0 ? undefined : refuted('no pod of the kubelet here has that block');
  },
  'stale-outer-namespace': byFinding('podman-outer-namespace'),
  'map-flag-order': ({utilLinux}) =>
    utilLinux === undefined
      ? undefined
      : open(
          `util-linux ${printable(utilLinux)} is here, which takes ${/^2\.(?:\d|[12]\d|3[0-8])(?:\.|$)/.test(utilLinux) ? 'OUTER,INNER,COUNT' : 'INNER:OUTER:COUNT'}`,
        ),
  'proc-masked': masked('proc'),
  'sysfs-masked': masked('sysfs'),
  'idmap-unsupported': kernelBelow(5, 12, 'an idmapped mount'),
  'idmap-network-file-system': network,
  'snapshotter-no-idmap': kernelBelow(5, 19, 'overlay on idmapped layers'),
  'chowning-layers': kernelBelow(5, 19, 'overlay on idmapped layers'),
  'overlay-in-userns': kernelBelow(5, 11, 'overlay in a user namespace'),
  'call-unknown': ({kernel}) => {
    const {verdict, observed} = kernelBelow(5, 12, 'mount_setattr(2)')({kernel} as MachineFacts, {}) ?? open('');
    return verdict === 'confirmed' ? confirmed(observed) : refuted(`this is Linux ${printable(kernel)}`);
  },
  'runtime-without-userns': runtimes,
  'hostusers-ignored': runtimes,
  'initial-namespace': ({isInitialUserns}) =>
    open(isInitialUserns ? 'we are in the initial user namespace ourselves' : 'we are in a user namespace ourselves'),
  'kubelet-in-userns': ({isInitialUserns}) =>
    isInitialUserns ? open('we are in the initial user namespace') : confirmed('we are in a user namespace'),
  'yama-ptrace': ({yamaPtraceScope: scope}) =>
    scope === undefined || scope === 0
      ? refuted(scope === undefined ? 'no Yama here' : 'kernel.yama.ptrace_scope is 0')
      : confirmed(`kernel.yama.ptrace_scope is ${scope}`),
  'inotify-budget': ({inotifyInstances, budgets}) =>
    inotifyInstances === undefined
      ? undefined
      : open(
          `fs.inotify.max_user_instances is ${inotifyInstances}, max_user_watches ${budgets.inotifyWatches ?? '?'}, for each uid`,
        ),
  'process-budget': ({budgets: {processes, threadsMax}, pidMax, processCount}) =>
    budget(
      `RLIMIT_NPROC is ${processes ?? 'unlimited'}, kernel.threads-max ${threadsMax ?? '?'}, kernel.pid_max ${pidMax ?? '?'}, ${processCount} processes run`,
      (pidMax !== undefined && processCount > pidMax * 0.9) ||
        (threadsMax !== undefined && processCount > threadsMax * 0.9),
    ),
  'pids-cgroup': ({budgets: {pidsCgroup}}) =>
    pidsCgroup === undefined
      ? open('our own cgroup has no pids.max')
      : budget(
          `pids.max of our cgroup is ${pidsCgroup.max}, ${pidsCgroup.used} in use`,
          pidsCgroup.max - pidsCgroup.used < 8,
        ),
  'open-files': ({budgets: {openFiles}}) => open(`RLIMIT_NOFILE is ${openFiles ?? 'unlimited'} for us`),
  'key-budget': ({budgets: {keys}}) =>
    keys === undefined ? undefined : budget(`${keys.used} keys of ${keys.max} are in use`, keys.max - keys.used < 2),
  'pty-budget': ({budgets: {ptys}}) =>
    ptys === undefined
      ? undefined
      : budget(`${ptys.used} terminals of ${ptys.max} are in use`, ptys.max - ptys.used < 2),
  'mount-budget': ({mounts, budgets: {mountMax}}) =>
    mountMax === undefined
      ? undefined
      : budget(`${mounts.length} mounts of ${mountMax}`, mounts.length > mountMax * 0.9),
  'cgroup-not-delegated': byFinding('cgroup', 'open'),
  'mount-cgroup-v1': ({cgroup: {layout}}) =>
    layout === 'v2' ? refuted('this machine has cgroup v2 alone') : confirmed(`this machine has cgroup ${layout}`),
  'cgroup-controller-missing': ({cgroup: {controllers, layout}}) =>
    open(`our cgroup (${layout}) has ${controllers.length === 0 ? 'no controllers' : controllers.join(' ')}`),
  'ping-group-range': ({pingGroupRange}) =>
    pingGroupRange === undefined
      ? undefined
      : open(
          `net.ipv4.ping_group_range is "${printable(pingGroupRange.replaceAll(/\s+/g, ' '))}" in our net namespace`,
        ),
  'sysctl-missing': ({unprivilegedUsernsClone}, {path}) =>
    path?.includes('unprivileged_userns_clone') !== true
      ? undefined
      : unprivilegedUsernsClone === undefined
        ? confirmed('this kernel has no kernel.unprivileged_userns_clone')
        : refuted(`kernel.unprivileged_userns_clone is ${unprivilegedUsernsClone} here`),
  'parent-closed': byFinding('state-reachable', 'open'),
  'groups-dropped': byFinding('supplementary-groups', 'open'),
  'disk-full': ({state}) =>
    budget(
      `${Math.floor(state.freeBytes / 2 ** 20)} MiB are free at ${printable(state.nearest)}`,
      state.freeBytes < 2 ** 20 || state.freeInodes < 10,
    ),
  'userns-nesting': ({isInitialUserns}) =>
    open(`we are in ${isInitialUserns ? 'the initial user namespace' : 'a user namespace'} ourselves`),
  'oom-score-floor': ({oomScoreAdj}) => open(`our own oom_score_adj is ${oomScoreAdj ?? 'unknown'}`),
};

/** What this machine says to a cause, or undefined when nothing can be seen of it here. */
export function checkCause(id: string, facts: MachineFacts, values: CauseValues = {}): Observed | undefined {
  return facts.platform === 'linux' ? checksOfCauses[id as CauseId]?.(facts, values) : undefined;
}
