import {chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import type {Ledger} from '../../sim/index.ts';
import {formatUsernsFile, nodeLedgerFs as openFs, parseUsernsFile, seededRandom} from '../../sim/index.ts';
import {assertWhole, diskOf, newRoot, openLedger, ownerOf, poolOf} from './ledger-world.ts';

const file = (hostId: number, length = 65_536) => formatUsernsFile({hostId, size: length});
function putFile(root: string, uid: string, text: string): string {
  const path = join(root, 'pods', uid, 'userns');
  mkdirSync(join(root, 'pods', uid), {recursive: true});
  writeFileSync(path, text);
  return path;
}

test("a pod's file is the kubelet's, byte for byte, mode 0600", (t) => {
  const root = newRoot(t);
  const {hostId} = openLedger(root, 1).getOrCreate('pod');
  const path = join(root, 'pods', 'pod', 'userns');
  const mapping = `{"hostId":${hostId},"containerId":0,"length":65536}`;
  t.is(readFileSync(path, 'utf8'), `{"uidMappings":[${mapping}],"gidMappings":[${mapping}]}`);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is(statSync(join(root, 'pods', 'pod')).mode & 0o777, 0o700);
  t.is(readFileSync(join(root, 'version'), 'utf8'), '{"version":1}\n');
});

test('getOrCreate gives one pod one block, in this process and in any other', (t) => {
  const root = newRoot(t);
  const first = openLedger(root, 1);
  const second = openLedger(root, 2);
  const block = first.getOrCreate('pod');
  t.deepEqual(first.getOrCreate('pod'), block);
  t.deepEqual(second.getOrCreate('pod'), block);
  t.deepEqual(second.acquire('pod'), {block, fresh: false});
  t.true(second.acquire('other').fresh);
});

test('what one process frees, another with a full view finds', (t) => {
  const root = newRoot(t);
  const first = openLedger(root, 1);
  const second = openLedger(root, 2);
  for (let i = 0; i < 8; i++) first.getOrCreate(`p${i}`);
  t.throws(() => second.getOrCreate('late'), {
    code: 'SUBROOT_POOL_EXHAUSTED',
    message: /8 of 8 blocks are in use, held by .* and 3 more/,
  });
  t.false(existsSync(join(root, 'pods', 'late')));
  const freed = first.getOrCreate('p3');
  first.release('p3');
  t.deepEqual(second.getOrCreate('late'), freed);
});

test('releasing an unknown pod does nothing, releasing twice neither', (t) => {
  const ledger = openLedger(newRoot(t), 1);
  t.false(ledger.release('ghost'));
  ledger.getOrCreate('pod');
  t.true(ledger.release('pod'));
  t.false(ledger.release('pod'));
});

test('a pod folder with volumes outlives the release', (t) => {
  const root = newRoot(t);
  const ledger = openLedger(root, 1);
  ledger.getOrCreate('pod');
  mkdirSync(join(ledger.podDir('pod'), 'volumes'));
  t.true(ledger.release('pod'));
  t.true(existsSync(join(root, 'pods', 'pod', 'volumes')));
  t.deepEqual(ledger.list(), []);
});

for (const uid of ['', '.', '..', 'a/b', '-x', 'a,b', 'ä', 'x'.repeat(129)]) {
  test(`"${uid.slice(0, 10)}" (${uid.length} characters) is no pod uid`, (t) => {
    const ledger = openLedger(newRoot(t), 1);
    for (const act of [() => ledger.getOrCreate(uid), () => ledger.release(uid), () => ledger.podDir(uid)]) {
      t.throws(act, {code: 'SUBROOT_LEDGER_POD_UID'});
    }
  });
}

test('a newer ledger is refused and says what to do', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  writeFileSync(join(root, 'version'), '{"version":2}');
  t.throws(() => openLedger(root, 1), {
    code: 'SUBROOT_LEDGER_VERSION',
    message: /version 2; this one knows up to 1[\s\S]*newer subroot/,
  });
});

