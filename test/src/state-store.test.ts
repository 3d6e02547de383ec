import {type ChildProcess, spawn} from 'node:child_process';
import {chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import type {PodSandboxConfig} from '../../native-free/cri.ts';
import {SubrootError} from '../../src/index.ts';
import {type ContainerRecord, type SandboxRecord, STATE_VERSION, StateStore} from '../../src/runtime/state-store.ts';

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await dir({prefix: 'subroot-store', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  return join(folder.path, 'state');
}

const sandboxId = 'a'.repeat(64);
const containerId = 'b'.repeat(64);
const config: PodSandboxConfig = {metadata: {name: 'web', namespace: 'default', uid: 'u-1', attempt: 0}};
const sandbox: SandboxRecord = {
  id: sandboxId,
  config,
  runtimeHandler: '',
  mode: 'host',
  createdAt: '1795334570861000000',
  bootId: 'boot',
};
const container: ContainerRecord = {
  id: containerId,
  sandboxId,
  config: {metadata: {name: 'main', attempt: 0}, image: {image: 'host'}},
  logPath: '',
  createdAt: '1795334570861000001',
  argv: ['sleep', 'infinity'],
};
const owner = {pid: process.pid, startTime: '1'};

test('a new folder has its version, its folders, and no access for others to what is in them', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  t.deepEqual(JSON.parse(readFileSync(join(root, 'version'), 'utf8')), {version: STATE_VERSION});
  t.is(statSync(root).mode % 0o1000, 0o711);
  for (const name of ['sandboxes', 'containers', 'names', 'fifos', 'logs'])
    t.is(statSync(join(root, name)).mode % 0o1000, 0o700, name);
  store.writeSandbox(sandbox);
  store.writeContainer(container);
  t.is(statSync(join(store.sandboxFolder(sandboxId), 'state.json')).mode % 0o1000, 0o600);
  t.is(statSync(store.containerFolder(containerId)).mode % 0o1000, 0o700);
  t.is(StateStore.open(root).root, root);
});

test('records come back as they were written, also in another process’s store', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  t.is(store.readSandbox(sandboxId), undefined);
  store.writeSandbox(sandbox);
  store.writeContainer(container);
  for (const each of [store, StateStore.open(root)]) {
    t.deepEqual(each.readSandbox(sandboxId), sandbox);
    t.deepEqual(each.readContainer(containerId), container);
    t.deepEqual(each.sandboxIds(), [sandboxId]);
    t.deepEqual(each.containerIds(), [containerId]);
    t.deepEqual(each.containerIdsOf(sandboxId), [containerId]);
  }
  const other = StateStore.open(root);
  other.writeSandbox({...sandbox, stopped: true});
  t.true(store.readSandbox(sandboxId)?.stopped, 'what another process wrote is seen');
  store.removeContainer(containerId);
  store.removeSandbox(sandboxId);
  store.removeSandbox(sandboxId);
  for (const each of [store, other, StateStore.open(root)]) {
    t.is(each.readSandbox(sandboxId), undefined);
    t.is(each.readContainer(containerId), undefined);
    t.deepEqual([...each.sandboxIds(), ...each.containerIds()], []);
  }
});

