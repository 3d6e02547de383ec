import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {allChecks, selectChecks} from '../../src/check/checks.ts';
import {runChecks} from '../../src/check/engine.ts';
import type {Report} from '../../src/check/result.ts';
import {SubrootTarget} from '../../src/check/targets/subroot.ts';
import {hostTest} from '../helpers/host-test.ts';
import {makeLab} from '../helpers/lab.ts';

const rooted = hostTest('linux', 'root', 'userns', 'perl');

async function judge(t: ExecutionContext, names: readonly string[] = [], seed = 'test'): Promise<Report> {
  const lab = await makeLab(t);
  const target = await SubrootTarget.open(lab.options);
  try {
    return await runChecks(target, {checks: selectChecks(names).checks, seed, folder: join(lab.root, 'checks')});
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
