import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {allChecks} from '../../src/check/checks.ts';
import {checksSchema, comparisonSchema, cveSchema, reportSchema} from '../../src/cli/check-schemas.ts';
import {hostTest} from '../helpers/host-test.ts';
import {makeLab} from '../helpers/lab.ts';
import {bundledMain} from './bundle.ts';
import {runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

const cli = async (...args: string[]) => await runCli(args, {}, '', [process.execPath, await bundledMain()]);

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'subroot-reports-'));
  t.teardown(() => rmSync(path, {recursive: true, force: true}));
  return path;
}

test('checks lists all of them, and explains one with its rule and its vulnerabilities', async (t) => {
  const listed = await cli('checks', '-o', 'json');
  t.is(listed.exitCode, 0);
  const {checks} = JSON.parse(listed.stdout);
  t.deepEqual(findSchemaFaults(checksSchema as never, {checks}), []);
  const ids = checks.map(({id}: {id: string}) => id);
  t.is(new Set(ids).size, ids.length);
  for (const {id} of allChecks) t.true(ids.includes(id), id);
  const explained = await cli('checks', 'explain', 'overwrite-root-executable');
  t.regex(explained.stdout, /^overwrite-root-executable: .*\n\ngain .*attempt .*rule .*CVE-2019-5736/s);
  t.like(await cli('checks', 'explain', 'read-root-600'), {exitCode: 2});
  t.regex((await cli('checks', 'explain', 'read-root-600')).stderr, /did you mean read-root-0600\?/);
  t.regex((await cli('checks', 'explain')).stderr, /needs the id of a check/);
  t.regex((await cli('checks', 'remove')).stderr, /cannot remove/);
});

test('cve lists all, and says of one what a user namespace leaves of it', async (t) => {
  const all = await cli('cve', '-o', 'json');
  t.deepEqual(findSchemaFaults(cveSchema as never, JSON.parse(all.stdout)), []);
  const one = await cli('cve', '2019-5736');
  t.is(one.exitCode, 0);
  t.regex(one.stdout, /✔ stops: a user namespace stops it \(KEP-127 names it\)/);
  const missing = await cli('cve', 'CVE-2019-5737');
  t.is(missing.exitCode, 2);
  t.regex(missing.stderr, /did you mean CVE-2019-5736\?/);
});

for (const [words, why] of [
  [['--target', 'nothing'], /nothing is no target/],
  [['--target', 'pid:0'], /0 is not a pid/],
  [['--check', 'no-such'], /there is no check no-such/],
  [['--group', '9'], /there is no check group 9/],
  [['--image', 'x'], /--image is of a cri: or docker target/],
  [['--runtime-handler', 'x'], /--runtime-handler is of a cri: target/],
  [['--report', 'html5'], /did you mean --report html\?/],
  [['--report', 'html='], /names no file/],
  [['--report', 'tap', '--report', 'junit'], /more than one report would go to standard output/],
  [['--report', 'tap', '-o', 'json'], /more than one report would go to standard output/],
  [['--report', 'tap=/nowhere/at/all/x.tap'], /cannot write \/nowhere\/at\/all\/x\.tap/],
] as const)
  test(`breakout ${words.join(' ')} is refused before anything is run`, async (t) => {
    const isTarget = words[0] === '--target';
    const ran = await cli('breakout', ...(isTarget ? [] : ['--target', 'self']), ...words);
    t.is(ran.exitCode, 2);
    t.regex(ran.stderr.replaceAll('\\n', ' '), why);
    t.is(ran.stdout, '');
  });