test('a record is replaced in one step: a reader in another process never sees a part of one', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  store.writeSandbox(sandbox);
  const path = join(store.sandboxFolder(sandboxId), 'state.json');
  const reader = `
    const {readFileSync} = require('node:fs');
    let reads = 0, bad = 0;
    const until = Date.now() + 600;
    process.stdout.write('go\\n');
    while (Date.now() < until) { reads++; try { JSON.parse(readFileSync(process.argv[1], 'utf8')) } catch { bad++ } }
    process.stdout.write(JSON.stringify({reads, bad}) + '\\n');`;
  const child: ChildProcess = spawn(process.execPath, ['-e', reader, path], {stdio: ['ignore', 'pipe', 'inherit']});
  let said = '';
  let isReading = false;
  child.stdout?.on('data', (bytes) => {
    said += bytes;
    isReading = true;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  while (!isReading) await new Promise((resolve) => setTimeout(resolve, 1));
  let writes = 0;
  for (let isOver = false; !isOver; writes++) {
    store.writeSandbox({...sandbox, config: {...config, labels: {long: 'x'.repeat((writes % 7) * 3000)}}});
    if (writes % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    isOver = said.includes('}');
  }
  await ended;
  const {reads, bad} = JSON.parse(said.split('\n')[1] ?? '{}') as {reads: number; bad: number};
  t.is(bad, 0);
  t.true(reads > 100 && writes > 100, `${reads} reads, ${writes} writes`);
  t.deepEqual(readdirSync(store.sandboxFolder(sandboxId)), ['state.json'], 'no temporary file stays');
});

test('a damaged record is an error with its path and what is wrong', async (t) => {
  const root = await folderOf(t);
  StateStore.open(root).writeSandbox(sandbox);
  const store = StateStore.open(root);
  const path = join(store.sandboxFolder(sandboxId), 'state.json');
  for (const [text, why] of [
    ['', 'it is not JSON'],
    ['{"id":"a"', 'it is not JSON'],
    ['null', 'it is not an object'],
    ['[1]', 'it lacks id, config, createdAt'],
    ['{"id":"a","config":{}}', 'it lacks createdAt'],
  ] as const) {
    writeFileSync(path, text);
    t.throws(() => store.readSandbox(sandboxId), {
      instanceOf: SubrootError,
      code: 'SUBROOT_STATE_CORRUPT',
      message: new RegExp(`${path} is damaged: ${why}`),
    });
  }
});

test('a folder of a newer version or a damaged version file is refused, and an empty one is begun anew', async (t) => {
  const root = await folderOf(t);
  StateStore.open(root);
  const path = join(root, 'version');
  for (const [text, code, message] of [
    [
      `{"version":${STATE_VERSION + 1}}`,
      'SUBROOT_STATE_NEWER',
      new RegExp(`${root} is of version ${STATE_VERSION + 1}, and this subroot knows up to ${STATE_VERSION}`),
    ],
    ['{"version":"1"}', 'SUBROOT_STATE_CORRUPT', /it names no version/],
    ['null', 'SUBROOT_STATE_CORRUPT', /it names no version|it is not/],
    ['v1', 'SUBROOT_STATE_CORRUPT', /it is not JSON/],
  ] as const) {
    writeFileSync(path, text);
    t.throws(() => StateStore.open(root), {instanceOf: SubrootError, code, message}, text);
    t.throws(() => StateStore.openToRead(root), {instanceOf: SubrootError, code}, text);
  }
  // A crash between making the file and filling it.
  writeFileSync(path, '');
  t.notThrows(() => StateStore.open(root));
});

test('looking at a state folder that is not there makes none', async (t) => {
  const root = await folderOf(t);
  t.deepEqual(StateStore.openToRead(root).sandboxIds(), []);
  t.false(existsSync(root));
});

test('a name is taken once, told with its holder, and given back only by who has it', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  const odd = 'name/with\0any\ncharacter and '.repeat(40);
  for (const name of ['web', odd]) {
    t.is(store.reserveName('sandbox', name, sandboxId, owner), undefined);
    const holder = StateStore.open(root).reserveName('sandbox', name, containerId, owner);
    t.is(holder?.id, sandboxId);
    t.deepEqual(holder?.owner, owner);
    t.is(store.reserveName('container', name, containerId, owner), undefined, 'another kind is another name');
    store.releaseName('sandbox', name, containerId);
    t.is(store.reserveName('sandbox', name, containerId, owner)?.id, sandboxId, 'only its holder gives it back');
    store.releaseName('sandbox', name, sandboxId);
    store.releaseName('container', name, containerId);
    store.releaseName('container', name, containerId);
  }
  t.deepEqual(readdirSync(join(root, 'names')), []);
});

test('the start of a pod is marked beside its name until it is finished or given up', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  t.is(store.reserveName('pod', 'default/web', 'u-1', owner), undefined);
  t.deepEqual(
    store
      .names()
      .map(({id, isStartMark}) => [id, isStartMark])
      .sort(),
    [
      ['u-1', false],
      ['u-1', true],
    ],
  );
  store.finishStart('default/web', 'u-1');
  t.deepEqual(
    store.names().map(({isStartMark}) => isStartMark),
    [false],
  );
  t.is(store.reserveName('pod', 'default/web', 'u-2', owner)?.id, 'u-1');
  t.is(readdirSync(join(root, 'names')).length, 1, 'who comes too late leaves no mark');
  store.releaseName('pod', 'default/web', 'u-1');
  t.is(store.reserveName('pod', 'default/web', 'u-3', owner), undefined);
  store.releaseName('pod', 'default/web', 'u-3');
  t.deepEqual(readdirSync(join(root, 'names')), []);
});