for (const text of ['', '{', 'null', '{"version":"1"}', '{"version":0}', '[]']) {
  test(`a version file ${JSON.stringify(text)} is damage`, (t) => {
    const root = newRoot(t);
    openLedger(root, 1);
    writeFileSync(join(root, 'version'), text);
    t.throws(() => openLedger(root, 1), {code: 'SUBROOT_LEDGER_CORRUPT', message: /version is damaged/});
  });
}

test('a file where the folder of blocks belongs is damage', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  rmSync(join(root, 'blocks'), {recursive: true});
  writeFileSync(join(root, 'blocks'), '');
  t.throws(() => openLedger(root, 1), {code: 'SUBROOT_LEDGER_CORRUPT', message: /blocks is damaged/});
});

for (const [what, owner] of [
  ['pid 0', {pid: 0, startTime: 1, bootId: 'b'}],
  ['a negative start', {pid: 1, startTime: -1, bootId: 'b'}],
  ['a boot id with a comma', {pid: 1, startTime: 1, bootId: 'a,b'}],
] as const) {
  test(`an owner with ${what} is refused`, (t) => {
    t.throws(() => openLedger(newRoot(t), 1, {owner}), {code: 'SUBROOT_LEDGER_OWNER'});
  });
}

// ── recovery, by the rows of facts §3.5 and §3.8

test('C1 a good file is taken over and its block claimed', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  putFile(root, 'pod', file(131_072));
  const ledger = openLedger(root, 2);
  t.deepEqual(ledger.quarantined(), []);
  t.like(ledger.list()[0], {hostId: 131_072, size: 65_536, podUid: 'pod', kind: 'pod'});
  t.deepEqual(ledger.getOrCreate('pod'), {hostId: 131_072, size: 65_536});
});

const mapping = (hostId: number, containerId = 0, length = 65_536) => ({hostId, containerId, length});
const bad: readonly (readonly [string, string, RegExp])[] = [
  [
    'C2 length 0',
    JSON.stringify({uidMappings: [mapping(131_072, 0, 0)], gidMappings: [mapping(131_072, 0, 0)]}),
    /wrong user namespace length 0, expected 65536/,
  ],
  [
    'C3 other gids than uids',
    JSON.stringify({uidMappings: [mapping(131_072)], gidMappings: [mapping(1)]}),
    /should be identical/,
  ],
  [
    'C4 two uid mappings',
    JSON.stringify({uidMappings: [mapping(131_072), mapping(196_608)], gidMappings: [mapping(131_072)]}),
    /no more than one mapping allowed, found 2/,
  ],
  [
    'C5 uid 0 not mapped and another gid',
    JSON.stringify({uidMappings: [mapping(131_072, 1)], gidMappings: [mapping(131_072)]}),
    /should be identical/,
  ],
  [
    'uid 0 not mapped',
    JSON.stringify({uidMappings: [mapping(131_072, 1)], gidMappings: [mapping(131_072, 1)]}),
    /UID 0 must be mapped, the mapping begins at 1/,
  ],
  ['no mapping', '{}', /no more than one mapping allowed, found 0/],
  ['no gid mapping', JSON.stringify({uidMappings: [mapping(131_072)]}), /found 0 and 1/],
  ['half a file', file(131_072).slice(0, 40), /invalid user namespace mappings file/],
  ['a wrong offset', file(131_073), /wrong user namespace offset specified: 131073/],
  ['a block outside the pool (kubernetes#132966)', file(626_982_912), /id 626982912 is out of range/],
  ['a block of another size', file(131_072, 131_072), /wrong user namespace length 131072/],
  ['a megabyte', ' '.repeat(1 << 20), /it has 1048576 bytes/],
];
for (const [what, text, reason] of bad) {
  test(`${what}: the pod is set aside, its ids stay reserved, and the node goes on`, (t) => {
    const root = newRoot(t);
    openLedger(root, 1);
    const path = putFile(root, 'bad', text);
    const ledger = openLedger(root, 2);
    const [pod] = ledger.quarantined();
    t.is(pod?.podUid, 'bad');
    t.is(pod?.path, path);
    t.regex(pod?.reason ?? '', reason);
    const given = new Set(ledger.claimPrepared(8).flatMap(({hostId}) => hostId));
    for (const {hostId, size} of pod?.reserved ?? []) {
      for (let id = hostId - (hostId % 65_536); id < hostId + size; id += 65_536) t.false(given.has(id), `${id}`);
    }
    t.throws(() => ledger.getOrCreate('bad'), {code: 'SUBROOT_LEDGER_USERNS_FILE', message: reason});
    t.is(readFileSync(path, 'utf8'), text, 'the file is left as it is');
    t.true(ledger.release('bad'), 'an explicit release lifts it');
    t.deepEqual(ledger.quarantined(), []);
    t.false(existsSync(path));
  });
}

