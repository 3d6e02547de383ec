import {allCapabilities, type CapabilityName, type CapabilitySet, noCapabilities} from './capability.ts';
import {MAX_USERNS_LEVEL, UserNamespace} from './user-namespace.ts';

/** Who a process is, as the kernel's struct cred: all ids are KERNEL ids, all capabilities are over `userns` (and, by walk, below). */
export interface Credentials {
  readonly userns: UserNamespace;
  readonly ruid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly rgid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly effective: CapabilitySet;
  readonly permitted: CapabilitySet;
  readonly inheritable: CapabilitySet;
  readonly bounding: CapabilitySet;
  readonly ambient: CapabilitySet;
}

/** What `makeCredentials` starts from. */
export interface CredentialsSeed {
  readonly userns: UserNamespace;
  /** Kernel ids. */
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
  /** Effective and permitted ones. Default: what execve(2) leaves, all for the namespace's uid 0 and none for others. */
  readonly capabilities?: CapabilitySet;
}

/** Credentials whose real, effective, saved and file system ids are all `uid` and `gid`; bounding set full, nothing inheritable or ambient. */
export function makeCredentials(seed: CredentialsSeed): Credentials {
  const {userns, uid, gid, groups = []} = seed;
  const isRoot = userns.toKernelId('uid', 0) === uid;
  const effective = seed.capabilities ?? (isRoot ? allCapabilities : noCapabilities);
  return {
    userns,
    ...{ruid: uid, euid: uid, suid: uid, fsuid: uid},
    ...{rgid: gid, egid: gid, sgid: gid, fsgid: gid},
    groups,
    effective,
    permitted: effective,
    inheritable: noCapabilities,
    bounding: allCapabilities,
    ambient: noCapabilities,
  };
}

/**
 * Whether these credentials have a capability over a namespace: in their own by the effective set; below it by the effective set or, as
 * the owner of a namespace on the way who stands in its parent, all of them; never above or beside. Source: cap_capable_helper(), 6.18; facts §4.
 */
export function hasCapability(
  credentials: Pick<Credentials, 'userns' | 'euid' | 'effective'>,
  over: UserNamespace,
  capability: CapabilityName,
): boolean {
  const {userns, euid, effective} = credentials;
  for (let each = over; ; ) {
    if (each === userns) return effective.has(capability);
    const {parent} = each;
    if (parent === undefined || each.level <= userns.level) return false;
    if (parent === userns && each.owner === euid) return true;
    each = parent;
  }
}

/** Why a user namespace is not created or joined; `rule` is stable. */
export type UsernsRefusal =
  | {readonly ok: false; readonly errno: 'ENOSPC'; readonly rule: 'userns-level'; readonly level: number}
  | {readonly ok: false; readonly errno: 'EPERM'; readonly rule: 'userns-chroot'}
  | {
      readonly ok: false;
      readonly errno: 'EPERM';
      readonly rule: 'userns-creator-unmapped';
      readonly kind: 'uid' | 'gid';
      readonly kernelId: number;
    }
  | {readonly ok: false; readonly errno: 'EINVAL'; readonly rule: 'userns-same'}
  | {readonly ok: false; readonly errno: 'EPERM'; readonly rule: 'userns-join-sys-admin'};

/** The namespace entered and the credentials in it, or the refusal. */
export type UsernsEntry =
  | {readonly ok: true; readonly userns: UserNamespace; readonly credentials: Credentials}
  | UsernsRefusal;

/**
 * What unshare(CLONE_NEWUSER) answers, in the kernel's order: level, chroot, creator's ids mapped. On success the new, unmapped namespace and
 * the credentials inside it: same kernel ids and groups, every capability. Needs no privilege.
 * Simplified: no per-user limits (user.max_user_namespaces), no threads, no LSM. Source: create_user_ns(), 6.18; facts §3.
 */
export function createUserNamespace(creator: Credentials, options: {readonly inChroot?: boolean} = {}): UsernsEntry {
  const parent = creator.userns;
  if (parent.level >= MAX_USERNS_LEVEL)
    return {ok: false, errno: 'ENOSPC', rule: 'userns-level', level: parent.level + 1};
  if (options.inChroot === true) return {ok: false, errno: 'EPERM', rule: 'userns-chroot'};
  for (const [kind, kernelId] of [
    ['uid', creator.euid],
    ['gid', creator.egid],
  ] as const) {
    if (parent.fromKernelId(kind, kernelId) === undefined)
      return {ok: false, errno: 'EPERM', rule: 'userns-creator-unmapped', kind, kernelId};
  }
  const creatorHadSetfcap = creator.effective.has('CAP_SETFCAP');
  const userns = new UserNamespace({parent, owner: creator.euid, group: creator.egid, creatorHadSetfcap});
  return {ok: true, userns, credentials: inNamespace(creator, userns)};
}

/** What setns(2) into a user namespace answers: EINVAL for the own one, EPERM without CAP_SYS_ADMIN over it. Source: userns_install(); facts §4. */
export function joinUserNamespace(credentials: Credentials, target: UserNamespace): UsernsEntry {
  if (credentials.userns === target) return {ok: false, errno: 'EINVAL', rule: 'userns-same'};
  if (!hasCapability(credentials, target, 'CAP_SYS_ADMIN'))
    return {ok: false, errno: 'EPERM', rule: 'userns-join-sys-admin'};
  return {ok: true, userns: target, credentials: inNamespace(credentials, target)};
}

/** Source: set_cred_user_ns(), 6.18. */
function inNamespace(credentials: Credentials, userns: UserNamespace): Credentials {
  return {
    ...credentials,
    userns,
    effective: allCapabilities,
    permitted: allCapabilities,
    bounding: allCapabilities,
    inheritable: noCapabilities,
    ambient: noCapabilities,
  };
}
