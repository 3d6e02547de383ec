import type {Credentials} from '../../native-free/credentials.ts';
import {type ExplainedAccess, explainAccess} from '../../native-free/explain/explain-access.ts';
import {type IdMap, toContainerId} from '../../native-free/id-map.ts';
import {
  type AccessAcl,
  type AccessAnswer,
  type AccessWant,
  checkOpen,
  checkPath,
  type Inode,
  type MountView,
  ownerThroughMount,
  type PathComponent,
} from '../../native-free/inode-access.ts';
import {parsePosixAcl} from '../../native-free/posix-acl.ts';
import type {MountFact} from './facts.ts';

/** A component of a path as it was read on this machine; see WalkedComponent of the host. */
export interface SeenComponent {
  readonly path: string;
  readonly kind: Inode['kind'];
  /** In our ids, through the mount. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly mount: MountFact | undefined;
  readonly probe: {
    readonly acl?: string;
    readonly immutable?: boolean;
    readonly idmap?: {readonly uid: IdMap; readonly gid: IdMap};
  };
  readonly onDisk: {readonly uid: number; readonly gid: number} | undefined;
  /** uid, gid and ACL are those of the disk already. */
  readonly isFromDisk: boolean;
}

/** An access and why. */
export interface JudgedAccess extends ExplainedAccess {
  readonly allowed: boolean;
}

interface OwnerPair {
  readonly uid: number | null;
  readonly gid: number | null;
}

/** One component, from the disk to the inside. null: that place has no id for it. */
export interface JudgedComponent {
  readonly path: string;
  readonly kind: Inode['kind'];
  readonly mode: number;
  readonly hasAcl: boolean;
  readonly mount: MountFact | undefined;
  /** null as a whole: shifted, and nobody here can tell how. */
  readonly onDisk: OwnerPair | null;
  /** As ids of our namespace, through the mount. */
  readonly throughMount: OwnerPair;
  readonly inside: OwnerPair;
  /** Search, of every folder that is passed; null for the last component. */
  readonly search: JudgedAccess | null;
}

export interface JudgedPath {
  readonly components: readonly JudgedComponent[];
  /** The folder that blocks. */
  readonly blockedAt: string | null;
  /** Of the last component; null when it is not reached. */
  readonly may: Readonly<Record<AccessWant, JudgedAccess>> | null;
  /** What the model does not know: sentences without a full stop. */
  readonly notes: readonly string[];
}

/** File systems that ask more than owner, bits and capabilities. */
const ownRules: readonly (readonly [type: RegExp, what: string])[] = [
  [/^proc$/, 'proc asks for ptrace rights over the process too, and lets nobody write most of its files'],
  [/^sysfs$/, 'sysfs lets nobody write what belongs to the host'],
  [/^overlay$/, 'overlay asks its layers too, as who mounted it'],
  [/^(?:nfs4?|cifs|smb3|9p|ceph|fuse(?:\..*)?)$/, 'the server of a network or fuse file system has the last word'],
];

/** Who may do what to the end of a path, and what blocks on the way; `complete`: the end was reached by the walk. Pure; the same components and credentials give the same answer. */
export function judgePath(
  who: Credentials,
  seen: readonly SeenComponent[],
  options: {readonly complete: boolean},
): JudgedPath {
  const parts = seen.map(partOf);
  const answer = checkPath(who, parts, options);
  const blocked = answer.blockedAt === undefined ? undefined : seen[answer.blockedAt]?.path;
  const last = parts.at(-1);
  const components = seen.map((each, index) => {
    const part = parts[index];
    const search = answer.search[index];
    return describe(who, each, part, search === undefined ? null : judged(search, true, part));
  });
  const {target} = answer;
  const types = new Set(seen.map(({mount}) => mount?.type ?? ''));
  const notes = ownRules.flatMap(([type, what]) => ([...types].some((each) => type.test(each)) ? [what] : []));
  return {
    components,
    notes,
    blockedAt: blocked ?? null,
    may:
      target === undefined
        ? null
        : {
            read: judged(target.read, false, last),
            write: judged(target.write, false, last),
            execute: judged(target.execute, false, last),
          },
  };
}

