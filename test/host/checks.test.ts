import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {allChecks, selectChecks} from '../../src/check/checks.ts';
import {runChecks} from '../../src/check/engine.ts';
import type {Ability, Report} from '../../src/check/result.ts';
import {cgroupMounts, RunFolder} from '../../src/check/run-folder.ts';
import type {Target} from '../../src/check/target.ts';
import {SubrootTarget} from '../../src/check/targets/subroot.ts';
import {startTimeOf} from '../../src/host/proc.ts';
import {readText} from '../../src/host/process-view.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {makeLab} from '../helpers/lab.ts';

const fixture = fileURLToPath(new URL('../fixtures/check-child.ts', import.meta.url));
const none: Readonly<Record<Ability, boolean>> = {
  start: false,
  'two-pods': false,
  'same-range': false,
  control: false,
  exec: false,
  'all-capabilities': false,
  mounts: false,
  'idmapped-mounts': false,
  stdio: false,
  outside: false,
};
const rooted = hostTest('linux', 'root', 'userns', 'perl');

async function judge(t: ExecutionContext, names: readonly string[] = [], seed = 'test'): Promise<Report> {
  const lab = await makeLab(t);
  const target = await SubrootTarget.open(lab.options);
  try {
    return await runChecks(target, {
      checks: selectChecks(names).checks,
      seed,
      folder: join(lab.root, 'checks'),
      timeoutMs: 20_000,
    });
  } finally {
    await target.close();
  }
}

/** What depends on how this kernel was built and what its root may; everything else must be clear on every machine that runs the tests. */
const mayBeUnclear: readonly string[] = [
  'host-id-audit',
  'sysrq-trigger',
  'modprobe-path',
  'load-module',
  'kexec',
  'dev-mem',
  'rlimit-raise',
  'oom-lowering',
];

rooted('every check of a pod of ours says blocked or works, or why it cannot say', async (t) => {
  const report = await judge(t);
  const seen = report.results.map(({id}) => id);
  t.deepEqual(
    seen,
    allChecks.map(({id}) => id),
    'each check has a result, in the order of the list',
  );
  for (const result of report.results) {
    const plain = {U: 'blocked', K: 'blocked', invariant: 'works', usable: 'works', 'by-design': 'by-design'}[
      result.class
    ];
    const expected = mayBeUnclear.includes(result.id) ? [plain, 'inconclusive', 'not-possible'] : [plain];
    t.true(expected.includes(result.outcome), `${result.id}: ${result.outcome}: ${result.reason}`);
    t.true(result.reason.length > 10, result.id);
    if (result.outcome === 'blocked') {
      const control = result.class === 'U' ? 'control-default' : 'control-all';
      t.is(
        result.arms.find(({arm}) => arm === control)?.ended,
        'succeeded',
        `${result.id} is of class ${result.class}`,
      );
    }
    for (const arm of result.arms)
      if (arm.arm.startsWith('treatment') && arm.attacker)
        t.true(arm.attacker.uid >= 65_536, `${result.id} ${arm.arm}`);
  }
  const total = Object.values(report.summary).reduce((sum, each) => sum + each, 0);
  t.is(total, allChecks.length);
});

rooted('the same seed gives the same report, but for times and processes', async (t) => {
  const names = [
    'read-root-0600',
    'kill-host-process',
    'lateral-signal',
    'map-covers-0-65535',
    'bind-80',
    'sysctl-host-net',
  ];
  const shape = ({results, summary, seed}: Report) => ({
    seed,
    summary,
    results: results.map(({id, outcome, arms}) => ({
      id,
      outcome,
      arms: arms.map(({arm, ended, errno, reached, observations}) => ({
        arm,
        ended,
        errno,
        reached,
        observed: observations.map(({did, errno: each}) => [did.replace(/\d+/g, 'N'), each]),
      })),
    })),
  });
  t.deepEqual(shape(await judge(t, names, 'same')), shape(await judge(t, names, 'same')));
});