test('an unreadable pod does not stop the node', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  mkdirSync(join(root, 'pods', 'odd', 'userns'), {recursive: true});
  const ledger = openLedger(root, 2);
  t.is(ledger.quarantined()[0]?.podUid, 'odd');
  t.is(ledger.getOrCreate('fine').size, 65_536);
  chmodSync(root, 0o700);
});

test('a zero-byte file is no file', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  putFile(root, 'pod', '');
  const ledger = openLedger(root, 2);
  t.deepEqual(ledger.quarantined(), []);
  const block = ledger.getOrCreate('pod');
  t.is(readFileSync(join(root, 'pods', 'pod', 'userns'), 'utf8'), formatUsernsFile(block));
});

test('of two files that name one block, the pod with the claim keeps it', (t) => {
  const root = newRoot(t);
  const {hostId} = openLedger(root, 1).getOrCreate('owner');
  putFile(root, 'aaa', file(hostId));
  const ledger = openLedger(root, 2);
  t.regex(ledger.quarantined()[0]?.reason ?? '', /range picked for pod aaa already taken by owner/);
  t.is(ledger.getOrCreate('owner').hostId, hostId);
  t.true(ledger.release('aaa'));
  t.is(ledger.getOrCreate('owner').hostId, hostId, 'releasing the other does not free it');
});

test('a pool that no longer holds a pod sets that pod aside and spares the others', (t) => {
  const root = newRoot(t);
  const wide = openLedger(root, 1, {random: {below: () => 7}});
  const {hostId} = wide.getOrCreate('far');
  const narrow = openLedger(root, 2, {pool: poolOf(4)});
  t.is(hostId, 8 * 65_536);
  t.deepEqual(
    narrow.quarantined().map(({podUid}) => podUid),
    ['far'],
  );
  t.is(narrow.claimPrepared(9).length, 4);
});

test('another idsPerPod sets the old pods aside and gives none of their ids out', (t) => {
  const root = newRoot(t);
  const old = openLedger(root, 1);
  const taken = [old.getOrCreate('a').hostId, old.getOrCreate('b').hostId];
  const ledger = openLedger(root, 2, {idsPerPod: 131_072, pool: poolOf(4, 131_072)});
  t.is(ledger.quarantined().length, 2);
  for (const {hostId, size} of ledger.claimPrepared(9)) {
    t.false(taken.some((id) => id >= hostId && id < hostId + size));
  }
});

test('an entry in a block folder that is none of ours keeps the block reserved', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  mkdirSync(join(root, 'blocks', '131072'));
  writeFileSync(join(root, 'blocks', '131072', 'note'), 'mine');
  const given = openLedger(root, 2)
    .claimPrepared(8)
    .map(({hostId}) => hostId);
  t.is(given.length, 7);
  t.false(given.includes(131_072));
});

// ── lifetimes

