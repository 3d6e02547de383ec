import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {
  imageFsInfoSchema,
  imagesSchema,
  importSchema,
  inspectImageSchema,
  pullSchema,
  removeImageSchema,
} from '../../src/cli/image-schemas.ts';
import {drawLayer, PullDisplay} from '../../src/cli/pull-display.ts';
import {hostTest} from '../helpers/host-test.ts';
import {busyboxEntries, digestOf, dockerArchive, imageOf, layerOf} from '../helpers/image-builder.ts';
import {TestRegistry} from '../helpers/image-registry.ts';
import {makeLab} from '../helpers/lab.ts';
import {bundledMain} from './bundle.ts';
import {type CliResult, runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

const rootTest = hostTest('root', 'perl', 'docker-registry', 'busybox');

async function world(t: ExecutionContext) {
  const lab = await makeLab(t);
  const folder = await dir({prefix: 'subroot-cli-images', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const store = join(folder.path, 'images');
  const program = [process.execPath, await bundledMain()];
  const run = (args: readonly string[], input?: string): Promise<CliResult> =>
    runCli(args, {...lab.env, SUBROOT_ROOT: lab.root, SUBROOT_IMAGE_STORE: store, HOME: folder.path}, input, program);
  const ok = async (args: readonly string[], input?: string) => {
    const ran = await run(args, input);
    t.is(ran.exitCode, 0, `${args.join(' ')}: ${ran.stderr}`);
    return ran;
  };
  const json = async <Value>(args: readonly string[], schema: Readonly<Record<string, unknown>>): Promise<Value> => {
    const value = JSON.parse((await ok([...args, '-o', 'json'])).stdout) as Value;
    t.deepEqual(findSchemaFaults(schema, value), [], args.join(' '));
    return value;
  };
  return {lab, folder: folder.path, store, run, ok, json};
}

const podOf = (image: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: 'web'},
    spec: {hostUsers: false, restartPolicy: 'Never', containers: [{name: 'a', image, ...more}]},
  });

rootTest.serial('images are pulled, listed, looked at, run, and removed when nobody uses them', async (t) => {
  const {lab, store, run, ok, json} = await world(t);
  const registry = await TestRegistry.start(t);
  const image = imageOf([await layerOf(busyboxEntries())], {Cmd: ['/bin/sleep', '1000000'], User: '1000:1001'});
  const id = digestOf(image.config);
  await registry.push('team/app', '1', image);
  const name = `${registry.host}/team/app:1`;

  const pulled = await ok(['pull', name]);
  t.is(pulled.stdout, `${name} is image ${id}\n`);
  const layer = digestOf(image.layers[0]?.blob ?? Buffer.alloc(0)).slice(7, 19);
  t.regex(
    pulled.stderr,
    new RegExp(`^pulling ${name}: 1 layer, [\\d.]+MB\n  ${layer}  downloaded\n  ${layer}  done\n$`),
  );
  t.is((await ok(['pull', '-q', name])).stdout, `${id}\n`);
  const {images} = await json<{images: {id: string; repoTags: string[]; uid: unknown}[]}>(
    ['pull', '-q', name],
    pullSchema,
  );
  t.like(images[0], {id, repoTags: [name], uid: {value: '1000'}});
  await json(['images'], imagesSchema);
  const table = (await ok(['images', '--digests'])).stdout;
  t.regex(table, /^IMAGE +TAG +DIGEST +IMAGE ID +SIZE +ADDED\n/);
  t.regex(table, new RegExp(`${registry.host}/team/app +1 +sha256:[0-9a-f]{12} +${id.slice(7, 20)} +[\\d.]+MB`));
  t.is((await ok(['images', '-q', name])).stdout, `${id}\n`);
  const looked = await json<{info: {config: object; layers: {views: string[]}[]}}>(
    ['inspecti', id.slice(7, 15)],
    inspectImageSchema,
  );
  t.like(looked.info.config, {Cmd: ['/bin/sleep', '1000000'], User: '1000:1001'});
  t.deepEqual(looked.info.layers[0]?.views, ['shifted']);
  await json(['imagefsinfo'], imageFsInfoSchema);

  // A plan does nothing, and names what would be.
  const plan = (await ok(['run', '-', '--dry-run', '-o', 'json'], podOf(name))).stdout;
  t.true(plan.includes(`${store}/layers/shifted/`));
  t.regex(
    (await ok(['run', '-', '--dry-run'], podOf('elsewhere.example/x:1'))).stdout,
    /the layers of elsewhere\.example\/x:1, which is pulled first/,
  );

  await ok(['run', '-', '--pull', 'Never'], podOf(name));
  t.is((await ok(['exec', 'web', 'id', '-u'])).stdout, '1000\n');
  const refused = await run(['rmi', name]);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /is in use by pod web.*`subroot rm`.*rmi --force.*\[SUBROOT_IMAGE_IN_USE\]/s);
  t.is((await ok(['rmi', '--prune'])).stdout, 'nothing was removed\n');
  t.regex((await ok(['rmi', '-f', name])).stdout, new RegExp(`^image .*${name}.* removed\n[\\d.]+MB freed\n$`));
  t.is((await ok(['exec', 'web', 'cat', '/etc/motd'])).stdout, 'of the lower layer\n');
  t.is((await ok(['images'])).stdout, `no images in ${store}\n`);
  await ok(['rm', 'web']);
  t.regex((await ok(['gc'])).stdout, /removed +image layer +shifted\/sha256:/);
  t.deepEqual(readdirSync(join(store, 'layers/shifted')), []);
  await lab.untilNothingIsLeft('everything was removed');
});

