import type {CapabilityName} from './capability.ts';
import type {Credentials} from './credentials.ts';
import {type IdMap, toHostId} from './id-map.ts';

export type AccessWant = 'read' | 'write' | 'execute';

/** Permission bits of one class: r 4, w 2, x 1. */
export type AccessBits = number;

/** The extended part of a POSIX ACL; owner and others have theirs in the mode. Ids as on disk. Source: acl(5). */
export interface AccessAcl {
  readonly users: readonly {readonly uid: number; readonly bits: AccessBits}[];
  readonly groups: readonly {readonly gid: number; readonly bits: AccessBits}[];
  /** Of the owning group; the group bits of the mode hold the mask then. */
  readonly group: AccessBits;
  readonly mask: AccessBits;
}

/** What access to a file is decided by. Ids are KERNEL ids as they are stored, before a mount shifts them. */
export interface Inode {
  readonly kind: 'file' | 'folder' | 'device' | 'other';
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, sticky bit included. */
  readonly mode: number;
  readonly acl?: AccessAcl | undefined;
  readonly immutable?: boolean | undefined;
}

/** The mount through which it is reached. */
export interface MountView {
  /** Of an idmapped mount: from ids on disk to kernel ids. */
  readonly idmap?: {readonly uid: IdMap; readonly gid: IdMap} | undefined;
  /** `mount`: this mount; `file system`: all mounts of it. */
  readonly readOnly?: 'mount' | 'file system' | undefined;
  readonly noexec?: boolean | undefined;
  readonly nodev?: boolean | undefined;
}

/** Whose bits decided. */
export type AccessClass = 'owner' | 'named user' | 'group' | 'named group' | 'others';

/** Why access is refused; `rule` is stable. */
export type AccessRefusal =
  | {readonly ok: false; readonly errno: 'EROFS'; readonly rule: 'access-read-only'}
  | {readonly ok: false; readonly errno: 'EACCES'; readonly rule: 'access-noexec' | 'access-nodev'}
  | {readonly ok: false; readonly errno: 'EPERM'; readonly rule: 'access-immutable'}
  /** Written through an idmapped mount that has no place for the owner. */
  | {readonly ok: false; readonly errno: 'EACCES'; readonly rule: 'access-owner-unmapped'}
  | {
      readonly ok: false;
      readonly errno: 'EACCES';
      readonly rule: 'access-bits';
      readonly class: AccessClass;
      readonly bits: AccessBits;
      /** Why no capability helps: `none` is effective, the owner or group has no id in the namespace, or no x bit is set at all. */
      readonly capability: 'none' | 'owner has no id' | 'group has no id' | 'no execute bit';
    };

export type AccessAnswer =
  | {readonly ok: true; readonly by: AccessClass}
  | {readonly ok: true; readonly by: 'capability'; readonly capability: CapabilityName}
  | AccessRefusal;

const bitOf: Readonly<Record<AccessWant, number>> = {read: 4, write: 2, execute: 1};

/** Owner and group as kernel ids through a mount; undefined where an idmapped mount has no place for them. Source: make_vfsuid(), 6.18. */
export function ownerThroughMount(
  inode: Pick<Inode, 'uid' | 'gid'>,
  {idmap}: MountView,
): {readonly uid: number | undefined; readonly gid: number | undefined} {
  return idmap === undefined ? inode : {uid: toHostId(idmap.uid, inode.uid), gid: toHostId(idmap.gid, inode.gid)};
}

/**
 * What access(2) with the effective ids, and open(2), answer: in the kernel's order. `want` may name several; all must be allowed. For a
 * folder `execute` is search. Simplified: no LSM, no device cgroup, no file system with rules of its own (overlay asks its layers too, network
 * file systems their server). Source: fs/namei.c inode_permission(), generic_permission(), acl_permission_check(); fs/open.c do_faccessat(), 6.18.
 */