test('a bound block is freed once its claimant is dead, a detached one stays', (t) => {
  const root = newRoot(t);
  const first = openLedger(root, 1);
  first.getOrCreate('bound', {bound: true});
  const kept = first.getOrCreate('detached');
  const ledger = openLedger(root, 2, {isAlive: ({pid}) => pid !== 1});
  t.deepEqual(
    ledger.list().map(({podUid}) => podUid),
    ['detached'],
  );
  t.is(ledger.getOrCreate('detached').hostId, kept.hostId);
});

test('a bound block whose pod still runs stays until the sweep finds it gone', (t) => {
  const root = newRoot(t);
  openLedger(root, 1).getOrCreate('dying', {bound: true});
  let alive = true;
  const ledger = openLedger(root, 2, {isAlive: ({pid}) => pid !== 1, isPodAlive: () => alive});
  t.is(ledger.list().length, 1);
  t.deepEqual(ledger.sweep({isPodAlive: () => alive}), []);
  alive = false;
  ledger.sweep({isPodAlive: () => alive});
  t.deepEqual(ledger.list(), []);
});

test('a sweep leaves the starting pod of another living process alone', (t) => {
  const root = newRoot(t);
  openLedger(root, 1).getOrCreate('starting');
  const ledger = openLedger(root, 2);
  t.deepEqual(ledger.sweep({isPodAlive: () => false}), []);
  const later = openLedger(root, 3, {isAlive: ({pid}) => pid !== 1});
  t.deepEqual(later.sweep({isPodAlive: () => true}), []);
  t.deepEqual(later.sweep({isPodAlive: () => false}), ['starting']);
});

const orphans = test.macro({
  title: (title = '') => title,
  exec(t, known: {pods: string[]; runningPods: string[]}, make: readonly string[], kept: readonly string[]) {
    const root = newRoot(t);
    const ledger = openLedger(root, 1);
    for (const uid of make) ledger.getOrCreate(uid);
    ledger.cleanupOrphaned(known);
    t.deepEqual(
      ledger
        .list()
        .map(({podUid}) => podUid)
        .sort(),
      [...kept],
    );
    assertWhole(t, root, [1], 'after');
  },
});
test('E1 a cleanup with nothing allocated is fine', orphans, {pods: [], runningPods: []}, [], []);
test('E2 a running pod is kept, the other freed', orphans, {pods: [], runningPods: ['p1']}, ['p1', 'p2'], ['p1']);
test('E3 a known pod is kept, the other freed', orphans, {pods: ['p1'], runningPods: []}, ['p1', 'p2'], ['p1']);
test('E4 pods that nobody knows are freed', orphans, {pods: [], runningPods: []}, ['p1', 'p2'], []);

test('F1 a folder of pods that cannot be listed stops the opening with its path and errno', (t) => {
  const root = newRoot(t);
  openLedger(root, 1);
  const denied = Object.assign(new Error('permission denied'), {code: 'EACCES'});
  const fs = {
    ...openFs,
    readdir: (path: string) => {
      if (path.endsWith('/pods')) throw denied;
      return openFs.readdir(path);
    },
  };
  t.throws(() => openLedger(root, 2, {fs}), {
    code: 'SUBROOT_LEDGER_ACCESS',
    message: /readdir .*\/pods failed with EACCES/,
  });
});

// ── prepared blocks

test("a prepared block becomes a pod's in one step and is not given to anyone else meanwhile", (t) => {
  const root = newRoot(t);
  const ledger = openLedger(root, 1);
  const blocks = ledger.claimPrepared(3);
  t.is(blocks.length, 3);
  const [first] = blocks;
  if (!first) return;
  t.deepEqual(ledger.assignPrepared(first, 'pod'), first);
  t.deepEqual(ledger.getOrCreate('pod'), first);
  t.deepEqual(openLedger(root, 2).getOrCreate('pod'), first);
  t.throws(() => ledger.assignPrepared(first, 'again'), {
    code: 'SUBROOT_LEDGER_NOT_PREPARED',
    message: new RegExp(`${first.hostId}`),
  });
  t.is(ledger.list().filter(({kind}) => kind === 'prepared').length, 2);
});

