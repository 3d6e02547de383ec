import test from 'ava';
import fc from 'fast-check';
import {allCapabilities, type CapabilityName, noCapabilities} from '../../native-free/capability.ts';
import {type Credentials, createUserNamespace, makeCredentials} from '../../native-free/credentials.ts';
import {explainMapWrite} from '../../native-free/explain-map-write.ts';
import {findIdMapProblem, formatIdMap, formatProcIdMap, parseIdMap} from '../../native-free/id-map.ts';
import {showIdMap, UserNamespace} from '../../native-free/user-namespace.ts';
import {
  checkMapWrite,
  checkSetgroupsWrite,
  findOpenRefusal,
  type MapRefusal,
  parseMapWrite,
  writeIdMap,
  writeSetgroups,
} from '../../native-free/write-id-map.ts';
import {anyMap, crookedText, validMap} from './arbitraries.ts';

const all = allCapabilities;

function without(...names: readonly CapabilityName[]): Set<CapabilityName> {
  return new Set([...all].filter((name) => !names.includes(name)));
}

function child(creator: Credentials) {
  const made = createUserNamespace(creator);
  if (!made.ok) throw new Error(made.rule);
  return {target: made.userns, inside: made.credentials};
}

function rootScene() {
  const initial = new UserNamespace();
  const root = makeCredentials({userns: initial, uid: 0, gid: 0});
  return {initial, root, ...child(root)};
}

function userScene(capabilities: ReadonlySet<CapabilityName> = noCapabilities) {
  const initial = new UserNamespace();
  const root = makeCredentials({userns: initial, uid: 0, gid: 0});
  const user = makeCredentials({userns: initial, uid: 1000, gid: 1000, capabilities});
  return {initial, root, user, ...child(user)};
}

function outcome(
  answer: {readonly ok: true} | {readonly ok: false; readonly errno: string; readonly rule: string},
): string {
  return answer.ok ? 'ok' : `${answer.errno} ${answer.rule}`;
}

function uidOutcome(opener: Credentials, target: UserNamespace, text: string, writer = opener): string {
  return outcome(checkMapWrite({file: 'uid_map', target, opener, writer, text}));
}

function gidOutcome(opener: Credentials, target: UserNamespace, text: string): string {
  return outcome(checkMapWrite({file: 'gid_map', target, opener, text}));
}

const RANGE = '0 100000 65536\n';
const NO_SETUID = 'EPERM idmap-setid-capability';
const NO_SETFCAP = 'EPERM idmap-setfcap';

test('the initial namespace has its map for good', (t) => {
  const {initial, root} = rootScene();
  for (const file of ['uid_map', 'gid_map', 'projid_map'] as const)
    t.is(outcome(checkMapWrite({file, target: initial, opener: root, text: RANGE})), 'EPERM idmap-initial-namespace');
});

test('a range is for host root and for the owner with CAP_SETUID, not for the owner or the process itself', (t) => {
  const host = rootScene();
  t.is(uidOutcome(host.root, host.target, RANGE), 'ok');
  t.is(uidOutcome(host.inside, host.target, RANGE), NO_SETUID);
  const plain = userScene();
  t.is(uidOutcome(plain.root, plain.target, RANGE), 'ok');
  t.is(uidOutcome(plain.user, plain.target, RANGE), NO_SETUID);
  t.is(uidOutcome(plain.inside, plain.target, RANGE), NO_SETUID);
  const able = userScene(new Set(['CAP_SETUID']));
  t.is(uidOutcome(able.user, able.target, RANGE), 'ok');
  t.is(uidOutcome(able.user, able.target, '0 0 1'), NO_SETFCAP);
  const ableToo = userScene(new Set(['CAP_SETUID', 'CAP_SETFCAP']));
  t.is(uidOutcome(ableToo.user, ableToo.target, '0 0 1'), 'ok');
});