export function checkAccess(
  who: Credentials,
  inode: Inode,
  mount: MountView,
  want: readonly AccessWant[],
): AccessAnswer {
  const bits = want.reduce((sum, each) => sum | bitOf[each], 0);
  const writes = want.includes('write');
  const isSpecial = inode.kind === 'device' || inode.kind === 'other';
  if (want.includes('execute') && inode.kind === 'file' && mount.noexec === true)
    return {ok: false, errno: 'EACCES', rule: 'access-noexec'};
  if (writes && mount.readOnly === 'file system' && !isSpecial)
    return {ok: false, errno: 'EROFS', rule: 'access-read-only'};
  if (writes && inode.immutable === true) return {ok: false, errno: 'EPERM', rule: 'access-immutable'};
  const owner = ownerThroughMount(inode, mount);
  if (writes && (owner.uid === undefined || owner.gid === undefined))
    return {ok: false, errno: 'EACCES', rule: 'access-owner-unmapped'};
  const answer = checkBits(who, inode, mount, owner, bits);
  if (!answer.ok) return answer;
  if (writes && mount.readOnly === 'mount' && !isSpecial) return {ok: false, errno: 'EROFS', rule: 'access-read-only'};
  return answer;
}

/** As checkAccess, for open(2): a device on a mount with nodev is refused first. Source: may_open(), may_open_dev(). */
export function checkOpen(who: Credentials, inode: Inode, mount: MountView, want: readonly AccessWant[]): AccessAnswer {
  if (inode.kind === 'device' && mount.nodev === true) return {ok: false, errno: 'EACCES', rule: 'access-nodev'};
  return checkAccess(who, inode, mount, want);
}

interface Owner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

function checkBits(who: Credentials, inode: Inode, mount: MountView, owner: Owner, wanted: AccessBits): AccessAnswer {
  const {by, bits} = classOf(who, inode, mount, owner, wanted);
  if ((wanted & ~bits) === 0) return {ok: true, by};
  const capability = capabilityFor(who, inode, owner, wanted);
  if (capability.ok) return {ok: true, by: 'capability', capability: capability.name};
  return {ok: false, errno: 'EACCES', rule: 'access-bits', class: by, bits, capability: capability.why};
}

/** The class whose bits count, and those bits. An ACL is asked only where the group bits (its mask) are not all clear. */
function classOf(
  who: Credentials,
  inode: Inode,
  mount: MountView,
  owner: Owner,
  wanted: AccessBits,
): {readonly by: AccessClass; readonly bits: AccessBits} {
  const {mode, acl} = inode;
  if (owner.uid !== undefined && owner.uid === who.fsuid) return {by: 'owner', bits: (mode >> 6) & 7};
  if (acl !== undefined && (mode & 0o070) !== 0) return classOfAcl(who, inode, acl, mount, owner, wanted);
  if (isInGroup(who, owner.gid)) return {by: 'group', bits: (mode >> 3) & 7};
  return {by: 'others', bits: mode & 7};
}

/** Source: fs/posix_acl.c posix_acl_permission(), 6.18. */
function classOfAcl(
  who: Credentials,
  {mode}: Inode,
  acl: AccessAcl,
  {idmap}: MountView,
  owner: Owner,
  wanted: AccessBits,
): {readonly by: AccessClass; readonly bits: AccessBits} {
  const uidOf = (uid: number) => (idmap === undefined ? uid : toHostId(idmap.uid, uid));
  const gidOf = (gid: number) => (idmap === undefined ? gid : toHostId(idmap.gid, gid));
  const user = acl.users.find(({uid}) => uidOf(uid) === who.fsuid);
  if (user !== undefined) return {by: 'named user', bits: user.bits & acl.mask};
  const groups = [
    ...(isInGroup(who, owner.gid) ? [{by: 'group' as const, bits: acl.group}] : []),
    ...acl.groups.filter(({gid}) => isInGroup(who, gidOf(gid))).map(({bits}) => ({by: 'named group' as const, bits})),
  ];
  const [first] = groups;
  if (first === undefined) return {by: 'others', bits: mode & 7};
  // The first group that allows all of it decides, under the mask; when none does, nothing is allowed.
  const best = groups.find(({bits}) => (wanted & ~bits) === 0);
  return best === undefined ? {by: first.by, bits: first.bits & acl.mask} : {by: best.by, bits: best.bits & acl.mask};
}

function isInGroup(who: Credentials, gid: number | undefined): boolean {
  return gid !== undefined && (who.fsgid === gid || who.groups.includes(gid));
}

type CapabilityAnswer =
  | {readonly ok: true; readonly name: CapabilityName}
  | {readonly ok: false; readonly why: 'none' | 'owner has no id' | 'group has no id' | 'no execute bit'};