rootTest.serial('images are imported from files, and what cannot be meant is told', async (t) => {
  const {folder, run, ok, json} = await world(t);
  const layer = await layerOf(busyboxEntries());
  const image = imageOf([layer], {Cmd: ['/bin/true']});
  writeFileSync(join(folder, 'app.tar'), await dockerArchive([{image, tags: ['demo/app:1']}]));
  writeFileSync(join(folder, 'root.tar'), layer.tar);
  const imported = await json<{images: {repoTags: string[]}[]}>(['import', join(folder, 'app.tar')], importSchema);
  t.deepEqual(imported.images[0]?.repoTags, ['docker.io/demo/app:1']);
  t.regex(
    (await ok(['import', join(folder, 'root.tar'), 'root:1'])).stdout,
    /^docker\.io\/library\/root:1 is image sha256:/,
  );
  const ran = await ok(['run', '-', '--wait', '--rm'], podOf('root:1', {command: ['/bin/echo', 'hello']}));
  t.is(ran.stdout, 'hello\n');
  const removed = await json<{removed: {names: string[]}[]}>(['rmi', 'demo/app:1', 'root:1'], removeImageSchema);
  t.deepEqual(
    removed.removed.flatMap(({names}) => names),
    ['docker.io/demo/app:1', 'docker.io/library/root:1'],
  );
  const rows: readonly (readonly [args: readonly string[], exitCode: number, says: RegExp])[] = [
    [['import', join(folder, 'root.tar')], 2, /does not say what its image is called.*NAME:TAG/s],
    [['import', join(folder, 'nothing.tar')], 2, /cannot import .*it is not there.*SUBROOT_IMAGE_SOURCE/s],
    [['rmi'], 2, /no image was named/],
    [['rmi', '--all', 'x'], 2, /--all and --prune take no images/],
    [['rmi', 'nosuch:1'], 2, /there is no image nosuch:1.*SUBROOT_IMAGE_UNKNOWN/s],
    [['inspecti', 'nosuch:1'], 2, /there is no image nosuch:1/],
    [['pull', 'x', '--creds', 'anna'], 2, /--creds has no password/],
    [['pull', 'x', '--creds', 'a:b', '--auth', 'c'], 2, /say the same thing/],
    [['pull', 'x', '--pull-timeout', 'soon'], 2, /is no number of seconds/],
    [['pull', '127.0.0.1:1/x:1'], 3, /RegistryUnavailable: cannot reach 127\.0\.0\.1:1.*ECONNREFUSED/s],
  ];
  for (const [args, exitCode, says] of rows) {
    const {stderr, ...ended} = await run(args);
    t.is(ended.exitCode, exitCode, `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, says, args.join(' '));
  }
  t.is((await ok(['rmi', '-f', 'nosuch:1'])).stdout, 'nothing was removed\n');
});

rootTest.serial(
  'a damaged image is told with its path, keeps nothing from the others, and can be removed',
  async (t) => {
    const {folder, store, run, ok} = await world(t);
    const layer = await layerOf(busyboxEntries());
    const [good, bad] = [imageOf([layer], {User: '1'}), imageOf([layer], {User: '2'})];
    const both = await dockerArchive([
      {image: good, tags: ['good:1']},
      {image: bad, tags: ['bad:1']},
    ]);
    writeFileSync(join(folder, 'two.tar'), both);
    await ok(['import', join(folder, 'two.tar')]);
    const blob = join(store, 'blobs', digestOf(bad.config).replace(':', '-'));
    writeFileSync(blob, '{}');
    const listed = await run(['images', '-q']);
    t.is(listed.exitCode, 1);
    t.is(listed.stdout, `${digestOf(good.config)}\n`);
    t.regex(
      listed.stderr,
      new RegExp(`damaged at ${blob}: its digest is sha256:.*\\[SUBROOT_IMAGE_STORE_DAMAGED\\]`, 's'),
    );
    const started = await run(['run', '-', '--pull', 'IfNotPresent'], podOf('bad:1', {command: ['/bin/true']}));
    t.regex(started.stderr, /SUBROOT_IMAGE_STORE_DAMAGED/);
    // Nobody knows what belongs to it, so that nothing is swept until it is gone.
    const swept = await run(['gc']);
    t.is(swept.exitCode, 1);
    t.regex(swept.stdout, /set aside +an image +.*damaged/);
    t.regex((await ok(['rmi', 'bad:1'])).stdout, /^image docker\.io\/library\/bad:1 removed\n/);
    t.is((await ok(['images', '-q'])).stdout, `${digestOf(good.config)}\n`);
    await ok(['run', '-', '--wait', '--rm'], podOf('good:1', {command: ['/bin/true']}));
  },
);

rootTest.serial('where the kernel shifts no ids, each block has a copy of its own, and that is said', async (t) => {
  const {lab, folder, store} = await world(t);
  const image = imageOf([await layerOf(busyboxEntries())], {Cmd: ['/bin/sleep', '1000000']});
  writeFileSync(join(folder, 'app.tar'), await dockerArchive([{image, tags: ['demo/app:1']}]));
  writeFileSync(join(folder, 'pod.json'), podOf('demo/app:1'));
  mkdirSync(store);
  // ramfs has no idmapped mounts; it is there for these commands only.
  const script = `set -e
    mount -t ramfs ramfs "$1"
    shift
    "$@" import "$0/app.tar"
    "$@" run "$0/pod.json" >/dev/null
    "$@" exec web stat -c '%u %g' /bin/busybox /srv/owned
    "$@" inspecti demo/app:1 | grep -o 'owned-[0-9-]*'
    "$@" exec web cat /proc/self/uid_map
    "$@" rm web >/dev/null
    "$@" rmi --all >/dev/null
    ls "$SUBROOT_IMAGE_STORE"/layers/* "$SUBROOT_IMAGE_STORE/tmp"`;
  const {PATH = ''} = lab.env;
  const ended = await runCli(
    [
      'unshare',
      '-m',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      folder,
      store,
      process.execPath,
      await bundledMain(),
    ],
    {PATH, SUBROOT_ROOT: lab.root, SUBROOT_IMAGE_STORE: store, HOME: folder},
    undefined,
    ['/usr/bin/env'],
  );
  t.is(ended.exitCode, 0, ended.stderr);
  t.regex(ended.stderr, /each block of ids gets a copy of its own: /);
  const [, first, second, view, map] =
    /^.*\n(\d+ \d+)\n(\d+ \d+)\n(owned-\d+-\d+-65536)\n(.*)\n/.exec(ended.stdout) ?? [];
  t.deepEqual([first, second], ['0 0', '1000 1001']);
  const base = map?.trim().split(/\s+/)[1];
  t.is(view, `owned-${base}-${base}-65536`);
  // Nothing is left in the view nor in tmp.
  t.false(/sha256-|layer/.test(ended.stdout.split(map ?? '')[1]?.replace(/^.*layers.*$/m, '') ?? ''), ended.stdout);
  await lab.untilNothingIsLeft('the pod was removed');
});

rootTest.serial('a pull that takes too long ends with what to do, and leaves no image', async (t) => {
  const {run, ok, store} = await world(t);
  const {FakeRegistry} = await import('../helpers/fake-registry.ts');
  const silent = await FakeRegistry.start(t, {}, () => true);
  const ended = await run(['pull', `${silent.host}/x:1`, '--pull-timeout', '0.3']);
  t.is(ended.exitCode, 3);
  t.regex(ended.stderr, /pulling .*\/x:1 took more than 0\.3 s.*--pull-timeout.*\[SUBROOT_PULL_TIMEOUT\]/s);
  t.is((await ok(['images', '-q'])).stdout, '');
  t.true(!existsSync(join(store, 'refs')) || readdirSync(join(store, 'refs')).length === 0);
});

rootTest.serial('on a terminal a pull is a bar for each layer, drawn over itself', (t) => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  const layer = {what: 'layer', digest, size: 1000, bytes: 500, state: 'downloading'} as const;
  t.is(drawLayer(layer), `abababababab  ${'█'.repeat(12)}${'░'.repeat(12)}  500B of 1kB`);
  t.is(drawLayer({...layer, state: 'there'}), 'abababababab  is here already');
  t.is(drawLayer({...layer, size: 0, bytes: 0}), `abababababab  ${'█'.repeat(24)}  0B of 0B`);
  let written = '';
  const display = new PullDisplay({isTTY: true, columns: 40, write: (text) => (written += text)});
  display.show({what: 'image', reference: 'r.example/a:1', registry: 'r.example', layers: 1, bytes: 1000});
  display.show({...layer, bytes: 0});
  display.show({...layer, bytes: 1000, state: 'done'});
  t.is(
    written,
    `pulling r.example/a:1: 1 layer, 1kB\n\x1b[2K  abababababab  ${'░'.repeat(23)}\n\x1b[1A\x1b[2K  abababababab  done\n`,
  );
});
