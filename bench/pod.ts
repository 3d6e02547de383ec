// Pods beside crun, runc, bwrap and unshare: ready and removal, pods a second, 1,000 idle pods. As root, in modes host and subid.
// Run: node --import=tsx bench/pod.ts [--json] [--quick] [ready|throughput|idle …]
import {execFileSync, spawn} from 'node:child_process';
import {chownSync, mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {createNode, type PodNode} from '../src/index.ts';
import {type Case, interleave, quantile, type Row, timeRows} from './lib/measure.ts';
import {type Memory, podPids, pssOf, readMemory} from './lib/memory.ts';
import {allPeers, makeRootfs, ociRuntime, type Peer, type PeerOptions, showCgroup2Alone} from './lib/peers.ts';
import {isQuick, report, say, sayConditions} from './lib/report.ts';
import {atEnd, reexecInMountNamespace, scratchFolder, withCleanUp} from './lib/scratch.ts';
import {containerCase, podCase, sandboxCase, sandboxMaker, startContainer} from './lib/subroot.ts';

type Mode = 'host' | 'subid';

const parts = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const wants = (part: string) => parts.length === 0 || parts.includes(part);
/** Subordinate ids of the user that the bench makes: 24 blocks, far from what distributions give. */
const subids = {first: 100_007_936, blocks: 24};

async function openNode(folder: string, mode: Mode): Promise<PodNode> {
  const node = await createNode({root: join(folder, `state-${mode}`), mode});
  atEnd(() => node.close());
  return node;
}

function peerCase(peer: Peer): Case {
  return {name: peer.name, run: (index) => peer.start(`r${index}`), undo: (index) => peer.remove(`r${index}`)};
}

async function ready(mode: Mode, options: PeerOptions): Promise<void> {
  const node = await openNode(options.folder, mode);
  const peers = allPeers(options);
  const cases = [
    podCase('subroot pod, cold (fresh range)', node),
    podCase('subroot pod, prepared range', node, {ranges: 1}),
    podCase('subroot pod, warm sandbox', node, {sandboxes: 1}),
    sandboxCase('subroot RunPodSandbox, cold', node),
    sandboxCase('subroot RunPodSandbox, prepared range', node, 'userns'),
    sandboxCase('subroot RunPodSandbox, warm sandbox', node, 'sandbox'),
    containerCase('subroot container in a pod', node),
    ...peers.map(peerCase),
  ];
  const samples = await interleave(cases, isQuick ? 20 : 100);
  const crun = peers.map(({name}) => name).filter((name) => name.startsWith('crun'));
  const of = (part: 'run' | 'undo') => new Map([...samples].map(([name, each]) => [name, each[part]]));
  report(timeRows(`pod ready, ${mode}`, of('run'), crun));
  report(timeRows(`pod removal, ${mode}`, of('undo'), crun));
  sayConditions();
  await node.close();
}

/** Makes and removes pods for so long, `width` at once; answers pods a second. */
async function closedLoop(
  width: number,
  milliseconds: number,
  pod: (worker: number) => Promise<void>,
): Promise<number> {
  const start = performance.now();
  let done = 0;
  const worker = async (index: number) => {
    while (performance.now() - start < milliseconds) {
      await pod(index);
      done += 1;
    }
  };
  await Promise.all(Array.from({length: width}, (_, index) => worker(index)));
  return (done / (performance.now() - start)) * 1000;
}

async function throughput(mode: Mode, options: PeerOptions, load: string): Promise<void> {
  const node = await openNode(join(options.folder, load.replaceAll(/\W+/g, '-')), mode);
  const runtimes = allPeers(options).filter(({name}) => / run -d/.test(name));
  let next = 0;
  const subjects: [name: string, pod: (worker: number) => Promise<void>][] = [
    [
      'subroot',
      async () => {
        await (await node.runPod({})).remove();
      },
    ],
    ...runtimes.map((peer): [string, () => Promise<void>] => [
      peer.name,
      async () => {
        const id = `t${next++}`;
        await peer.start(id);
        await peer.remove(id);
      },
    ]),
  ];
  for (const width of [1, 2, 8]) {
    const rates = new Map<string, number[]>(subjects.map(([name]) => [name, []]));
    for (let round = 0; round < (isQuick ? 1 : 3); round++) {
      for (const [name, pod] of subjects) {
        await sleep(100);
        rates.get(name)?.push(await closedLoop(width, isQuick ? 800 : 2500, pod));
      }
    }
    const rows = [...rates].map(([name, list]): Row => {
      const slowest = Math.min(...list);
      return {
        bench: `pods/s, ${mode}${load}`,
        case: `${name}, ${width} at once`,
        n: list.length,
        p50: quantile(list, 0.5),
        p99: slowest,
        unit: 'pods/s',
      };
    });
    const [best] = rows.filter((row) => row.case.startsWith('crun')).sort((a, b) => b.p50 - a.p50);
    report(rows.map((row) => (best === undefined ? row : {...row, peer: best.case, ratio: row.p50 / best.p50})));
  }
  sayConditions();
  await node.close();
}

/** Touched Buffers and objects, half a gigabyte in all: what makes fork(2) of this process slow. */
function grow(): unknown {
  const buffers = Array.from({length: 250}, () => Buffer.alloc(1_000_000, 1));
  const objects = Array.from({length: 2_500_000}, (_, index) => ({index, text: `${index}`}));
  return {buffers, objects};
}

interface Crowd {
  make(): Promise<() => Promise<void>>;
}

async function idleRows(name: string, count: number, crowd: Crowd): Promise<void> {
  const settle = async (): Promise<Memory> => {
    await sleep(isQuick ? 300 : 1500);
    return readMemory();
  };
  const before = await settle();
  const others = new Set(podPids());
  const removals: (() => Promise<void>)[] = [];
  const hundreds: number[] = [];
  const start = performance.now();
  let hundredStart = start;
  while (removals.length < count) {
    removals.push(...(await Promise.all([crowd.make(), crowd.make()])));
    if (removals.length % 100 !== 0) continue;
    hundreds.push((performance.now() - hundredStart) / 100);
    hundredStart = performance.now();
  }
  const created = performance.now() - start;
  const after = await settle();
  const pss = podPids().reduce((sum, pid) => sum + (others.has(pid) ? 0 : pssOf(pid)), 0);
  const removeStart = performance.now();
  for (let i = 0; i < removals.length; i += 2) await Promise.all(removals.slice(i, i + 2).map((remove) => remove()));
  const removed = performance.now() - removeStart;
  const row = (what: string, value: number, unit: Row['unit']): Row => ({
    bench: `${count} idle`,
    case: `${name}: ${what}`,
    n: count,
    p50: value,
    p99: value,
    unit,
  });
  report([
    row('create all', created / 1000, 's'),
    row('create each, first hundred', hundreds[0] ?? 0, 'ms'),
    row('create each, last hundred', hundreds.at(-1) ?? 0, 'ms'),
    row('remove all', removed / 1000, 's'),
    row('all memory each (MemAvailable)', (before.available - after.available) / count / 1000, 'MB'),
    row('all memory each (MemFree)', (before.free - after.free) / count / 1000, 'MB'),
    row('kernel memory each', (after.kernel - before.kernel) / count, 'kB'),
    row('PSS of processes each', pss / count, 'kB'),
  ]);
}

async function idle(options: PeerOptions): Promise<void> {
  const count = isQuick ? 200 : 1000;
  const node = await openNode(options.folder, 'host');
  const sandbox = async () => (await sandboxMaker(node))();
  await (await sandbox()).remove();
  await idleRows('subroot sandbox', count, {make: async () => (await sandbox()).remove});
  await idleRows('subroot sandbox and container, by CRI', count, {
    make: async () => {
      const made = await sandbox();
      await startContainer(node, made);
      return made.remove;
    },
  });
  await idleRows('subroot pod', count, {
    make: async () => {
      const pod = await node.runPod({});
      return () => pod.remove();
    },
  });
  await node.close();
  const [crun] = allPeers(options);
  if (crun === undefined) return;
  const best = ociRuntime('crun idle', 'crun', ['--cgroup-manager=disabled'], options);
  let next = 0;
  await idleRows('crun run -d, cgroup disabled', isQuick ? 100 : 200, {
    make: async () => {
      const id = `i${next++}`;
      await best.start(id);
      return () => best.remove(id);
    },
  });
  sayConditions();
}

async function suite(mode: Mode, options: PeerOptions): Promise<void> {
  if (wants('ready')) await ready(mode, options);
  if (wants('throughput')) await throughput(mode, options, '');
  if (wants('throughput') && mode === 'host') {
    const held = grow();
    await throughput(mode, options, ', 500 MB in the process');
    say(`held ${Object.keys(held as object).length} kinds of memory`);
  }
}

/** An ordinary user with subordinate ids, who is gone at the end. */
function makeUser(): {name: string; uid: number; gid: number} {
  const name = `subroot-b${process.pid}`;
  execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', name]);
  atEnd(() => execFileSync('userdel', [name], {stdio: ['ignore', 'ignore', 'inherit']}));
  const range = `${subids.first}-${subids.first + subids.blocks * 65_536 - 1}`;
  execFileSync('usermod', ['--add-subuids', range, '--add-subgids', range, name]);
  const id = (flag: string) => Number(execFileSync('id', [flag, name], {encoding: 'utf8'}));
  return {name, uid: id('-u'), gid: id('-g')};
}

/** Runs the subid half of this file as that user. */
async function asUser(folder: string, rootfs: string): Promise<void> {
  const user = makeUser();
  const home = join(folder, 'user');
  mkdirSync(home, {mode: 0o755});
  chownSync(home, user.uid, user.gid);
  const words = [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  const child = spawn('setpriv', words, {
    stdio: 'inherit',
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      TMPDIR: home,
      XDG_RUNTIME_DIR: home,
      USER: user.name,
      SUBROOT_BENCH_INNER: '1',
      SUBROOT_BENCH_ROOTFS: rootfs,
    },
  });
  const ended = new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  atEnd(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  if ((await ended) !== 0) throw new Error('the part in mode subid failed');
}

if (process.env.SUBROOT_BENCH_ROOTFS !== undefined) {
  const rootfs = process.env.SUBROOT_BENCH_ROOTFS;
  await withCleanUp(() =>
    suite('subid', {folder: scratchFolder(), rootfs, firstId: subids.first + (subids.blocks - 1) * 65_536}),
  );
} else if (process.getuid?.() !== 0) {
  say('bench/pod.ts must be root: it makes a user for the mode subid, and binds for the peers.');
  process.exitCode = 1;
} else if (!reexecInMountNamespace()) {
  await withCleanUp(async () => {
    const folder = scratchFolder();
    showCgroup2Alone();
    const rootfs = makeRootfs(folder);
    const options = {folder, rootfs, firstId: 3_000_041_472};
    await suite('host', options);
    if (wants('idle')) await idle(options);
    if (wants('ready') || wants('throughput')) await asUser(folder, rootfs);
  });
}
