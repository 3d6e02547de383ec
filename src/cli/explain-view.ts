import {allCapabilities, type CapabilitySet, noCapabilities} from '../../native-free/capability.ts';
import {type Credentials, makeCredentials} from '../../native-free/credentials.ts';
import {printable, subrootError} from '../../native-free/errors.ts';
import {type IdMap, requireIdMap} from '../../native-free/id-map.ts';
import {UserNamespace} from '../../native-free/user-namespace.ts';
import {readMap} from '../host/machine-namespaces.ts';
import {readCredentials} from '../host/process-credentials.ts';
import {usageError} from './failure.ts';
import {parseNumberWord} from './id-words.ts';
import {mapText} from './map-levels.ts';
import type {Output} from './output.ts';

/** Through whose eyes a path is looked at. */
export interface PathView {
  readonly source: {readonly kind: 'pod' | 'pid' | 'map'; readonly name: string; readonly pid: number | null};
  readonly map: {readonly uid: IdMap; readonly gid: IdMap};
  /** With ids of OUR namespace, as the model wants kernel ids. */
  readonly who: Credentials;
}

export interface ViewFlags {
  readonly pod?: string | undefined;
  readonly container?: string | undefined;
  readonly pid?: string | undefined;
  readonly map?: string | undefined;
  readonly user?: string | undefined;
}

/** The view that the flags name. Errors: SUBROOT_USAGE, SUBROOT_NOT_FOUND, SUBROOT_PROCESS_NOT_FOUND, SUBROOT_IDMAP_TEXT. */
export async function openView(flags: ViewFlags, root: string, output: Output): Promise<PathView> {
  const given = [flags.pod && '--pod', flags.pid && '--pid', flags.map && '--map'].filter(
    (flag) => flag !== undefined && flag !== '',
  );
  if (given.length > 1) throw usageError(`${given.join(' and ')} exclude each other`, 'give one of them');
  if (flags.container !== undefined && flags.pod === undefined)
    throw usageError('-c names a container of a pod', 'give --pod too');
  if (flags.map !== undefined) return viewOfMap(flags.map, flags.user);
  if (flags.pid !== undefined) {
    const pid = parseNumberWord(flags.pid, '--pid');
    return viewOfProcess({kind: 'pid', name: String(pid)}, pid, flags.user);
  }
  const {name, pid} = await findContainer(flags.pod ?? '', flags.container, root, output);
  return viewOfProcess({kind: 'pod', name}, pid, flags.user);
}

async function findContainer(
  ref: string,
  container: string | undefined,
  root: string,
  output: Output,
): Promise<{readonly name: string; readonly pid: number}> {
  const [{openInventory}, {containerOf, findTarget}] = await Promise.all([
    import('./open-inventory.ts'),
    import('./target.ts'),
  ]);
  const target = findTarget(openInventory(root), ref);
  const id = await containerOf(target, container, output);
  const found = (await target.pod.containers()).find((each) => each.id === id);
  if (found?.pid === undefined)
    throw usageError(
      `container ${printable(found?.name ?? id)} of pod ${printable(target.pod.name)} does not run, so it sees nothing`,
      'look at what runs with `subroot ps`, or give a map: --map "0 100000 65536"',
    );
  return {name: `${target.pod.name}/${found.name}`, pid: found.pid};
}

function viewOfProcess(
  source: {readonly kind: 'pod' | 'pid'; readonly name: string},
  pid: number,
  user: string | undefined,
): PathView {
  const uid = readMap(pid, 'uid_map');
  const gid = readMap(pid, 'gid_map');
  const own = readCredentials(pid);
  if (uid === undefined || gid === undefined || own === undefined)
    throw subrootError('SUBROOT_PROCESS_NOT_FOUND', {pid});
  const map = {uid, gid};
  const userns = namespaceOf(map);
  const who =
    user === undefined
      ? makeCredentials({userns, uid: own.uid, gid: own.gid, groups: own.groups, capabilities: own.effective})
      : credentialsOf(userns, user, own.bounding);
  return {source: {...source, pid}, map, who};
}

function viewOfMap(text: string, user: string | undefined): PathView {
  const lines = requireIdMap(mapText(text), '--map');
  const map = {uid: lines, gid: lines};
  const who = credentialsOf(namespaceOf(map), user ?? '0:0', allCapabilities);
  return {source: {kind: 'map', name: text.trim(), pid: null}, map, who};
}

/** A namespace below ours, whose outside ids are ours. */
function namespaceOf({uid, gid}: PathView['map']): UserNamespace {
  const userns = new UserNamespace({parent: new UserNamespace(), owner: 0, group: 0, creatorHadSetfcap: true});
  userns.installIdMap('uid', uid);
  userns.installIdMap('gid', gid);
  return userns;
}

/** `--user UID[:GID]`, ids inside: no groups, gid 0 without one, and capabilities for uid 0 only, as a container that is started so has them. */
function credentialsOf(userns: UserNamespace, user: string, ofRoot: CapabilitySet): Credentials {
  const [uidWord = '', gidWord = '0', ...more] = user.split(':');
  if (more.length > 0) throw usageError(`--user cannot be "${user}"`, 'write UID or UID:GID, ids inside');
  const uid = kernelId(userns, 'uid', parseNumberWord(uidWord, '--user'));
  const gid = kernelId(userns, 'gid', parseNumberWord(gidWord, '--user'));
  return makeCredentials({userns, uid, gid, capabilities: uidWord === '0' ? ofRoot : noCapabilities});
}

function kernelId(userns: UserNamespace, kind: 'uid' | 'gid', id: number): number {
  const found = userns.toKernelId(kind, id);
  if (found === undefined)
    throw usageError(
      `${kind} ${id} has no place in the id map, so nobody can be it`,
      'choose an id of the map: `subroot map` shows it',
    );
  return found;
}