test('CAP_SYS_ADMIN over the target is needed, which its owner has without any capability', (t) => {
  const {initial, target} = userScene();
  const weakRoot = makeCredentials({userns: initial, uid: 0, gid: 0, capabilities: without('CAP_SYS_ADMIN')});
  t.is(uidOutcome(weakRoot, target, RANGE), 'EPERM idmap-sys-admin');
  t.is(uidOutcome(weakRoot, child(weakRoot).target, RANGE), 'ok');
  t.is(
    outcome(checkMapWrite({file: 'projid_map', target, opener: weakRoot, text: '0 100000 5'})),
    'ok',
    'project ids need none',
  );
});

test('opener and writer both need CAP_SETUID, but the own id needs only the opener', (t) => {
  const {root, user, target} = userScene();
  t.like(checkMapWrite({file: 'uid_map', target, opener: root, writer: user, text: RANGE}), {lacking: 'writer'});
  t.like(checkMapWrite({file: 'uid_map', target, opener: user, writer: root, text: RANGE}), {lacking: 'opener'});
  t.like(checkMapWrite({file: 'uid_map', target, opener: user, writer: user, text: RANGE}), {lacking: 'both'});
  t.is(uidOutcome(user, target, '0 1000 1', root), 'ok');
});

test('the own id alone is for the effective uid of the owner, at any inside id', (t) => {
  const {user, inside, target} = userScene();
  for (const text of ['0 1000 1', '1000 1000 1', '4294967294 1000 1']) {
    t.is(uidOutcome(user, target, text), 'ok');
    t.is(uidOutcome(inside, target, text), 'ok');
  }
  t.is(uidOutcome({...user, ruid: 1001}, target, '0 1000 1'), 'ok');
  t.is(uidOutcome({...user, euid: 1001}, target, '0 1000 1'), 'EPERM idmap-sys-admin');
  t.like(checkMapWrite({file: 'uid_map', target, opener: user, text: '0 1001 1'}), {single: 'other-id'});
  t.like(checkMapWrite({file: 'uid_map', target, opener: user, text: '0 1000 2'}), {single: 'not-one-id'});
});

test('the own gid alone needs setgroups denied, by a write or by the parent', (t) => {
  const {initial, root, user, target} = userScene();
  t.like(checkMapWrite({file: 'gid_map', target, opener: user, text: '0 1000 1'}), {single: 'setgroups-allowed'});
  t.is(outcome(writeSetgroups({target, text: 'deny'})), 'ok');
  t.is(gidOutcome(user, target, '0 1000 1'), 'ok');
  t.is(gidOutcome({...user, groups: [4]}, target, '0 4 1'), 'EPERM idmap-setid-capability');
  t.is(gidOutcome(root, target, '0 0 1'), 'ok', 'gid 0 needs no CAP_SETFCAP');
  const withSetgid = userScene(new Set(['CAP_SETGID']));
  t.is(gidOutcome(withSetgid.user, withSetgid.target, '0 1000 1'), 'ok');

  const {target: outer} = child(root);
  writeSetgroups({target: outer, text: 'deny\n'});
  writeIdMap({file: 'uid_map', target: outer, opener: root, text: '0 1000 1'});
  writeIdMap({file: 'gid_map', target: outer, opener: root, text: '0 1000 1'});
  const inOuter = makeCredentials({userns: outer, uid: 1000, gid: 1000, capabilities: noCapabilities});
  t.is(initial.setgroups, 'allow');
  t.is(gidOutcome(inOuter, child(inOuter).target, '0 0 1'), 'ok');
});

test("the parent's 0 needs CAP_SETFCAP: the opener's from outside, the creator's from inside", (t) => {
  const {initial, root, inside, target} = rootScene();
  t.is(uidOutcome(inside, target, '0 0 1'), 'ok');
  const unable = makeCredentials({userns: initial, uid: 0, gid: 0, capabilities: without('CAP_SETFCAP')});
  const made = child(unable);
  t.is(uidOutcome(unable, made.target, '0 0 1'), NO_SETFCAP);
  t.is(uidOutcome(root, made.target, '0 0 1'), 'ok');
  t.like(checkMapWrite({file: 'uid_map', target: made.target, opener: made.inside, text: '5 0 1'}), {
    rule: 'idmap-setfcap',
    lacking: 'creator',
  });
  t.is(uidOutcome(unable, made.target, '0 1 5'), 'ok');
});