rooted('a run that was cancelled leaves nothing and says so', async (t) => {
  const lab = await makeLab(t);
  const target = await SubrootTarget.open(lab.options);
  const folder = join(lab.root, 'checks');
  const stop = new AbortController();
  const running = runChecks(target, {checks: allChecks, folder, signal: stop.signal, onResult: () => stop.abort()});
  const error = await t.throwsAsync(running);
  t.is((error as {code?: string} | undefined)?.code, 'SUBROOT_CANCELLED');
  await target.close();
  t.deepEqual(readdirSync(folder), []);
});

rooted('of a run that was killed nothing runs, and the next one removes its folder and control groups', async (t) => {
  const lab = await makeLab(t);
  const folder = join(lab.root, 'checks');
  const child = spawn(
    process.execPath,
    ['--import=tsx', fixture, lab.root, String(lab.pool.first), String(lab.pool.length)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {...process.env, ...lab.env},
    },
  );
  try {
    // In the middle: canary processes, disks and groups are there by then.
    await once(child, 'spawn');
    let lines = 0;
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (bytes: Buffer) => {
        lines += bytes.toString().split('\n').length - 1;
        if (lines >= 40) resolve();
      });
      child.on('exit', () => reject(new Error('the run ended before it was killed')));
    });
  } finally {
    child.kill('SIGKILL');
  }
  const own = `${child.pid}-`;
  const groups = () =>
    Object.values(cgroupMounts().v1)
      .concat(cgroupMounts().v2 ?? [])
      .flatMap((mount) => readdirSync(mount))
      .filter((name) => name.startsWith(`subroot-check-${own}`));
  const disks = () =>
    readdirSync('/sys/block').filter((name) => readText(`/sys/block/${name}/loop/backing_file`)?.includes(own));
  await until('nothing of the killed run is running', () => lab.processes().length === 0 && disks().length === 0, {
    deadlineMs: 15_000,
    seen: () => [...lab.processes(), ...disks()].join('\n'),
  });
  t.true(
    readdirSync(folder).some((name) => name.startsWith(own)),
    'its folder is there until the next run',
  );
  await until('the next run removes what it left', () => {
    RunFolder.sweep(folder);
    return readdirSync(folder).length === 0 && groups().length === 0;
  });
});

rooted('a run leaves neither folders nor control groups', async (t) => {
  const lab = await makeLab(t);
  const before = lab.snapshot();
  const target = await SubrootTarget.open(lab.options);
  const folder = join(lab.root, 'checks');
  const {checks} = selectChecks(['read-root-0600', 'open-block-device', 'mount-in-host-mntns']);
  await runChecks(target, {checks, folder});
  await target.close();
  t.deepEqual(readdirSync(folder), []);
  t.true(existsSync(folder));
  await lab.untilNothingIsNew([...before, 'file: checks/']);
});

rooted('no namespace of the host is acted in, even where the target is a process of the host', async (t) => {
  const lab = await makeLab(t);
  const settings = ['kernel/hostname', 'net/ipv4/ip_forward', 'net/ipv4/ping_group_range', 'kernel/shmmax'];
  const state = () => [...settings.map((name) => readText(`/proc/sys/${name}`)), readText('/proc/self/mountinfo')];
  const links = () => readText('/proc/net/dev')?.match(/^ *\S+:/gm);
  const before = [state(), links()];
  const init = {pid: process.pid, startTime: startTimeOf(process.pid) ?? ''};
  const target: Target = {
    description: {
      target: `pid:${process.pid}`,
      version: 'a process of the host',
      notes: [],
      abilities: {...none, outside: true},
    },
    existing: [
      {name: 'host', init, declared: {}, exec: () => Promise.reject(new Error('no')), remove: () => Promise.resolve()},
    ],
    has: (ability) => ability === 'outside',
    start: () => Promise.reject(new Error('no')),
    close: () => Promise.resolve(),
  };
  const {results} = await runChecks(target, {
    checks: selectChecks(['1', '3', '7']).checks,
    folder: join(lab.root, 'checks'),
  });
  t.deepEqual([state(), links()], before);
  const outcomeOf = (id: string) => results.find((result) => result.id === id)?.outcome;
  t.is(outcomeOf('userns-inode-differs'), 'broken');
  t.is(outcomeOf('sysctl-core-pattern'), 'not-blocked');
});
