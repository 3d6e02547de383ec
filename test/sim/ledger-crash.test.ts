import {execFile, spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {buildSync} from 'esbuild';
import type {LedgerFs} from '../../sim/index.ts';
import {Ledger} from '../../sim/index.ts';
import {
  assertWhole,
  Crash,
  crashingFs,
  diskOf,
  drain,
  newRoot,
  openLedger,
  ownerOf,
  poolOf,
  watchedFs,
} from './ledger-world.ts';

const run = promisify(execFile);
const bundleDir = mkdtempSync(join(tmpdir(), 'subroot-child-'));
const child = join(bundleDir, 'child.mjs');
// Bundled once: a child then starts in a fraction of what tsx takes, and every step can have its own real death.
buildSync({
  entryPoints: [join(import.meta.dirname, 'ledger-child.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: child,
  // yaml is CommonJS.
  banner: {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"},
});
test.after.always(() => rmSync(bundleDir, {recursive: true, force: true}));

/** Runs the script until its n-th operation and returns what it had said by then, and whether it ended by itself. */
async function killAt(root: string, operation: number, idsPerPod: number) {
  try {
    const {stdout} = await run(process.execPath, [child, 'script', root, String(operation), String(idsPerPod)]);
    return {said: stdout, ended: true};
  } catch (error) {
    const {stdout, signal, stderr} = error as {stdout: string; signal: string | null; stderr: string};
    if (signal !== 'SIGKILL') throw new Error(`the child failed by itself: ${stderr}`);
    return {said: stdout, ended: false};
  }
}

/** What must still be there after a death, by what was said before it: pod → block. Pods in the middle of a release are open. */
function promised(said: string) {
  const kept = new Map<string, number>();
  const open = new Set<string>();
  for (const line of said.split('\n')) {
    const [word = '', uid = '', hostId] = line.split(' ');
    if (word === 'has') kept.set(uid, Number(hostId));
    if (word === 'releasing') {
      kept.delete(uid);
      open.add(uid);
    }
  }
  return {kept, open};
}

const everyStep = test.macro({
  title: (_ = '', idsPerPod: number) =>
    `a real SIGKILL before each operation loses no block and gives none out twice (${idsPerPod} ids per pod)`,
  async exec(t, idsPerPod: number) {
    t.timeout(120_000);
    let operation = 0;
    let steps = 0;
    const worker = async () => {
      for (let ended = false; !ended; ) {
        operation += 1;
        const at = operation;
        const root = join(newRoot(t), 'ledger');
        const outcome = await killAt(root, at, idsPerPod);
        ended = outcome.ended;
        steps = Math.max(steps, at);
        const note = `killed before operation ${at}, after ${JSON.stringify(outcome.said)}`;
        const ledger = openLedger(root, process.pid, {
          idsPerPod,
          isAlive: ({pid}) => pid === process.pid,
        });
        t.deepEqual(ledger.quarantined(), [], note);
        assertWhole(t, root, [process.pid], note);
        const {kept} = promised(outcome.said);
        for (const [uid, hostId] of kept) t.is(ledger.getOrCreate(uid).hostId, hostId, `${note}: ${uid}`);
        drain(t, ledger, 8 - ledger.list().length, note);
        // Whoever was in the middle can start over.
        for (const uid of ['a', 'b', 'c', 'd']) ledger.getOrCreate(uid);
        assertWhole(t, root, [process.pid], note);
        t.is(ledger.list().length, 4, note);
      }
    };
    await Promise.all([worker(), worker()]);
    t.true(steps > 60, `only ${steps} operations`);
    t.log(`${steps} deaths`);
  },
});

test.serial(everyStep, 65_536);
test.serial(everyStep, 131_072);

test.serial('8 processes with 500 pods each never hold the same block, and leave none taken', async (t) => {
  t.timeout(120_000);
  const folder = newRoot(t);
  const root = join(folder, 'ledger');
  const said = await Promise.all(Array.from({length: 8}, () => run(process.execPath, [child, 'compete', root, '500'])));
  for (const {stdout} of said) t.is(stdout, 'done\n');
  const ledger = openLedger(root, process.pid, {pool: poolOf(24), isAlive: ({pid}) => pid === process.pid});
  t.deepEqual(ledger.list(), []);
  assertWhole(t, root, [process.pid], 'at the end');
  t.deepEqual(readdirSync(join(folder, 'witnesses')), []);
  drain(t, ledger, 24, 'at the end');
});

test.serial('processes that are killed while others work leave nothing behind and take nothing over', async (t) => {
  t.timeout(120_000);
  const folder = newRoot(t);
  const root = join(folder, 'ledger');
  const victims = Array.from({length: 6}, () => spawn(process.execPath, [child, 'compete', root, '100000']));
  const ends = victims.map((victim) => new Promise((resolve) => victim.once('exit', resolve)));
  let heard = '';
  for (const victim of victims) victim.stdout.on('data', (data) => (heard += String(data)));
  // Deaths spread over their work; the exact moments do not matter.
  for (const [i, victim] of victims.entries()) setTimeout(() => victim.kill('SIGKILL'), 600 + i * 150);
  await Promise.all(ends);
  t.is(heard, '');
  const ledger = openLedger(root, process.pid, {pool: poolOf(24), isAlive: () => false});
  assertWhole(t, root, [process.pid], 'after the deaths');
  const released = ledger.sweep({isPodAlive: () => false});
  t.deepEqual(ledger.list(), [], `swept ${released.length}`);
  drain(t, ledger, 24, 'after the sweep');
});

// ── without processes: many more situations

/** Second deaths are tried at every seventh operation, each time at other ones. */
const STRIDE = 7;

type Step = (ledger: Ledger) => unknown;
const steps: Record<string, {readonly setUp: Step; readonly act: Step}> = {
  'first opening': {setUp: () => undefined, act: () => undefined},
  'getOrCreate of a new pod': {setUp: () => undefined, act: (ledger) => ledger.getOrCreate('new')},
  'getOrCreate of a known pod': {
    setUp: (ledger) => ledger.getOrCreate('new'),
    act: (ledger) => ledger.getOrCreate('new'),
  },
  release: {setUp: (ledger) => ledger.getOrCreate('new'), act: (ledger) => ledger.release('new')},
  'claimPrepared and assignPrepared': {
    setUp: () => undefined,
    act: (ledger) => ledger.claimPrepared(1).map((block) => ledger.assignPrepared(block, 'new')),
  },
  sweep: {
    setUp: (ledger) => ledger.getOrCreate('new'),
    act: (ledger) => ledger.sweep({isPodAlive: (uid) => uid !== 'new'}),
  },
};

/** Opens, acts and dies before the n-th operation; false when it came to the end alive. */
function diesIn(root: string, pid: number, at: number, act: Step, idsPerPod: number): boolean {
  try {
    act(openLedger(root, pid, {fs: crashingFs(at), idsPerPod, isAlive: (owner) => owner.pid === pid}));
    return false;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return true;
  }
}

for (const idsPerPod of [65_536, 196_608]) {
  for (const [name, step] of Object.entries(steps)) {
    test(`a death at any point of ${name}, and another at any point of the recovery, leave a whole ledger (${idsPerPod} ids)`, (t) => {
      t.timeout(120_000);
      const folder = newRoot(t);
      let points = 0;
      for (let at = 1, died = true; died; at++) {
        for (let again = 1 + (at % STRIDE), diedAgain = true; diedAgain; again += STRIDE) {
          const root = join(folder, `${at}-${again}`);
          const pids = {first: 101, second: 102, third: 103};
          const start = openLedger(root, 100, {idsPerPod});
          const other = start.getOrCreate('other').hostId;
          step.setUp(start);
          const before = diskOf(root).pods.length;
          if (name === 'first opening') rmSync(root, {recursive: true});
          died = diesIn(root, pids.first, at, step.act, idsPerPod);
          diedAgain = diesIn(root, pids.second, again, () => undefined, idsPerPod);
          const ledger = openLedger(root, pids.third, {idsPerPod, isAlive: (owner) => owner.pid === pids.third});
          const note = `died at ${at}, then at ${again}`;
          assertWhole(t, root, [pids.third], note);
          if (name !== 'first opening') {
            t.is(ledger.getOrCreate('other').hostId, other, note);
            t.true(Math.abs(diskOf(root).pods.length - before) <= 1, note);
          }
          drain(t, ledger, 8 - ledger.list().length, note);
          ledger.getOrCreate('new');
          assertWhole(t, root, [pids.third], note);
          points += 1;
          rmSync(root, {recursive: true});
        }
      }
      t.log(`${points} pairs of deaths`);
    });
  }
}

test('any operation of another process at any point of ours leaves a whole ledger', (t) => {
  t.timeout(120_000);
  const folder = newRoot(t);
  const acts: Record<string, Step> = {
    create: (ledger) => ledger.getOrCreate('x'),
    release: (ledger) => ledger.release('x'),
    replace: (ledger) => [ledger.release('x'), ledger.getOrCreate('y'), ledger.getOrCreate('x')],
    prepare: (ledger) => ledger.claimPrepared(1).map((block) => ledger.assignPrepared(block, 'z')),
    sweep: (ledger) => ledger.sweep({isPodAlive: () => true}),
    fill: (ledger) => ledger.claimPrepared(8).map((block) => ledger.releasePrepared(block)),
  };
  let cases = 0;
  for (const [ours, our] of Object.entries(acts)) {
    for (const [theirs, their] of Object.entries(acts)) {
      for (const exists of [false, true]) {
        let reached = true;
        for (let at = 1; reached; at++) {
          const root = join(folder, `case${cases}`);
          const isAlive: (owner: {pid: number}) => boolean = ({pid}) => pid !== 9;
          // The pod's claimant is dead, so that recovery has a say too.
          if (exists) openLedger(root, 9, {isAlive}).getOrCreate('x');
          const second = openLedger(root, 2, {isAlive, patienceMs: 0});
          reached = false;
          let armed = false;
          let counted = 0;
          const fs: LedgerFs = watchedFs(() => {
            if (!armed) return;
            counted += 1;
            if (counted !== at) return;
            reached = true;
            armed = false;
            try {
              their(second);
            } catch (error) {
              t.regex(String(error), /SUBROOT_(LEDGER_BUSY|POOL_EXHAUSTED)/);
            }
          });
          const first = openLedger(root, 1, {isAlive, fs, patienceMs: 0});
          armed = true;
          const note = `${theirs} before operation ${at} of ${ours}, pod ${exists ? 'exists' : 'is new'}`;
          try {
            our(first);
          } catch (error) {
            t.regex(String(error), /SUBROOT_(LEDGER_BUSY|POOL_EXHAUSTED)/, note);
          }
          armed = false;
          openLedger(root, 3, {isAlive: ({pid}) => pid === 3});
          assertWhole(t, root, [3], note);
          cases += 1;
          rmSync(root, {recursive: true, force: true});
        }
      }
    }
  }
  t.log(`${cases} interleavings`);
});

test('a full disk, a read-only one and a forbidden one are named, and nothing half-made stays', (t) => {
  const folder = newRoot(t);
  const codes = {
    ENOSPC: 'SUBROOT_LEDGER_NO_SPACE',
    EDQUOT: 'SUBROOT_LEDGER_NO_SPACE',
    EROFS: 'SUBROOT_LEDGER_READ_ONLY',
    EACCES: 'SUBROOT_LEDGER_ACCESS',
    EIO: 'SUBROOT_LEDGER_IO',
  };
  const makers = ['mkdir', 'create', 'write', 'link', 'rename'];
  const tidiers = ['unlink', 'rmdir', 'close'];
  for (const [errno, code] of Object.entries(codes)) {
    for (const [name, step] of Object.entries(steps)) {
      let failed = true;
      for (let at = 1; failed; at++) {
        const root = join(folder, 'ledger');
        mkdirSync(root, {recursive: true});
        if (name !== 'first opening') step.setUp(openLedger(root, 1));
        let makes = 0;
        let tidying = false;
        failed = false;
        const fs = watchedFs((_, operation, path) => {
          if (!makers.includes(operation) && !tidiers.includes(operation)) return;
          tidying = tidiers.includes(operation);
          makes += 1;
          if (makes !== at) return;
          failed = true;
          throw Object.assign(new Error(`${errno}: injected`), {code: errno, path});
        });
        const note = `${errno} at ${at} of ${name}`;
        try {
          step.act(openLedger(root, 1, {fs}));
          // What could not be tidied up waits for the next recovery; what could not be made is an error.
          if (failed && !tidying) t.fail(`${note} went unnoticed`);
        } catch (error) {
          t.like(error, {code, details: {errno}}, note);
          t.regex(String(error), /To mend: /, note);
        }
        const ledger = openLedger(root, 2, {isAlive: () => false});
        assertWhole(t, root, [2], note);
        t.true(ledger.list().length <= 1, note);
        rmSync(root, {recursive: true});
      }
    }
  }
});

test('an error of getOrCreate leaves the claim and the folder of nobody, without any recovery', (t) => {
  const root = newRoot(t);
  let fail = false;
  const fs = watchedFs((_, operation) => {
    if (fail && operation === 'link') throw Object.assign(new Error('full'), {code: 'ENOSPC'});
  });
  const ledger = openLedger(root, 1, {fs});
  ledger.getOrCreate('first');
  fail = true;
  const before = diskOf(root);
  t.throws(() => ledger.getOrCreate('second'), {code: 'SUBROOT_LEDGER_NO_SPACE'});
  t.deepEqual(diskOf(root), before);
  fail = false;
  t.is(ledger.getOrCreate('second').size, 65_536);
});

test('a death between two instances of the same boot is told from a reboot', (t) => {
  const root = newRoot(t);
  openLedger(root, 1).getOrCreate('old');
  const options = {owner: ownerOf(1, 'boot-2'), isAlive: () => true};
  const ledger = openLedger(root, 1, options);
  t.is(ledger.list().length, 1, 'opening keeps it');
  t.deepEqual(ledger.sweep({isPodAlive: () => true}), ['old']);
  t.deepEqual(ledger.list(), []);
  const durable = openLedger(root, 1, {durable: true});
  durable.getOrCreate('kept');
  const rebooted = Ledger.open({root, pool: poolOf(8), durable: true, ...options});
  t.deepEqual(rebooted.sweep({isPodAlive: () => true}), []);
  t.is(rebooted.list().length, 1);
  writeFileSync(join(root, 'pods', 'kept', 'userns'), '');
});