test("host 0 under another name in the parent needs no CAP_SETFCAP, since only the parent's 0 counts", (t) => {
  const {root, target: outer} = rootScene();
  writeIdMap({file: 'uid_map', target: outer, opener: root, text: '5 0 1\n0 1000 1'});
  writeIdMap({file: 'gid_map', target: outer, opener: root, text: '0 0 10'});
  const opener = makeCredentials({userns: outer, uid: 1000, gid: 0, capabilities: without('CAP_SETFCAP')});
  const {target} = child(opener);
  t.is(uidOutcome(opener, target, '0 5 1'), 'ok');
  t.is(uidOutcome(opener, target, '0 0 1'), NO_SETFCAP);
});

test('grandparent root is neither the namespace nor its parent', (t) => {
  const {root, inside, target: outer} = rootScene();
  writeIdMap({file: 'uid_map', target: outer, opener: root, text: RANGE});
  writeIdMap({file: 'gid_map', target: outer, opener: root, text: RANGE});
  const pod = makeCredentials({userns: outer, uid: 100_000, gid: 100_000});
  t.is(outcome(createUserNamespace(inside)), 'EPERM userns-creator-unmapped');
  const {target} = child(pod);
  t.is(uidOutcome(root, target, '0 0 1'), 'EPERM idmap-opener-namespace');
  t.is(uidOutcome(pod, target, '0 0 1'), 'ok');
});

test('a line lies inside one line of the parent, or is refused', (t) => {
  const {root, target: outer} = rootScene();
  for (const file of ['uid_map', 'gid_map'] as const)
    writeIdMap({file, target: outer, opener: root, text: '0 100000 1000\n1000 300000 10\n1010 300010 5'});
  const pod = makeCredentials({userns: outer, uid: 100_000, gid: 100_000});
  const {target} = child(pod);
  t.like(checkMapWrite({file: 'uid_map', target, opener: pod, text: '5 999 2'}), {
    rule: 'idmap-parent-unmapped',
    unmapped: [],
  });
  t.like(checkMapWrite({file: 'uid_map', target, opener: pod, text: '5 1005 7'}), {unmapped: []});
  t.like(checkMapWrite({file: 'uid_map', target, opener: pod, text: '0 1 1\n5 1014 3'}), {
    line: 2,
    unmapped: [{start: 1015, size: 2}],
  });
  const answer = writeIdMap({file: 'uid_map', target, opener: pod, text: '5 999 1\n6 1000 1'});
  t.like(answer, {
    ok: true,
    kernelMap: [
      {containerId: 5, hostId: 100_999, size: 1},
      {containerId: 6, hostId: 300_000, size: 1},
    ],
    bytes: 16,
  });
  t.is(target.toKernelId('uid', 6), 300_000);
});

test('a namespace without project ids gives none to its children', (t) => {
  const {root, target: outer} = rootScene();
  for (const file of ['uid_map', 'gid_map'] as const) writeIdMap({file, target: outer, opener: root, text: RANGE});
  const pod = makeCredentials({userns: outer, uid: 100_000, gid: 100_000});
  const {target} = child(pod);
  t.is(outcome(checkMapWrite({file: 'projid_map', target, opener: pod, text: '0 0 1'})), 'EPERM idmap-parent-unmapped');
});