/** A capability counts over a file only where its owner and its group have ids in the namespace. Source: privileged_wrt_inode_uidgid(), 6.18. */
function capabilityFor(who: Credentials, {kind, mode}: Inode, owner: Owner, wanted: AccessBits): CapabilityAnswer {
  const has = (name: CapabilityName) => who.effective.has(name);
  const readsOnly = kind === 'folder' ? (wanted & 2) === 0 : wanted === 4;
  const hasOverride = has('CAP_DAC_OVERRIDE');
  const hasSearch = readsOnly && has('CAP_DAC_READ_SEARCH');
  if (!hasOverride && !hasSearch) return {ok: false, why: 'none'};
  if (!isMapped(who, 'uid', owner.uid)) return {ok: false, why: 'owner has no id'};
  if (!isMapped(who, 'gid', owner.gid)) return {ok: false, why: 'group has no id'};
  if (hasSearch) return {ok: true, name: 'CAP_DAC_READ_SEARCH'};
  // Executable at all: somebody must have an x bit, unless it is a folder.
  if (kind !== 'folder' && (wanted & 1) !== 0 && (mode & 0o111) === 0) return {ok: false, why: 'no execute bit'};
  return {ok: true, name: 'CAP_DAC_OVERRIDE'};
}

function isMapped({userns}: Credentials, kind: 'uid' | 'gid', id: number | undefined): boolean {
  return id !== undefined && userns.fromKernelId(kind, id) !== undefined;
}

/**
 * Whether chmod(2), utimes with a given time and ACL changes are allowed: to the owner, or with CAP_FOWNER where the OWNER has an id (the
 * group need not). Source: fs/inode.c inode_owner_or_capable(), 6.18.
 */
export function mayChangeAttributes(who: Credentials, inode: Inode, mount: MountView): boolean {
  if (inode.immutable === true || mount.readOnly !== undefined) return false;
  const {uid, gid} = ownerThroughMount(inode, mount);
  if (uid === undefined || gid === undefined) return false;
  return uid === who.fsuid || (isMapped(who, 'uid', uid) && who.effective.has('CAP_FOWNER'));
}

/**
 * Whether unlink(2) or rmdir(2) of an inode in a folder is allowed, as far as owners and bits decide: write and search on the folder, and in a
 * sticky one the file's owner, the folder's owner, or CAP_FOWNER over the file. Source: fs/namei.c may_delete(), __check_sticky(), 6.18.
 */
export function mayRemove(who: Credentials, folder: Inode, inode: Inode, mount: MountView): boolean {
  if (!checkAccess(who, folder, mount, ['write', 'execute']).ok || inode.immutable === true) return false;
  const owner = ownerThroughMount(inode, mount);
  if (owner.uid === undefined || owner.gid === undefined) return false;
  if ((folder.mode & 0o1000) === 0) return true;
  if (owner.uid === who.fsuid || ownerThroughMount(folder, mount).uid === who.fsuid) return true;
  return isMapped(who, 'uid', owner.uid) && isMapped(who, 'gid', owner.gid) && who.effective.has('CAP_FOWNER');
}

/** A component of a path: what it is, and the mount that it is on. */
export interface PathComponent {
  readonly name: string;
  readonly inode: Inode;
  readonly mount: MountView;
}

/** How far a path can be walked. */
export interface PathAnswer {
  /** Index of the folder that cannot be searched; undefined: the last component is reached. */
  readonly blockedAt: number | undefined;
  /** For each folder before the last component: search. */
  readonly search: readonly AccessAnswer[];
  /** For the last component, when it is reached: each want alone. */
  readonly target: Readonly<Record<AccessWant, AccessAnswer>> | undefined;
}

/**
 * Walks a path from its root: search in every folder, then each access to what is at its end. Links must be resolved already. Without
 * `complete` the last component is a folder on the way too, behind which nobody could look.
 */
export function checkPath(
  who: Credentials,
  components: readonly PathComponent[],
  {complete = true}: {readonly complete?: boolean} = {},
): PathAnswer {
  const folders = complete ? components.slice(0, -1) : components;
  const last = complete ? components.at(-1) : undefined;
  const search = folders.map(({inode, mount}) => checkAccess(who, inode, mount, ['execute']));
  const blocked = search.findIndex(({ok}) => !ok);
  if (last === undefined || blocked >= 0)
    return {blockedAt: blocked < 0 ? undefined : blocked, search, target: undefined};
  const target = (want: AccessWant) => checkOpen(who, last.inode, last.mount, [want]);
  return {
    blockedAt: undefined,
    search,
    target: {read: target('read'), write: target('write'), execute: target('execute')},
  };
}
