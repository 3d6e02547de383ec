import {readFileSync} from 'node:fs';
import test from 'ava';
import {allCapabilities, type CapabilityName, noCapabilities, parseCapability} from '../../native-free/capability.ts';
import {type Credentials, createUserNamespace, makeCredentials} from '../../native-free/credentials.ts';
import {formatProcIdMap} from '../../native-free/id-map.ts';
import {type IdKind, showIdMap, UserNamespace} from '../../native-free/user-namespace.ts';
import {findOpenRefusal, type IdMapFile, writeIdMap, writeSetgroups} from '../../native-free/write-id-map.ts';

/** Measured on Linux 6.18; see `readme` in the file. */
interface VectorCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly ruid?: number;
  readonly groups?: readonly number[];
  readonly caps?: readonly string[];
  readonly drop?: readonly string[];
}

interface Vector {
  readonly name: string;
  readonly writer: 'root-parent' | 'unpriv-parent' | 'self' | 'grandparent';
  readonly file: IdMapFile | 'setgroups';
  readonly map: string;
  readonly setgroups: 'unset' | 'allow' | 'deny';
  readonly setgroups_result?: string;
  readonly expect: string;
  readonly reads_back: string;
  readonly pre?: readonly {
    readonly file?: IdMapFile | 'setgroups';
    readonly map: string;
    readonly offset?: number;
  }[];
  readonly pre_results?: readonly string[];
  readonly same_fd?: boolean;
  readonly offset?: number;
  readonly creds?: VectorCredentials;
  readonly owner?: VectorCredentials;
  readonly opened_by?: 'root' | 'unpriv';
  readonly outer?: {readonly uid_map?: string; readonly gid_map?: string};
}

const fixture = new URL('../fixtures/uid-map-vectors.json', import.meta.url);
const {vectors} = JSON.parse(readFileSync(fixture, 'utf8')) as {readonly vectors: readonly Vector[]};

function capability(text: string): CapabilityName {
  const name = parseCapability(text);
  if (name === undefined) throw new Error(`no capability: ${text}`);
  return name;
}

function credentialsOf(vector: VectorCredentials, userns: UserNamespace): Credentials {
  const uid = userns.toKernelId('uid', vector.uid) ?? vector.uid;
  const gid = userns.toKernelId('gid', vector.gid) ?? vector.gid;
  const dropped = new Set((vector.drop ?? []).map(capability));
  const capabilities =
    vector.uid === 0
      ? new Set([...allCapabilities].filter((name) => !dropped.has(name)))
      : new Set((vector.caps ?? []).map(capability));
  const credentials = makeCredentials({userns, uid, gid, groups: vector.groups ?? [], capabilities});
  return {...credentials, ruid: vector.ruid ?? credentials.ruid};
}

function child(creator: Credentials): {readonly userns: UserNamespace; readonly credentials: Credentials} {
  const made = createUserNamespace(creator);
  if (!made.ok) throw new Error(made.rule);
  return made;
}

function scene(vector: Vector) {
  const initial = new UserNamespace();
  const hostRoot = makeCredentials({userns: initial, uid: 0, gid: 0});
  let base = initial;
  if (vector.outer !== undefined) {
    base = child(hostRoot).userns;
    for (const file of ['uid_map', 'gid_map'] as const)
      writeIdMap({file, target: base, opener: hostRoot, text: vector.outer[file] ?? ''});
  }
  const isRoot = vector.writer === 'root-parent' || vector.writer === 'grandparent';
  const usual = isRoot ? {uid: 0, gid: 0} : {uid: 1000, gid: 1000};
  const inParent = credentialsOf(vector.creds ?? usual, base);
  const creator = vector.owner === undefined ? inParent : credentialsOf(vector.owner, base);
  const target = child(creator);
  const writer = vector.writer === 'self' ? target.credentials : vector.writer === 'grandparent' ? hostRoot : inParent;
  const opener =
    vector.opened_by === 'root'
      ? credentialsOf({uid: 0, gid: 0}, base)
      : vector.opened_by === 'unpriv'
        ? {...writer, euid: 1000, egid: 1000, fsuid: 1000, fsgid: 1000, effective: noCapabilities}
        : writer;
  return {target: target.userns, opener, writer, inode: {uid: creator.euid, gid: creator.egid}};
}

for (const vector of vectors) {
  test(`the model answers as Linux did: ${vector.name} (${vector.writer}, ${vector.file})`, (t) => {
    const {target, opener, writer, inode} = scene(vector);
    let position = 0;
    const write = (file: Vector['file'], text: string, offset: number | undefined): string => {
      const refusal = findOpenRefusal({file, opener, target, inode});
      if (refusal !== undefined) return `open:${refusal.errno}`;
      const start = offset ?? (vector.same_fd === true && file === vector.file ? position : 0);
      const answer =
        file === 'setgroups'
          ? writeSetgroups({target, text, offset: start})
          : writeIdMap({file, target, opener, writer, text, offset: start});
      if (!answer.ok) return answer.errno;
      t.is(answer.bytes, text.length);
      position = start + answer.bytes;
      return 'ok';
    };
    if (vector.setgroups !== 'unset')
      t.is(write('setgroups', vector.setgroups, undefined), vector.setgroups_result ?? 'ok');
    const results = (vector.pre ?? []).map((pre) => write(pre.file ?? vector.file, pre.map, pre.offset));
    t.deepEqual(results, vector.pre_results ?? []);
    t.is(write(vector.file, vector.map, vector.offset), vector.expect);
    const shown =
      vector.file === 'setgroups'
        ? `${target.setgroups}\n`
        : formatProcIdMap(showIdMap(target, vector.file.replace('_map', '') as IdKind, writer.userns));
    t.is(shown, vector.reads_back);
  });
}

test('all vectors of the team are here', (t) => {
  t.is(vectors.length, 70);
});