test('a container can be claimed for its start by one caller only', async (t) => {
  const root = await folderOf(t);
  const [one, two] = [StateStore.open(root), StateStore.open(root)];
  one.writeSandbox(sandbox);
  one.writeContainer(container);
  t.true(one.claimStart(containerId));
  t.false(two.claimStart(containerId));
  t.false(one.claimStart(containerId));
});

test('what a supervisor noted before its starter died is part of the record', async (t) => {
  const root = await folderOf(t);
  const store = StateStore.open(root);
  store.writeSandbox(sandbox);
  store.writeContainer(container);
  writeFileSync(join(store.sandboxFolder(sandboxId), 'started'), '123 456 789 1011');
  writeFileSync(join(store.containerFolder(containerId), 'started'), '12 13 14 15');
  t.deepEqual(store.readSandbox(sandboxId)?.holder, {pid: 123, startTime: '456'});
  const read = store.readContainer(containerId);
  t.deepEqual(
    [read?.init, read?.supervisor],
    [
      {pid: 12, startTime: '13'},
      {pid: 14, startTime: '15'},
    ],
  );
  // A record that knows better wins.
  store.writeSandbox({...sandbox, holder: {pid: 1, startTime: '2'}});
  t.deepEqual(store.readSandbox(sandboxId)?.holder, {pid: 1, startTime: '2'});
  store.writeSandbox({...sandbox, stopped: true});
  t.is(store.readSandbox(sandboxId)?.holder, undefined);
  t.deepEqual(store.retireSandbox(sandboxId), {pid: 123, startTime: '456'});
  t.is(store.readSandbox(sandboxId), undefined);
  t.deepEqual(store.retiredIds(), [sandboxId]);
  t.deepEqual(store.sandboxIds(), []);
  store.removeSandbox(sandboxId);
  t.deepEqual(store.retiredIds(), []);
});

const nobody = 65_534;

test('a folder that may not be written is an error with its path', async (t) => {
  const root = await folderOf(t);
  StateStore.open(root);
  chmodSync(root, 0o755);
  for (const name of ['', ...readdirSync(root)]) chownSync(join(root, name), nobody, nobody);
  chmodSync(join(root, 'sandboxes'), 0o500);
  const isForbidden = () =>
    t.throws(() => StateStore.open(root).writeSandbox(sandbox), {code: 'SUBROOT_STATE_FORBIDDEN', message: /EACCES/});
  // Root may write everywhere, so it is somebody else meanwhile; nothing here waits.
  if (process.geteuid?.() !== 0) return void isForbidden();
  process.seteuid?.(nobody);
  try {
    isForbidden();
  } finally {
    process.seteuid?.(0);
  }
});

test('a state folder that is a file, or below one, is an error with its path', async (t) => {
  const root = await folderOf(t);
  mkdirSync(join(root, '..'), {recursive: true});
  writeFileSync(root, 'a file');
  for (const path of [root, join(root, 'below')])
    t.throws(() => StateStore.open(path), {
      instanceOf: SubrootError,
      code: 'SUBROOT_STATE_IO',
      message: new RegExp(`${root}.*(ENOTDIR|EEXIST)`),
    });
});
