import {spawnSync} from 'node:child_process';
import test from 'ava';
import {doctorSchema} from '../../src/cli/schemas.ts';
import {hostTest} from '../helpers/host-test.ts';
import {cliWords, projectFolder, runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

interface DoctorJson {
  readonly works: boolean;
  readonly best: string;
  readonly modes: Readonly<Record<string, {readonly works: boolean; readonly stoppedBy: readonly string[]}>>;
  readonly findings: readonly {readonly id: string; readonly severity: string}[];
}

test('the JSON of doctor fits its schema, and the exit code says whether a real mode works', async (t) => {
  const {exitCode, stdout, stderr} = await runCli(['doctor', '-o', 'json']);
  const value = JSON.parse(stdout) as DoctorJson;
  t.is(stderr, '');
  t.deepEqual(findSchemaFaults(doctorSchema, value), []);
  t.is(exitCode, value.works ? 0 : 3);
  t.is(value.works, value.best !== 'simulated');
  t.true(value.modes.simulated?.works);
  for (const {stoppedBy} of Object.values(value.modes))
    for (const id of stoppedBy)
      t.true(
        value.findings.some((each) => each.id === id && each.severity === 'fail'),
        id,
      );
});

test('the text of doctor has the modes first and a sign for each finding, plain', async (t) => {
  const [all, problems] = await Promise.all([runCli(['doctor']), runCli(['doctor', '--problems'])]);
  t.regex(all.stdout, /^Modes\n {2}[✔✘] host {7}/);
  t.regex(all.stdout, /^ {2}✔ simulated {2}always works/m);
  t.regex(all.stdout, /^ {2}✔ namespaces: /m);
  t.regex(all.stdout, /^\d+ facts? fine, \d+ warnings?, \d+ failures?\.$/m);
  t.notRegex(all.stdout, /\x1b/);
  t.notRegex(problems.stdout, /✔ namespaces/);
  t.is(problems.stdout.split('\n').at(-2), all.stdout.split('\n').at(-2));
});

test('with --mode the exit code is about that mode', async (t) => {
  const json = JSON.parse((await runCli(['doctor', '-o', 'json'])).stdout) as DoctorJson;
  await Promise.all(
    ['host', 'subid', 'single'].map(async (mode) => {
      const {exitCode} = await runCli(['doctor', '--mode', mode]);
      t.is(exitCode, json.modes[mode]?.works === true ? 0 : 3, mode);
    }),
  );
});

hostTest('userns')(
  'in a user namespace that allows no more of them nothing real works: exit code 3, and it says why',
  (t) => {
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const {status, stdout} = spawnSync('unshare', ['-Ur', 'sh', '-c', script, 'sh', ...cliWords, 'doctor'], {
      encoding: 'utf8',
      cwd: projectFolder,
    });
    t.is(status, 3, stdout);
    t.regex(stdout, /✘ host {7}does not work: max-user-namespaces/);
    t.regex(stdout, /✘ max-user-namespaces: user\.max_user_namespaces is 0: creating one fails with\s+ENOSPC/);
    t.regex(
      stdout.replaceAll(/\s+/g, ' '),
      /▲ already-in-userns: we are in a user namespace already.*uid_map 0 \d+ 1; "host" means this namespace/,
    );
  },
);
