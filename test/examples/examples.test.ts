import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {findDifference} from '../docs/compare.ts';
import {type Consumer, makeConsumer, repository, runIn, runScript} from '../docs/consumer.ts';
import {hostTest} from '../helpers/host-test.ts';

let consumer: Consumer;
test.before(async () => {
  consumer = await makeConsumer();
});
test.after.always(async () => {
  await consumer?.cleanup();
});

/** A state folder for one test: examples give their pods plain names. */
const stateOf = (name: string) => ({SUBROOT_ROOT: join(consumer.folder, 'state', name)});

/** A command of `subroot` on the state of one test. */
const cliOf =
  (name: string) =>
  (...words: string[]) =>
    runIn(consumer, 'subroot', words, {env: stateOf(name)});

/** What an example says that it prints, in its last comment. */
function printedBy(file: string): string {
  return /\/\* prints\n(.*)\*\/\s*$/s.exec(readFileSync(join(repository, 'examples', file), 'utf8'))?.[1] ?? '';
}

for (const file of ['plain.ts', 'two-pods.ts', 'inotify.ts']) {
  hostTest('root', 'userns').serial(`examples/${file} prints what it says`, async (t) => {
    const {exitCode, output} = await runScript(consumer, [`examples/${file}`], {env: stateOf(file)});
    t.is(exitCode, 0, output);
    t.not(printedBy(file), '');
    t.is(findDifference(printedBy(file), output), undefined, output);
    t.is((await cliOf(file)('pods', '-q')).output, '');
  });
}

hostTest('root', 'userns').serial('examples/ava passes in a project that has subroot installed', async (t) => {
  const ava = join(repository, 'node_modules/ava/entrypoints/cli.mjs');
  const {exitCode, output} = await runIn(consumer, process.execPath, [ava, 'examples/ava/userns.test.ts'], {
    env: stateOf('ava'),
  });
  t.is(exitCode, 0, output);
  t.regex(output, /3 tests passed/);
});

hostTest('root', 'userns').serial('examples/node-test passes in a project that has subroot installed', async (t) => {
  const {exitCode, output} = await runScript(consumer, ['--test', 'examples/node-test/userns.test.ts'], {
    env: stateOf('node-test'),
  });
  t.is(exitCode, 0, output);
  t.regex(output, /pass 3\b/);
});

hostTest('root', 'userns').serial('examples/vitest passes in a project that has subroot installed', async (t) => {
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
  const {exitCode, output} = await runIn(consumer, process.execPath, [vitest, 'run', '--dir', 'examples/vitest'], {
    env: stateOf('vitest'),
  });
  t.is(exitCode, 0, output);
  t.regex(output, /3 passed/);
});

hostTest('root', 'userns').serial('two-containers.yaml: one network and /dev/shm, two process lists', async (t) => {
  const run = cliOf('two-containers');
  t.is((await run('run', 'examples/two-containers.yaml', '--image', 'debian=host')).exitCode, 0);
  const inContainer = async (container: string, ...words: string[]) =>
    (await run('exec', '-c', container, 'two-containers', ...words)).output;
  t.is(await inContainer('reader', 'cat', '/dev/shm/greeting'), 'hello');
  const namespaces = ['readlink', '/proc/self/ns/user', '/proc/self/ns/net'];
  t.is(await inContainer('reader', ...namespaces), await inContainer('writer', ...namespaces));
  t.not(
    await inContainer('reader', 'readlink', '/proc/self/ns/pid'),
    await inContainer('writer', 'readlink', '/proc/self/ns/pid'),
  );
  t.is((await run('rm', 'two-containers')).exitCode, 0);
});

hostTest('root', 'userns').serial(
  'volumes.yaml: a program reads what is its own, and writes where its group may',
  async (t) => {
    const run = cliOf('volumes');
    t.is((await run('run', 'examples/volumes.yaml', '--image', 'debian=host')).exitCode, 0);
    const sh = (script: string) => run('exec', 'volumes', 'sh', '-c', script);
    const read = await sh(
      'cat /etc/greeting /etc/pod/password /etc/pod/labels; stat -L -c "%u:%g %a" /etc/pod/password',
    );
    t.is(read.output, 'helloopen sesameapp="volumes"0:2000 440');
    t.is((await sh('echo x > /scratch/file; stat -c %u:%g /scratch/file')).output, '1000:2000');
    t.not((await sh('echo x > /etc/pod/new')).exitCode, 0);
    t.is((await run('rm', 'volumes')).exitCode, 0);
  },
);

hostTest('root', 'userns').serial('shared-folder.yaml: the reader sees what root in the pod lets it see', async (t) => {
  const run = cliOf('shared-folder');
  t.is((await run('run', 'examples/shared-folder.yaml', '--image', 'debian=host')).exitCode, 0);
  const read = (path: string) => run('exec', '-c', 'reader', 'shared-folder', 'cat', path);
  t.deepEqual(await read('/notes/public'), {exitCode: 0, output: 'for all'});
  t.deepEqual(await read('/notes/secret'), {exitCode: 1, output: 'cat: /notes/secret: Permission denied'});
  t.is((await run('rm', 'shared-folder')).exitCode, 0);
});

hostTest('root', 'userns').serial(
  'looked-after.yaml: a sidecar, probes, hooks and restarts, while run --wait looks after it',
  async (t) => {
    const run = cliOf('looked-after');
    const words = ['run', 'examples/looked-after.yaml', '--image', 'debian=host', '--wait', '--backoff', '50ms,100ms'];
    const {exitCode, output} = await run(...words);
    t.is(exitCode, 0, output);
    t.regex(output, /^looked-after\/worker: prepared$/m);
    t.regex(output, /^looked-after\/server: asked$/m);
    t.regex((await run('pods')).output, /Ready +0\/3 +Completed +2 +looked-after/);
    t.is((await run('rm', 'looked-after')).exitCode, 0);
  },
);