test('a pod that has a block cannot be given a prepared one, which stays prepared', (t) => {
  const root = newRoot(t);
  const ledger = openLedger(root, 1);
  const own = ledger.getOrCreate('pod');
  const [block] = ledger.claimPrepared(1);
  if (!block) return;
  t.throws(() => ledger.assignPrepared(block, 'pod'), {
    code: 'SUBROOT_LEDGER_BUSY',
    message: new RegExp(`block ${own.hostId}`),
  });
  t.deepEqual(ledger.assignPrepared(block, 'other'), block);
  t.true(ledger.release('other'));
  t.false(ledger.releasePrepared(block));
});

test("prepared blocks end at the pool's end and with their process", (t) => {
  const root = newRoot(t);
  t.is(openLedger(root, 1).claimPrepared(100).length, 8);
  t.deepEqual(openLedger(root, 2, {isAlive: ({pid}) => pid === 2}).list(), []);
});

test('close leaves nothing of this process in tmp', (t) => {
  const root = newRoot(t);
  const ledger = openLedger(root, 1);
  ledger.getOrCreate('pod');
  ledger.close();
  t.deepEqual(diskOf(root).temp, []);
  ledger.getOrCreate('more');
});

// ── against a model

test('any sequence of calls in any of three processes agrees with a map', (t) => {
  type Call = readonly [op: string, process: number, pod: number];
  const call: fc.Arbitrary<Call> = fc.tuple(
    fc.constantFrom('get', 'get', 'get', 'release', 'release', 'reopen', 'prepare', 'assign', 'sweep'),
    fc.nat(2),
    fc.nat(11),
  );
  fc.assert(
    fc.property(fc.array(call, {maxLength: 60}), fc.string(), (calls, seed) => {
      const root = newRoot(t);
      const random = seededRandom(seed);
      const open = (process: number) => openLedger(root, process + 1, {random});
      const ledgers = [open(0), open(1), open(2)];
      const prepared: number[][] = [[], [], []];
      const model = new Map<string, number>();
      const used = () => model.size + prepared.flat().length;
      for (const [op, process, pod] of calls) {
        const ledger = ledgers[process] as Ledger;
        const uid = `pod-${pod}`;
        if (op === 'reopen') {
          // A living process does not lose what it prepared, but the new instance cannot assign it.
          for (const hostId of prepared[process] ?? []) ledger.releasePrepared({hostId, size: 65_536});
          prepared[process] = [];
          ledgers[process] = open(process);
        } else if (op === 'release') {
          if (ledger.release(uid) !== model.delete(uid)) return false;
        } else if (op === 'sweep') {
          ledger.sweep({isPodAlive: () => true});
        } else if (op === 'prepare') {
          const room = used() < 8;
          const [block] = ledger.claimPrepared(1);
          if ((block !== undefined) !== room) return false;
          if (block) prepared[process]?.push(block.hostId);
        } else if (op === 'assign') {
          const hostId = prepared[process]?.[0];
          if (hostId === undefined || model.has(uid)) continue;
          prepared[process]?.shift();
          ledger.assignPrepared({hostId, size: 65_536}, uid);
          model.set(uid, hostId);
        } else {
          const known = model.get(uid);
          try {
            const {hostId} = ledger.getOrCreate(uid);
            if (known === undefined ? used() >= 8 || [...model.values()].includes(hostId) : known !== hostId)
              return false;
            model.set(uid, hostId);
          } catch (error) {
            if (!String(error).includes('SUBROOT_POOL_EXHAUSTED') || known !== undefined || used() < 8) return false;
          }
        }
      }
      const pods = ledgers[0]?.list().filter(({podUid}) => podUid !== '') ?? [];
      rmSync(root, {recursive: true});
      return pods.length === model.size && pods.every(({podUid, hostId}) => model.get(podUid) === hostId);
    }),
    {numRuns: 150},
  );
  t.pass();
});

