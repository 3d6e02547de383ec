import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import test from 'ava';
import {type FuzzReport, fuzzBoundary} from '../../src/check/fuzz.ts';
import {programOf} from '../../src/check/fuzz-program.ts';
import {RunFolder} from '../../src/check/run-folder.ts';
import {Scene} from '../../src/check/scene.ts';
import {startPods} from '../../src/check/scene-pods.ts';
import type {Target} from '../../src/check/target.ts';
import {SubrootTarget} from '../../src/check/targets/subroot.ts';
import {hostTest} from '../helpers/host-test.ts';
import {type Lab, makeLab} from '../helpers/lab.ts';
import {mutants, openMutant} from '../helpers/mutants.ts';

const rooted = hostTest('linux', 'root', 'userns', 'perl');
const place = {folder: '/mnt/fuzz', victim: 4711, corePattern: 'core'};

/** All of them with SUBROOT_FUZZ=10000; else what can be done in a few seconds. */
const wanted = Number(process.env.SUBROOT_FUZZ ?? 0);
const seed = process.env.SUBROOT_FUZZ_SEED ?? 'subroot';

async function fuzz(lab: Lab, target: Target, options: {programs: number; withinMs?: number}): Promise<FuzzReport> {
  const run = RunFolder.make(join(lab.root, 'checks'));
  const pods = await startPods(target, run);
  const signal = new AbortController().signal;
  const scene = await Scene.open({target, pods: pods.pods, seed, signal, timeoutMs: 5000, run});
  try {
    return await fuzzBoundary(scene, {seed, ...options});
  } finally {
    await scene.close();
    await pods.remove();
    run.remove();
    await target.close();
  }
}

test('a seed gives the same programs, and another one others', (t) => {
  const texts = (from: string) =>
    Array.from({length: 200}, (_, number) => JSON.stringify(programOf(from, number, place)));
  t.deepEqual(texts('a'), texts('a'));
  t.notDeepEqual(texts('a'), texts('b'));
  t.true(new Set(texts('a')).size > 190, 'and a program is hardly ever another one again');
});

test('programs act on canaries, on themselves and on their victim alone', (t) => {
  for (let number = 0; number < 2000; number++) {
    for (const {call} of programOf('scope', number, place)) {
      for (const argument of call.slice(3)) {
        if (!/^s\//.test(argument)) continue;
        const path = argument.slice(1);
        const allowed = ['/mnt/fuzz/', '/proc/self/', '/proc/4711/', '/proc/sys/kernel/core_pattern'];
        t.true(path === '/' || allowed.some((start) => path.startsWith(start)), `${call.join(' ')}`);
      }
      if (call[0] === 'kill') t.is(call[3], '4711', 'a signal goes to the victim, never to a group or to all');
      t.is(call[2], '?', 'a refusal does not end the program');
    }
  }
});

rooted('random programs of a pod change nothing outside of its ids', async (t: ExecutionContext) => {
  const lab = await makeLab(t);
  const options = wanted > 0 ? {programs: wanted} : {programs: 100_000, withinMs: 4000};
  if (wanted > 0) t.timeout(600_000);
  const report = await fuzz(lab, await SubrootTarget.open(lab.options), options);
  t.log(
    `${report.programs} programs, ${report.calls} calls, ${report.succeeded} of them succeeded, seed ${report.seed}`,
  );
  t.deepEqual(report.findings, []);
  t.true(report.programs >= (wanted || 40));
  t.true(report.succeeded > report.calls / 20, 'enough of what they try is allowed');
});

rooted('random programs find a pod whose root is root of the host, and say which one', async (t) => {
  const lab = await makeLab(t);
  const mutant = mutants.find(({id}) => id === 'root-to-root');
  if (!mutant) return t.fail('there is no such mutant');
  const {findings} = await fuzz(lab, await openMutant(mutant, lab.options), {programs: 40});
  const [first] = findings;
  if (!first) return t.fail('nothing was found');
  t.is(first.programs.length, 1);
  t.true(first.calls.length > 0);
  t.regex(first.what, /→/);
});