hostTest('linux')('self is judged without rights: exit code 1 where there is no user namespace', async (t) => {
  const path = folder(t);
  const ran = await cli('breakout', '--target', 'self', '--report', `json=${join(path, 'self.json')}`);
  const report = JSON.parse(readFileSync(join(path, 'self.json'), 'utf8'));
  t.deepEqual(findSchemaFaults(reportSchema as never, report), []);
  t.is(ran.exitCode, report.summary.broken > 0 ? 1 : 0);
  t.regex(ran.stdout, /^TAP version 14\n1\.\.\d+\n# target self: /);
  const text = await cli('breakout', '--target', 'self', '--report', 'text', '--check', 'self-uid-map');
  t.regex(text.stdout, /self-uid-map\n +uid 0 here is another uid outside/);
  t.notRegex(text.stdout, /\x1b/);
});

hostTest('root', 'userns', 'runc').serial(
  'breakout writes every report that is asked for, and JSON that fits its schema',
  async (t) => {
    const path = folder(t);
    const root = (await makeLab(t)).root;
    const files = ['junit', 'sarif', 'html', 'markdown', 'tap'].map((format) => [
      '--report',
      `${format}=${join(path, format)}`,
    ]);
    const ran = await cli(
      ...['breakout', '--root', root, '--target', 'oci:runc', '--seed', 'tests', '-o', 'json'],
      ...['--check', 'read-root-0600,userns-not-initial', '--check', 'kill-host-process'].slice(0, 2),
      ...files.flat(),
    );
    t.is(ran.exitCode, 0, ran.stderr);
    const report = JSON.parse(ran.stdout);
    t.deepEqual(findSchemaFaults(reportSchema as never, report), []);
    t.is(report.seed, 'tests');
    t.is(report.target.target, 'oci:runc');
    t.deepEqual(
      report.results.map(({id, outcome}: {id: string; outcome: string}) => [id, outcome]),
      [
        ['userns-not-initial', 'works'],
        ['read-root-0600', 'blocked'],
      ],
    );
    t.is(report.pods.length, 2);
    t.regex(readFileSync(join(path, 'junit'), 'utf8'), /<testsuites name="subroot" tests="2" failures="0"/);
    t.regex(readFileSync(join(path, 'tap'), 'utf8'), /^TAP version 14\n1\.\.2\n/);
    t.regex(readFileSync(join(path, 'html'), 'utf8'), /<h1>Evidence: oci:runc<\/h1>/);
    t.is(JSON.parse(readFileSync(join(path, 'sarif'), 'utf8')).runs[0].results.length, 2);
    t.regex(readFileSync(join(path, 'markdown'), 'utf8'), /# Evidence: `oci:runc`/);
  },
);

hostTest('root', 'userns', 'runc', 'crun').serial('compare shows targets beside each other', async (t) => {
  const root = (await makeLab(t)).root;
  const words = ['compare', 'oci:runc', 'oci:crun', '--root', root, '--check', 'read-root-0600'];
  const ran = await cli(...words);
  t.is(ran.exitCode, 0, ran.stderr);
  t.regex(ran.stdout, /^A {2}oci:runc: runc .*\nB {2}oci:crun: crun /);
  t.regex(ran.stdout, /A B {2}Host files\n✔ ✔ {2}read-root-0600\n/);
  const json = await cli(...words, '-o', 'json');
  t.deepEqual(findSchemaFaults(comparisonSchema as never, JSON.parse(json.stdout)), []);
  t.regex((await cli('compare', 'oci:runc', 'oci:runc')).stderr, /oci:runc is given twice/);
  t.regex((await cli('compare', 'oci:runc', 'self')).stderr, /from inside and the others from outside/);
});

hostTest('root', 'userns').serial(
  'verify judges pods that run, and finds one that has no user namespace',
  async (t) => {
    const {root} = await makeLab(t);
    const manifest = (name: string, hostUsers: boolean) =>
      `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {hostUsers: ${hostUsers}, containers: [{name: a, image: x, command: [sleep, infinity]}]}}`;
    const start = async (name: string, hostUsers: boolean) => {
      const main = await bundledMain();
      const words = ['run', '-', '--root', root, '--image', 'x=host', '-o', 'json'];
      return await runCli(words, {}, manifest(name, hostUsers), [process.execPath, main]);
    };
    t.is((await cli('verify', '--root', root)).exitCode, 2);
    t.is((await start('one', false)).exitCode, 0);
    t.is((await start('two', false)).exitCode, 0);
    const good = await cli('verify', '--root', root, '-o', 'json');
    t.is(good.exitCode, 0, good.stdout);
    const value = JSON.parse(good.stdout);
    t.deepEqual(findSchemaFaults(comparisonSchema as never, value), []);
    t.deepEqual(value.reports.map(({target}: {target: {target: string}}) => target.target).sort(), [
      'subroot/one',
      'subroot/two',
    ]);
    for (const {results} of value.reports) {
      t.true(results.length > 15);
      t.deepEqual(
        results.filter(({outcome}: {outcome: string}) => outcome !== 'works' && outcome !== 'blocked'),
        [],
      );
    }
    await start('shared', true);
    const bad = await cli('verify', 'shared', '--root', root, '--report', 'text');
    t.is(bad.exitCode, 1);
    t.regex(bad.stdout, /✘ broken +userns-not-initial/);
    t.regex(bad.stdout, /✔ works +declared-equals-observed/);
    t.regex((await cli('verify', 'three', '--root', root)).stderr, /no pod .*three/);
  },
);