// ── the parser of userns files

const goodNumber = fc.oneof(fc.nat(200_000), fc.constantFrom(0, 65_536, 131_072, 4_294_967_295));
const anyMapping = fc.record({
  hostId: goodNumber,
  containerId: fc.constantFrom(0, 0, 0, 1),
  length: fc.constantFrom(65_536, 0, 1),
});

test('what is formatted is read back', (t) => {
  fc.assert(
    fc.property(goodNumber, goodNumber, (hostId, size) => {
      const result = parseUsernsFile(formatUsernsFile({hostId, size}));
      return result.ok && result.block.hostId === hostId && result.block.size === size;
    }),
  );
  t.pass();
});

test('the parser agrees with checks 2 to 5 on every list of mappings', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyMapping, {maxLength: 3}),
      fc.array(anyMapping, {maxLength: 3}),
      (uidMappings, gidMappings) => {
        const result = parseUsernsFile(JSON.stringify({uidMappings, gidMappings, extra: 1.5}));
        const [uid] = uidMappings;
        const [gid] = gidMappings;
        const expected =
          uidMappings.length === 1 &&
          gidMappings.length === 1 &&
          JSON.stringify(uid) === JSON.stringify(gid) &&
          uid?.containerId === 0;
        return result.ok === expected;
      },
    ),
    {numRuns: 500},
  );
  t.pass();
});

test('no text makes the parser throw', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .tuple(fc.constant(file(131_072)), fc.nat(140), fc.string({maxLength: 4}))
      .map(([good, at, with_]) => good.slice(0, at) + with_ + good.slice(at + with_.length)),
  );
  fc.assert(
    fc.property(text, (value) => typeof parseUsernsFile(value).ok === 'boolean'),
    {numRuns: 3000},
  );
  t.false(parseUsernsFile('['.repeat(60_000)).ok);
});

const asGo: readonly (readonly [string, string, boolean])[] = [
  ['keys in another case', file(131_072).replace('hostId', 'HOSTID').replace('uidMappings', 'UidMappings'), true],
  ['null', 'null', false],
  ['a list', '[]', false],
  ['numbers as text', file(131_072).replaceAll('131072', '"131072"'), false],
  ['131072.0', file(131_072).replaceAll('131072', '131072.0'), false],
  ['1e5', file(131_072).replaceAll('131072', '1e5'), false],
  ['-0', file(131_072).replaceAll('"containerId":0', '"containerId":-0'), false],
  ['2^32', file(2 ** 32), false],
  ['2^32 - 1', file(2 ** 32 - 1), true],
  ['white space around', ` ${file(131_072)}\n`, true],
  ['two values', `${file(131_072)}{}`, false],
  ['a null mapping', '{"uidMappings":[null],"gidMappings":[null]}', true],
  ['unknown keys', file(131_072).replace('{', '{"x":[1.5,{"y":"#"}],'), true],
  ['a mapping that is a number', '{"uidMappings":[5],"gidMappings":[5]}', false],
  ['mappings that are no list', '{"uidMappings":{},"gidMappings":{}}', false],
];
for (const [what, text, ok] of asGo) {
  test(`the parser ${ok ? 'accepts' : 'refuses'} ${what}, as Go does`, (t) => {
    t.is(parseUsernsFile(text).ok, ok);
  });
}

test('ten thousand pods are recovered', (t) => {
  const root = newRoot(t);
  const pool = {pool: poolOf(20_000), isAlive: () => true};
  const ledger = openLedger(root, 1, pool);
  for (let i = 0; i < 10_000; i++) ledger.getOrCreate(`pod-${i}`);
  const start = performance.now();
  const again = openLedger(root, 2, {...pool, owner: ownerOf(2)});
  t.log(`${Math.round(performance.now() - start)} ms`);
  t.is(again.list().length, 10_000);
});