test('the order of the checks: offset and size, written, capability, text, ids, parent', (t) => {
  const {root, user, target} = userScene();
  t.is(uidOutcome(user, target, '0 0 0'), 'EINVAL idmap-no-ids');
  t.is(uidOutcome(user, target, '0 0 1'), NO_SETFCAP);
  t.is(uidOutcome(user, target, ' '.repeat(4096)), 'EINVAL idmap-too-long');
  writeIdMap({file: 'uid_map', target, opener: root, text: RANGE});
  t.is(uidOutcome(user, target, 'x'), 'EPERM idmap-already-written');
  t.is(uidOutcome(user, target, ' '.repeat(4096)), 'EINVAL idmap-too-long');
  t.is(outcome(checkMapWrite({file: 'uid_map', target, opener: user, text: 'x', offset: 11})), 'EINVAL idmap-offset');
  t.is(gidOutcome(root, target, RANGE), 'ok', 'the files are independent');
});

test('what a reader sees depends on where the file was opened', (t) => {
  const initial = new UserNamespace();
  const root = makeCredentials({userns: initial, uid: 0, gid: 0});
  const install = (opener: Credentials, text: string) => {
    const {target} = child(opener);
    for (const file of ['uid_map', 'gid_map'] as const) t.true(writeIdMap({file, target, opener, text}).ok);
    return target;
  };
  const a = install(root, '0 100000 1000');
  const sibling = install(root, '0 200000 1000');
  const inA = makeCredentials({userns: a, uid: 100_000, gid: 100_000});
  const b = install(inA, '0 10 5\n100 500 1');
  const inB = makeCredentials({userns: b, uid: 100_010, gid: 100_010});
  const c = install(inB, '8 100 1');
  const shown = (target: UserNamespace, reader: UserNamespace) =>
    formatProcIdMap(showIdMap(target, 'uid', reader))
      .replaceAll(/ +/g, ' ')
      .split('\n')
      .slice(0, -1);
  t.deepEqual(shown(b, initial), [' 0 100010 5', ' 100 100500 1']);
  t.deepEqual(shown(b, a), [' 0 10 5', ' 100 500 1']);
  t.deepEqual(shown(b, b), [' 0 10 5', ' 100 500 1']);
  t.deepEqual(shown(a, b), [' 0 4294967295 1000']);
  t.deepEqual(shown(initial, b), [' 0 4294967295 4294967295']);
  t.deepEqual(shown(b, c)[1], ' 100 8 1');
  t.deepEqual(shown(b, sibling), [' 0 4294967295 5', ' 100 4294967295 1']);
  t.deepEqual(shown(initial, initial), [' 0 0 4294967295']);
});

test('opening for writing is a matter of who owns the proc inode', (t) => {
  const {initial, root, user, inside, target} = userScene();
  const inode = {uid: 1000, gid: 1000};
  const other = makeCredentials({userns: initial, uid: 1001, gid: 1001});
  const open = (opener: Credentials, file: 'uid_map' | 'setgroups' = 'uid_map', owner = inode) => {
    const refusal = findOpenRefusal({file, opener, target, inode: owner});
    return refusal === undefined ? 'ok' : outcome(refusal);
  };
  t.is(open(user), 'ok');
  t.is(open(inside), 'ok');
  t.is(open(root), 'ok');
  t.is(open(other), 'EACCES idmap-open-owner');
  t.is(open(user, 'uid_map', {uid: 0, gid: 0}), 'EACCES idmap-open-owner', 'not dumpable');
  t.is(open(inside, 'uid_map', {uid: 0, gid: 0}), 'EACCES idmap-open-owner', 'its capabilities reach no unmapped id');
  t.is(open(user, 'setgroups'), 'ok');
  const weakRoot = makeCredentials({userns: initial, uid: 0, gid: 0, capabilities: without('CAP_SYS_ADMIN')});
  t.is(open(weakRoot, 'uid_map'), 'ok');
  t.is(open(weakRoot, 'setgroups'), 'EACCES setgroups-open-sys-admin');
  t.like(findOpenRefusal({file: 'uid_map', opener: root, target, inode, readOnly: true}), {errno: 'EROFS'});
});