/** What the last component would allow through a mount that shifts ids by the map of the namespace, as volumes of a pod are mounted. */
export function judgeShifted(
  who: Credentials,
  last: SeenComponent,
  map: {readonly uid: IdMap; readonly gid: IdMap},
): Readonly<Record<AccessWant, boolean>> {
  const {inode, mount} = partOf(last);
  const shifted: MountView = {...mount, idmap: map};
  const may = (want: AccessWant) => checkOpen(who, inode, shifted, [want]).ok;
  return {read: may('read'), write: may('write'), execute: may('execute')};
}

function judged(answer: AccessAnswer, isFolder: boolean, part: PathComponent | undefined): JudgedAccess {
  const owner = part === undefined ? undefined : ownerThroughMount(part.inode, part.mount);
  const isWithoutPlace = owner !== undefined && (owner.uid === undefined || owner.gid === undefined);
  return {allowed: answer.ok, ...explainAccess(answer, {isFolder, isWithoutPlace, path: part?.name ?? '/'})};
}

/**
 * The model's component. Where the map of a shifting mount is known, ids are those of the disk (seen by another mount, or shifted back) and are
 * shifted by the model, so that an owner without a place is told from the real id 65534; else they stay as they are seen.
 */
function partOf({path, kind, uid, gid, mode, mount, probe, onDisk, isFromDisk}: SeenComponent): PathComponent {
  const {idmap} = probe;
  const back = (map: IdMap | undefined, id: number) => (map === undefined ? id : (toContainerId(map, id) ?? UNPLACED));
  const view: MountView = {
    idmap,
    readOnly: mount?.superOptions.includes('ro') ? 'file system' : mount?.options.includes('ro') ? 'mount' : undefined,
    noexec: mount?.options.includes('noexec'),
    nodev: mount?.options.includes('nodev'),
  };
  const inode: Inode = {
    kind,
    uid: idmap !== undefined && onDisk !== undefined ? onDisk.uid : back(idmap?.uid, uid),
    gid: idmap !== undefined && onDisk !== undefined ? onDisk.gid : back(idmap?.gid, gid),
    mode,
    acl: aclOf(probe.acl, back, isFromDisk ? undefined : idmap),
    immutable: probe.immutable,
  };
  return {name: path, inode, mount: view};
}

/** An id on disk that no map of a mount has: it cannot be 4294967295, which is never stored. */
const UNPLACED = 4_294_967_295;

function aclOf(
  hex: string | undefined,
  back: (map: IdMap | undefined, id: number) => number,
  idmap: SeenComponent['probe']['idmap'],
): AccessAcl | undefined {
  const acl = hex === undefined ? undefined : parsePosixAcl(hex);
  if (acl === undefined) return undefined;
  return {
    ...acl,
    users: acl.users.map(({uid, bits}) => ({uid: back(idmap?.uid, uid), bits})),
    groups: acl.groups.map(({gid, bits}) => ({gid: back(idmap?.gid, gid), bits})),
  };
}

function describe(
  {userns}: Credentials,
  seen: SeenComponent,
  part: PathComponent | undefined,
  search: JudgedAccess | null,
): JudgedComponent {
  const through = part === undefined ? {uid: undefined, gid: undefined} : ownerThroughMount(part.inode, part.mount);
  const inside = (kind: 'uid' | 'gid', id: number | undefined) =>
    id === undefined ? null : (userns.fromKernelId(kind, id) ?? null);
  return {
    path: seen.path,
    kind: seen.kind,
    mode: seen.mode,
    hasAcl: part?.inode.acl !== undefined,
    mount: seen.mount,
    onDisk: onDiskOf(seen, part),
    throughMount: {uid: through.uid ?? null, gid: through.gid ?? null},
    inside: {uid: inside('uid', through.uid), gid: inside('gid', through.gid)},
    search,
  };
}

function onDiskOf({uid, gid, mount, probe, onDisk}: SeenComponent, part: PathComponent | undefined): OwnerPair | null {
  if (mount?.options.includes('idmapped') !== true) return {uid, gid};
  if (onDisk !== undefined) return {uid: onDisk.uid, gid: onDisk.gid};
  if (probe.idmap === undefined || part === undefined) return null;
  const {inode} = part;
  return {uid: inode.uid === UNPLACED ? null : inode.uid, gid: inode.gid === UNPLACED ? null : inode.gid};
}
