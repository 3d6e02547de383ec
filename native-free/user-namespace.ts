import {IDENTITY_MAP, type IdMap, toContainerId, toHostId} from './id-map.ts';
import {INVALID_ID} from './ids.ts';

/** User ids, group ids, project ids (disk quota): each has a map of its own. */
export type IdKind = 'uid' | 'gid' | 'projid';
/** What /proc/PID/setgroups shows. */
export type SetgroupsState = 'allow' | 'deny';

/** The initial user namespace is level 0; the deepest that can be made is level 33. Source: create_user_ns(), `parent->level > 32`; measured. */
export const MAX_USERNS_LEVEL = 33;

/** Where a namespace comes from; it never changes. */
export interface UserNamespaceOrigin {
  readonly parent: UserNamespace;
  /** Kernel id of the creator's effective uid: who has all capabilities over it from the parent. */
  readonly owner: number;
  /** Kernel id of the creator's effective gid. */
  readonly group: number;
  /** Whether the creator had effective CAP_SETFCAP: then it may map the parent's 0 from inside. Since 5.12. */
  readonly creatorHadSetfcap: boolean;
}

/**
 * A user namespace of the model. Its maps hold KERNEL ids (`hostId` is what the initial namespace sees), as the kernel stores them, and
 * are translated when shown. Two namespaces are the same when they are the same object. Creation rules are in credentials.ts, the rules for
 * writing maps in write-id-map.ts; the two `install` methods are for those and check nothing.
 */
export class UserNamespace {
  readonly parent: UserNamespace | undefined;
  readonly level: number;
  readonly owner: number;
  readonly group: number;
  readonly creatorHadSetfcap: boolean;
  readonly #maps: Record<IdKind, IdMap>;
  #setgroups: SetgroupsState;

  /** Without an origin: an initial user namespace, mapped to itself, owned by 0, setgroups allowed. A child inherits setgroups. */
  constructor(origin?: UserNamespaceOrigin) {
    this.parent = origin?.parent;
    this.level = origin === undefined ? 0 : origin.parent.level + 1;
    this.owner = origin?.owner ?? 0;
    this.group = origin?.group ?? 0;
    this.creatorHadSetfcap = origin?.creatorHadSetfcap ?? true;
    const map = origin === undefined ? IDENTITY_MAP : [];
    this.#maps = {uid: map, gid: map, projid: map};
    this.#setgroups = origin?.parent.setgroups ?? 'allow';
  }

  get setgroups(): SetgroupsState {
    return this.#setgroups;
  }

  /** Whether setgroups(2) works inside: allowed, and gid_map is written. Source: may_setgroups() → userns_may_setgroups(), 6.18. */
  get maySetgroups(): boolean {
    return this.#setgroups === 'allow' && this.#maps.gid.length > 0;
  }

  /** The map in kernel ids; empty while it is not written. Up to five lines as written, more sorted by the inside id. */
  kernelMap(kind: IdKind): IdMap {
    return this.#maps[kind];
  }

  /** Kernel id of an id inside, or undefined when it is unmapped (a system call then fails with EINVAL). Source: make_kuid(). */
  toKernelId(kind: IdKind, id: number): number | undefined {
    return toHostId(this.#maps[kind], id);
  }

  /** Id inside of a kernel id, or undefined when it is unmapped (stat shows 65534, uid_map shows 4294967295). Source: from_kuid(). */
  fromKernelId(kind: IdKind, kernelId: number): number | undefined {
    return toContainerId(this.#maps[kind], kernelId);
  }

  /** True for this namespace itself and every one below it. */
  contains(other: UserNamespace): boolean {
    for (let each: UserNamespace | undefined = other; each !== undefined; each = each.parent)
      if (each === this) return true;
    return false;
  }

  installIdMap(kind: IdKind, kernelMap: IdMap): void {
    this.#maps[kind] = kernelMap;
  }

  installSetgroups(state: SetgroupsState): void {
    this.#setgroups = state;
  }
}

/**
 * The map as a reader sees it in /proc: outside ids are those of the namespace in which the file was OPENED, or of the parent when that is
 * the same namespace; 4294967295 where the first id of a line has no name there. Source: uid_m_show(), 6.18; facts §1.4.
 */
export function showIdMap(target: UserNamespace, kind: IdKind, openedIn: UserNamespace): IdMap {
  const reader = openedIn === target ? (target.parent ?? target) : openedIn;
  return target.kernelMap(kind).map(({containerId, hostId, size}) => ({
    containerId,
    hostId: reader.fromKernelId(kind, hostId) ?? INVALID_ID,
    size,
  }));
}

/** From the initial namespace down to this one: never empty. */
export function lineage(userns: UserNamespace): readonly UserNamespace[] {
  const path: UserNamespace[] = [];
  for (let each: UserNamespace | undefined = userns; each !== undefined; each = each.parent) path.unshift(each);
  return path;
}