const setgroupsTexts: readonly (readonly [text: string, expected: string])[] = [
  ['deny', 'deny'],
  ['deny\n', 'deny'],
  ['deny \n', 'deny'],
  ['deny\0x', 'deny'],
  ['deny\xa0', 'deny'],
  ['allow\n', 'allow'],
  [' deny', 'EINVAL setgroups-word'],
  ['DENY', 'EINVAL setgroups-word'],
  ['denyx', 'EINVAL setgroups-word'],
  ['yes', 'EINVAL setgroups-word'],
  ['', 'EINVAL setgroups-word'],
  ['deny    ', 'EINVAL setgroups-too-long'],
];

for (const [text, expected] of setgroupsTexts) {
  test(`setgroups given ${JSON.stringify(text)} answers ${expected}`, (t) => {
    const answer = checkSetgroupsWrite({target: rootScene().target, text});
    t.is(answer.ok ? answer.state : outcome(answer), expected);
  });
}

test('setgroups once denied stays denied, and is not denied after gid_map', (t) => {
  const {root, target} = rootScene();
  const set = (text: string) => outcome(writeSetgroups({target, text}));
  t.is(set('allow'), 'ok');
  t.false(target.maySetgroups, 'gid_map is empty');
  writeIdMap({file: 'gid_map', target, opener: root, text: RANGE});
  t.true(target.maySetgroups);
  t.is(set('allow'), 'ok');
  t.is(set('deny'), 'EPERM setgroups-after-gid-map');
  const denied = rootScene().target;
  t.deepEqual(
    ['deny', 'deny', 'allow'].map((text) => outcome(writeSetgroups({target: denied, text}))),
    ['ok', 'ok', 'EPERM setgroups-denied'],
  );
  t.is(outcome(writeSetgroups({target: denied, text: 'deny', offset: 4})), 'EINVAL setgroups-offset');
});

test('huge numbers are folded to 32 bits without a word, so a privileged writer can install host root', (t) => {
  const {root, target} = rootScene();
  t.like(checkMapWrite({file: 'uid_map', target, opener: root, text: '0 4294967296 4294967297'}), {
    ok: true,
    map: [{containerId: 0, hostId: 0, size: 1}],
  });
  t.like(parseMapWrite('18446744073709551623 1 1'), {map: [{containerId: 7, hostId: 1, size: 1}]});
});

test('bytes and their Latin-1 text get the same answer', (t) => {
  const {root, target} = rootScene();
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 40}), (bytes) => {
      const text = String.fromCharCode(...bytes);
      const asBytes = checkMapWrite({file: 'uid_map', target, opener: root, text: bytes});
      t.deepEqual(asBytes, checkMapWrite({file: 'uid_map', target, opener: root, text}));
    }),
  );
  t.pass();
});

/** The grammar of facts §1.2 in one expression per line, and BigInt arithmetic: shares nothing with the model. */
function oracle(text: string): string[] | undefined {
  const lines = text
    .replace(/\0[\s\S]*$/, '')
    .replace(/\n$/, '')
    .split('\n');
  if (lines.length > 340) return undefined;
  const used: {inside: bigint; outside: bigint; count: bigint}[] = [];
  for (const line of lines) {
    const match = /^[ \t\v\f\r\u00a0]*(\d+)[ \t\v\f\r\u00a0]+(\d+)[ \t\v\f\r\u00a0]+(\d+)[ \t\v\f\r\u00a0]*$/.exec(
      line,
    );
    if (match === null) return undefined;
    const [inside = 0n, outside = 0n, count = 0n] = match
      .slice(1)
      .map((digits) => BigInt.asUintN(32, BigInt.asUintN(64, BigInt(digits))));
    const last = 0xffffffffn;
    if (inside === last || outside === last || count === 0n) return undefined;
    if (inside + count > last || outside + count > last) return undefined;
    const meets = (a: bigint, b: bigint, n: bigint) => a < b + n && b < a + count;
    if (used.some((other) => meets(inside, other.inside, other.count) || meets(outside, other.outside, other.count)))
      return undefined;
    used.push({inside, outside, count});
  }
  return used.map(({inside, outside, count}) => `${inside} ${outside} ${count}`);
}

