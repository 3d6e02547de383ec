import {execFileSync} from 'node:child_process';
import {chmodSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {allCapabilities, type CapabilitySet, capabilityMask, noCapabilities} from '../../native-free/capability.ts';
import {type Credentials, makeCredentials} from '../../native-free/credentials.ts';
import {findErrno} from '../../native-free/errno.ts';
import type {IdMap} from '../../native-free/id-map.ts';
import {
  type AccessAcl,
  type AccessWant,
  checkAccess,
  type Inode,
  type MountView,
  mayChangeAttributes,
  mayRemove,
} from '../../native-free/inode-access.ts';
import {UserNamespace} from '../../native-free/user-namespace.ts';
import {hostTest} from '../helpers/host-test.ts';

const script = fileURLToPath(new URL('inode-access.pl', import.meta.url));
const BASE = 400_000;
const SIZE = 2000;
const map: IdMap = [{containerId: 0, hostId: BASE, size: SIZE}];

interface File {
  readonly name: string;
  readonly inode: Inode;
}
interface Who {
  readonly name: string;
  /** Ids inside. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly capabilities: CapabilitySet;
}

/** Ids that are inside and outside of the map, as the host has them, and small ones that only a shifted mount brings into it. */
const hostId = fc.constantFrom(0, 5, 1000, BASE, BASE + 5, BASE + 1000, BASE + SIZE, 70_000);
const insideId = fc.constantFrom(0, 5, 1000, 1999);
const bits = fc.integer({min: 0, max: 7});
const acl: fc.Arbitrary<AccessAcl> = fc.record({
  users: fc.uniqueArray(fc.record({uid: hostId, bits}), {maxLength: 2, selector: ({uid}) => uid}),
  groups: fc.uniqueArray(fc.record({gid: hostId, bits}), {maxLength: 2, selector: ({gid}) => gid}),
  group: bits,
  mask: bits,
});
const inode: fc.Arbitrary<Inode> = fc
  .record({
    kind: fc.constantFrom('file' as const, 'file' as const, 'folder' as const),
    uid: hostId,
    gid: hostId,
    mode: fc.integer({min: 0, max: 0o777}),
    acl: fc.option(acl, {nil: undefined}),
  })
  .map((each) => {
    if (each.acl === undefined) return each;
    // The group bits of the mode are the mask then.
    return {...each, mode: (each.mode & 0o707) + each.acl.mask * 8};
  });
const capabilities = fc.constantFrom<CapabilitySet>(
  noCapabilities,
  allCapabilities,
  new Set(['CAP_DAC_OVERRIDE']),
  new Set(['CAP_DAC_READ_SEARCH']),
  new Set(['CAP_FOWNER']),
);
const who = fc.record({uid: insideId, gid: insideId, groups: fc.uniqueArray(insideId, {maxLength: 2}), capabilities});

/** The bytes of system.posix_acl_access: version 2, then tag, bits and id of each entry. Source: include/uapi/linux/posix_acl_xattr.h. */
function aclBytes(mode: number, {users, groups, group, mask}: AccessAcl): string {
  const none = 0xffffffff;
  const entries = [
    [1, (mode >> 6) & 7, none],
    ...users.toSorted((a, b) => a.uid - b.uid).map((each) => [2, each.bits, each.uid]),
    [4, group, none],
    ...groups.toSorted((a, b) => a.gid - b.gid).map((each) => [8, each.bits, each.gid]),
    [16, mask, none],
    [32, mode & 7, none],
  ];
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag = 0, perm = 0, id = 0]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(perm, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  }
  return bytes.toString('hex');
}

function podOf(): UserNamespace {
  const userns = new UserNamespace({parent: new UserNamespace(), owner: 0, group: 0, creatorHadSetfcap: true});
  userns.installIdMap('uid', map);
  userns.installIdMap('gid', map);
  return userns;
}

function credentialsOf(userns: UserNamespace, each: Who): Credentials {
  const {uid, gid, groups} = each;
  return makeCredentials({
    userns,
    uid: BASE + uid,
    gid: BASE + gid,
    groups: groups.map((group) => BASE + group),
    capabilities: each.capabilities,
  });
}

function wantsOf(mask: number): AccessWant[] {
  return [
    ...(mask & 4 ? (['read'] as const) : []),
    ...(mask & 2 ? (['write'] as const) : []),
    ...(mask & 1 ? (['execute'] as const) : []),
  ];
}

const views: Readonly<Record<string, MountView>> = {plain: {}, view: {idmap: {uid: map, gid: map}}};
const top: Inode = {kind: 'folder', uid: 0, gid: 0, mode: 0o1777};

hostTest(
  'root',
  'userns',
  'perl',
)(
  'the model of access and the kernel agree on random files, users, capabilities and ACLs, plain and through shifted ids',
  async (t) => {
    const folder = await dir({prefix: 'subroot-access', unsafeCleanup: true});
    t.teardown(() => folder.cleanup());
    chmodSync(folder.path, 0o755);
    const seed = Date.now() % 1_000_000;
    const files: File[] = fc
      .sample(inode, {numRuns: 100, seed})
      .map((each, index) => ({name: `f${index}`, inode: each}));
    const whos: Who[] = fc.sample(who, {numRuns: 20, seed}).map((each, index) => ({name: `w${index}`, ...each}));
    const input = [
      ...files.map(({name, inode: {kind, uid, gid, mode, acl: list}}) =>
        [
          'file',
          name,
          kind === 'folder' ? 'd' : 'f',
          uid,
          gid,
          mode.toString(8),
          list ? aclBytes(mode, list) : '-',
        ].join(' '),
      ),
      ...whos.map(({name, uid, gid, groups, capabilities: set}) =>
        ['who', name, uid, gid, groups.join(',') || '-', capabilityMask(set).toString(16)].join(' '),
      ),
    ].join('\n');
    const output = execFileSync('perl', [script, process.arch, folder.path, String(BASE), String(SIZE)], {
      input: `${input}\n`,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    const userns = podOf();
    const lines = output.trim().split('\n');
    t.is(lines.length, files.length * whos.length * 2);
    let allowed = 0;
    const differences: string[] = [];
    for (const line of lines) {
      const [name, view = '', file, ...answers] = line.split(' ');
      const each = whos.find((candidate) => candidate.name === name);
      const subject = files.find((candidate) => candidate.name === file)?.inode;
      if (each === undefined || subject === undefined) throw new Error(line);
      const credentials = credentialsOf(userns, each);
      const mount = views[view] ?? {};
      const say = (what: string, kernel: string, model: string) => {
        if (kernel !== model)
          differences.push(
            `${what} ${view}: kernel ${kernel}, model ${model}: ${JSON.stringify({...each, capabilities: [...each.capabilities].length})} ${JSON.stringify(subject)}`,
          );
      };
      for (let mask = 1; mask <= 7; mask += 1) {
        const answer = checkAccess(credentials, subject, mount, wantsOf(mask));
        const kernel = answers[mask - 1] === '0' ? 'ok' : (findErrno(Number(answers[mask - 1])) ?? 'unknown');
        if (kernel === 'ok') allowed += 1;
        say(`access ${mask}`, kernel, answer.ok ? 'ok' : answer.errno);
      }
      if (answers[7] !== '-') {
        say('chmod', String(answers[7] === '0'), String(mayChangeAttributes(credentials, subject, mount)));
        say('unlink', String(answers[8] === '0'), String(mayRemove(credentials, top, subject, mount)));
      }
    }
    t.deepEqual(differences.slice(0, 5), [], `${differences.length} differences with seed ${seed}`);
    t.true(allowed > 500 && allowed < lines.length * 7 - 500, `${allowed} of ${lines.length * 7} are allowed`);
  },
);
