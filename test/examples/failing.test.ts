import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {type Consumer, makeConsumer, repository, runIn} from '../docs/consumer.ts';
import {hostTest} from '../helpers/host-test.ts';

let consumer: Consumer;
test.before(async () => {
  consumer = await makeConsumer();
});
test.after.always(async () => {
  await consumer?.cleanup();
});

/** The body of a test that notes its pod's pid and then fails. */
const body = "writeFileSync(process.env.NOTE, String(pod.pid)); throw new Error('on purpose');";
const note = "import {writeFileSync} from 'node:fs';";

const runners = [
  {
    name: 'ava',
    text: `${note} import {testWithPod} from 'subroot/ava'; testWithPod('fails', {}, async (t, pod) => { ${body} });`,
    argv: (file: string) => [join(repository, 'node_modules/ava/entrypoints/cli.mjs'), file],
  },
  {
    name: 'node-test',
    text: `${note} import {podTest} from 'subroot/node-test'; podTest('fails', {}, async (pod) => { ${body} });`,
    argv: (file: string) => ['--import=tsx', '--test', file],
  },
  {
    name: 'vitest',
    text: `${note} import {podTest} from 'subroot/vitest'; podTest('fails', async ({pod}) => { ${body} });`,
    argv: (file: string) => [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', file],
  },
];

for (const {name, text, argv} of runners) {
  hostTest('root', 'userns').serial(`subroot/${name}: the pod of a test that fails is removed`, async (t) => {
    const file = `examples/${name}/failing.test.ts`;
    writeFileSync(join(consumer.folder, file), text);
    const env = {SUBROOT_ROOT: join(consumer.folder, 'state', name), NOTE: join(consumer.folder, `${name}.pid`)};
    const {exitCode, output} = await runIn(consumer, process.execPath, argv(file), {env});
    t.is(exitCode, 1, output);
    t.regex(output, /on purpose/);
    const pid = readFileSync(env.NOTE, 'utf8');
    t.regex(pid, /^\d+$/);
    t.false(existsSync(`/proc/${pid}`));
    t.is((await runIn(consumer, 'subroot', ['pods', '-q'], {env})).output, '');
  });
}

/** The body of a test that never ends. */
const hang = 'writeFileSync(process.env.NOTE, String(pod.pid)); await pod.$`sleep infinity`;';

const hanging = [
  {
    name: 'node-test',
    text: `${note} import {podTest} from 'subroot/node-test'; podTest('hangs', {test: {timeout: 2000}}, async (pod) => { ${hang} });`,
    argv: (file: string) => ['--import=tsx', '--test', file],
  },
  {
    name: 'vitest',
    text: `${note} import {podTest} from 'subroot/vitest'; podTest('hangs', {timeout: 2000}, async ({pod}) => { ${hang} });`,
    argv: (file: string) => [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', file],
  },
];

for (const {name, text, argv} of hanging) {
  hostTest('root', 'userns').serial(
    `subroot/${name}: the pod of a test that runs into its timeout is removed`,
    async (t) => {
      const file = `examples/${name}/hanging.test.ts`;
      writeFileSync(join(consumer.folder, file), text);
      const state = join(consumer.folder, 'state', `${name}-hanging`);
      const env = {SUBROOT_ROOT: state, NOTE: join(consumer.folder, `${name}-hanging.pid`)};
      const {exitCode, output} = await runIn(consumer, process.execPath, argv(file), {env});
      t.is(exitCode, 1, output);
      t.false(existsSync(`/proc/${readFileSync(env.NOTE, 'utf8')}`));
      t.is((await runIn(consumer, 'subroot', ['pods', '-q'], {env})).output, '');
    },
  );
}