test('the grammar agrees with an independent reading of it on random texts', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(crookedText, fc.string({unit: 'binary', maxLength: 30})), (text) => {
      const parsed = parseMapWrite(text);
      const model = parsed.ok
        ? parsed.map.map(({containerId, hostId, size}) => `${containerId} ${hostId} ${size}`)
        : undefined;
      t.deepEqual(model, oracle(text));
      if (parsed.ok) accepted += 1;
    }),
    {numRuns: 20_000},
  );
  t.true(accepted > 100, `only ${accepted} texts were accepted`);
});

test('lines made of well-formed words agree too, whatever their numbers', (t) => {
  const word = fc.oneof(fc.nat(12).map(String), fc.constantFrom('4294967294', '4294967295', '4294967296', '00', '010'));
  const space = fc.constantFrom(' ', '\t', ' \xa0 ', '\v');
  const line = fc.tuple(word, space, word, space, word).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(line, {maxLength: 5}), fc.constantFrom('', '\n', '\0', '\n\0x', '\n\n'), (lines, end) => {
      const text = lines.join('\n') + end;
      const parsed = parseMapWrite(text);
      t.deepEqual(
        parsed.ok ? parsed.map.map((m) => `${m.containerId} ${m.hostId} ${m.size}`) : undefined,
        oracle(text),
      );
    }),
    {numRuns: 5000},
  );
  t.pass();
});

test('whatever the strict reader takes, the kernel takes with the same meaning', (t) => {
  fc.assert(
    fc.property(fc.oneof(crookedText, anyMap.map(formatProcIdMap)), (text) => {
      const strict = parseIdMap(text);
      if (strict.ok && strict.map.length > 0) t.deepEqual(parseMapWrite(text), {ok: true, map: strict.map});
    }),
    {numRuns: 3000},
  );
  t.pass();
});

test('a map that host root may write is kept, and its kernel ids are those of the text', (t) => {
  fc.assert(
    fc.property(validMap(), (map) => {
      if (map.length === 0) return;
      const {root, target} = rootScene();
      const text = formatIdMap(map);
      const answer = writeIdMap({file: 'uid_map', target, opener: root, text});
      const kept = map.length <= 5 ? map : [...map].sort((a, b) => a.containerId - b.containerId);
      t.deepEqual(answer, {ok: true, map: kept, kernelMap: kept, bytes: text.length});
      t.deepEqual(parseIdMap(formatProcIdMap(showIdMap(target, 'uid', target))), {ok: true, map: kept});
      t.is(uidOutcome(root, target, text), 'EPERM idmap-already-written');
    }),
  );
  t.pass();
});

test('a nested map never reaches a kernel id that its parent has not', (t) => {
  fc.assert(
    fc.property(validMap({maxLength: 4}), validMap({maxLength: 4}), (outer, inner) => {
      if (outer.length === 0 || inner.length === 0) return;
      const {root, target: parent} = rootScene();
      writeIdMap({file: 'uid_map', target: parent, opener: root, text: formatIdMap(outer)});
      const opener: Credentials = {...root, userns: parent, euid: 7, egid: 7};
      const target = new UserNamespace({parent, owner: 7, group: 7, creatorHadSetfcap: true});
      const answer = checkMapWrite({file: 'uid_map', target, opener, text: formatIdMap(inner)});
      if (!answer.ok) return t.is(answer.rule, 'idmap-parent-unmapped');
      t.is(findIdMapProblem(answer.kernelMap), undefined);
      for (const {hostId, size} of answer.kernelMap)
        for (let id = hostId; id < hostId + size; id += 1)
          if (parent.fromKernelId('uid', id) === undefined) t.fail(`kernel id ${id}`);
    }),
  );
  t.pass();
});

/** The compiler holds this to the rules there are. */
const rules: Record<MapRefusal['rule'], true> = {
  'idmap-open-read-only': true,
  'idmap-open-owner': true,
  'setgroups-open-sys-admin': true,
  'idmap-initial-namespace': true,
  'idmap-opener-namespace': true,
  'idmap-offset': true,
  'setgroups-offset': true,
  'idmap-too-long': true,
  'setgroups-too-long': true,
  'idmap-already-written': true,
  'idmap-sys-admin': true,
  'idmap-syntax': true,
  'idmap-invalid-id': true,
  'idmap-no-ids': true,
  'idmap-past-last-id': true,
  'idmap-overlap': true,
  'idmap-too-many-extents': true,
  'idmap-setfcap': true,
  'idmap-setid-capability': true,
  'idmap-parent-unmapped': true,
  'setgroups-word': true,
  'setgroups-after-gid-map': true,
  'setgroups-denied': true,
};

test('every refusal is explained with its values', (t) => {
  const {root, user, inside, target} = userScene();
  const refusals: MapRefusal[] = [];
  const collect = (answer: {readonly ok: true} | MapRefusal | undefined) => {
    if (answer !== undefined && !answer.ok) refusals.push(answer);
  };
  const texts = [
    'x y z',
    '0 4294967295 1',
    '0 1 0',
    '5 5 4294967295',
    '0 1 5\n3 10 1',
    Array.from({length: 341}, (_, id) => `${id} ${id} 1`).join('\n'),
    '0 0 1',
    RANGE,
    ' '.repeat(5000),
  ];
  for (const text of texts) collect(checkMapWrite({file: 'uid_map', target, opener: user, text}));
  const inode = {uid: 1000, gid: 1000};
  collect(findOpenRefusal({file: 'uid_map', opener: root, target, inode, readOnly: true}));
  collect(findOpenRefusal({file: 'uid_map', opener: {...user, fsuid: 1}, target, inode}));
  collect(findOpenRefusal({file: 'setgroups', opener: {...user, euid: 1}, target, inode}));
  collect(checkMapWrite({file: 'uid_map', target: root.userns, opener: root, text: RANGE}));
  collect(checkMapWrite({file: 'uid_map', target, opener: {...user, userns: new UserNamespace()}, text: RANGE}));
  collect(checkMapWrite({file: 'uid_map', target, opener: root, text: RANGE, offset: 3}));
  collect(checkMapWrite({file: 'uid_map', target, opener: {...user, euid: 4}, text: RANGE}));
  collect(checkMapWrite({file: 'gid_map', target, opener: inside, text: '0 1000 1'}));
  writeIdMap({file: 'uid_map', target, opener: root, text: '0 1000 5\n5 1005 5'});
  writeIdMap({file: 'gid_map', target, opener: root, text: '0 1000 5'});
  collect(checkMapWrite({file: 'uid_map', target, opener: root, text: RANGE}));
  const pod = makeCredentials({userns: target, uid: 1000, gid: 1000});
  for (const text of ['0 3 4', '0 9 4'])
    collect(checkMapWrite({file: 'uid_map', target: child(pod).target, opener: pod, text}));
  for (const text of ['yes', 'deny', 'deny     ']) collect(checkSetgroupsWrite({target, text}));
  collect(checkSetgroupsWrite({target, text: 'deny', offset: 1}));
  const denied = child(root).target;
  writeSetgroups({target: denied, text: 'deny'});
  collect(checkSetgroupsWrite({target: denied, text: 'allow'}));

  t.deepEqual([...new Set(refusals.map(({rule}) => rule))].sort(), Object.keys(rules).sort() as MapRefusal['rule'][]);
  for (const refusal of refusals) {
    const {why, mend} = explainMapWrite(refusal);
    t.true(why.length > 15 && mend.length > 10, refusal.rule);
    t.notRegex(`${why} ${mend}`, /undefined|NaN|\[object/);
  }
  const overlap = refusals.find(({rule}) => rule === 'idmap-overlap');
  if (overlap !== undefined) t.regex(explainMapWrite(overlap).why, /lines 1 and 2 .* inside ids 3$/);
});
