import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import anyTest, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import type {PullProgress} from '../../src/images/pull-progress.ts';
import {createNode, type NodeOptions, SubrootError} from '../../src/index.ts';
import {contentsOf, hostTest, whyMissing, withNode} from '../helpers/host-test.ts';
import {busyboxEntries, digestOf, imageOf, indexOf, layerOf, layerOfTar} from '../helpers/image-builder.ts';
import {TestRegistry} from '../helpers/image-registry.ts';
import {exitOf, initOf, sh, statusField} from '../helpers/in-pod.ts';

const rootTest = hostTest('root', 'perl', 'docker-registry', 'busybox', 'zstd');
let registry: TestRegistry;
const closing: (() => unknown)[] = [];
if (whyMissing('docker-registry') === undefined) {
  anyTest.before(async () => {
    registry = await TestRegistry.start({teardown: (close) => closing.push(close)});
  });
  anyTest.after.always(async () => {
    for (const close of closing) await close();
  });
}

/** A store of the test's own. */
async function storeFolder(t: ExecutionContext): Promise<string> {
  const folder = await dir({prefix: 'subroot-store', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  return join(folder.path, 'images');
}

async function nodeWithStore(t: ExecutionContext, options: NodeOptions = {}) {
  const imageStore = options.imageStore ?? (await storeFolder(t));
  return {node: await withNode(t, {...options, imageStore}), imageStore};
}

const sleeps = {command: ['/bin/sleep', '1000000']};
let lower: Awaited<ReturnType<typeof layerOf>>;
anyTest.before(async () => {
  lower = await layerOf(busyboxEntries());
});

rootTest('pods of different blocks share one copy of each layer, and both own it', async (t) => {
  const {node, imageStore} = await nodeWithStore(t);
  const upper = await layerOf([{name: 'srv/upper', mode: 0o644, content: 'upper\n'}]);
  await registry.push('team/shared', '1', imageOf([lower, upper]));
  const image = `${registry.host}/team/shared:1`;
  const [a, b] = await Promise.all([node.runPod({image, ...sleeps}), node.runPod({image, ...sleeps})]);
  t.not(a.map.toHost(0), b.map.toHost(0));
  const views = readdirSync(join(imageStore, 'layers'));
  t.deepEqual(views, ['shifted']);
  const trees = readdirSync(join(imageStore, 'layers/shifted')).map((name) =>
    join(imageStore, 'layers/shifted', name, 'tree'),
  );
  t.is(trees.length, 2);
  const onDisk = trees.map((tree) => statSync(join(tree, 'bin/busybox'), {throwIfNoEntry: false})).find(Boolean);
  for (const pod of [a, b]) {
    // The same inode, seen as the pod's own root's.
    t.is(await sh(pod, 'stat -c "%i %u %g" /bin/busybox'), `${onDisk?.ino} 0 0`);
    t.is(await sh(pod, 'stat -c "%u %g %a" /srv/owned'), '1000 1001 640');
    t.is(await sh(pod, 'cat /srv/upper'), 'upper');
  }
  // Owners on disk are those of the image.
  t.is(onDisk?.uid, 0);
  // What one pod writes the other does not see, nor the store.
  await sh(a, 'echo mine > /etc/motd; rm /srv/upper; echo new > /srv/new');
  t.is(await sh(b, 'cat /etc/motd /srv/upper; ls /srv'), 'of the lower layer\nupper\nowned\nupper');
  t.deepEqual(
    trees.flatMap((tree) => contentsOf(tree).filter((path) => path.includes('new'))),
    [],
  );
});

rootTest('a pod of the node’s user namespace runs on the same copy', async (t) => {
  const {node, imageStore} = await nodeWithStore(t);
  await registry.push('team/node', '1', imageOf([lower]));
  const pod = await node.runPod({image: `${registry.host}/team/node:1`, hostUsers: true, ...sleeps});
  t.is(
    await sh(pod, 'stat -c "%u %g" /bin/busybox /srv/owned; rm /etc/motd; test -e /etc/motd || echo gone'),
    '0 0\n1000 1001\ngone',
  );
  t.deepEqual(readdirSync(join(imageStore, 'layers')), ['shifted']);
});

rootTest('an /etc/resolv.conf that leads to nothing becomes the pod’s own', async (t) => {
  const {node} = await nodeWithStore(t);
  const upper = await layerOf([{name: 'etc/resolv.conf', type: 'symlink', linkname: '../run/nothing/resolv.conf'}]);
  await registry.push('team/resolv', '1', imageOf([lower, upper]));
  const pod = await node.runPod({image: `${registry.host}/team/resolv:1`, ...sleeps});
  t.regex(await sh(pod, 'cat /etc/resolv.conf'), /this pod has its own network namespace/);
});

rootTest('whiteouts, opaque folders and hard links mean what they say', async (t) => {
  const {node} = await nodeWithStore(t);
  const upper = await layerOf([
    {name: 'etc/.wh.motd', content: ''},
    {name: 'home/.wh..wh..opq', content: ''},
    {name: 'home/bob', type: 'directory', mode: 0o755},
    // A whiteout beside a folder of that name: the folder is new.
    {name: '.wh.srv', content: ''},
    {name: 'srv', type: 'directory', mode: 0o755},
    {name: 'srv/one', mode: 0o644, content: 'one\n'},
    {name: 'srv/two', type: 'link', linkname: 'srv/one'},
    {name: 'srv/pipe', type: 'fifo', mode: 0o600},
    {name: 'srv/disk', type: 'block-device', devmajor: 8, devminor: 0, mode: 0o666},
    // Nobody's business but ours.
    {name: 'srv/.wh..wh.aufs', content: ''},
  ]);
  await registry.push('team/whiteouts', '1', imageOf([lower, upper]));
  const pod = await node.runPod({image: `${registry.host}/team/whiteouts:1`, ...sleeps});
  t.is(await sh(pod, 'ls -A /home /srv; test -e /etc/motd || echo gone'), '/home:\nbob\n\n/srv:\none\npipe\ntwo\ngone');
  t.is(await sh(pod, 'test /srv/one -ef /srv/two && stat -c %h /srv/two'), '2');
  t.is(await sh(pod, 'echo again > /etc/motd; cat /etc/motd; rm -r /srv; mkdir /srv; ls -A /srv'), 'again');
});

rootTest('an opaque top leaves nothing of the layers below', async (t) => {
  const {node} = await nodeWithStore(t);
  const below = await layerOf([{name: 'below', mode: 0o644, content: 'below\n'}]);
  const top = await layerOf([{name: '.wh..wh..opq', content: ''}, ...busyboxEntries()]);
  await registry.push('team/opaque', '1', imageOf([below, top]));
  const pod = await node.runPod({image: `${registry.host}/team/opaque:1`, ...sleeps});
  t.is(await sh(pod, 'test -e /below && echo there || echo hidden'), 'hidden');
});

rootTest('file capabilities of an image count in each pod, and over that pod alone', async (t) => {
  const folder = await dir({prefix: 'subroot-caps', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  mkdirSync(join(folder.path, 'caps'));
  const file = join(folder.path, 'caps/cat');
  copyFileSync('/bin/busybox', file);
  chmodSync(file, 0o755);
  // cap_setuid=ep: bit 7, so that a byte of the attribute is no ASCII. Source: include/uapi/linux/capability.h vfs_cap_data.
  const setxattr = `
    my ($arch, $path) = @ARGV;
    my ($name, $value) = ("security.capability", pack "V5", 0x02000001, 1 << 7, 0, 0, 0);
    syscall({x64 => 188, arm64 => 5}->{$arch}, $path, $name, $value, length $value, 0) == 0 or die "setxattr: $!";`;
  execFileSync('perl', ['-e', setxattr, process.arch, file]);
  const tar = execFileSync('tar', ['-c', '--xattrs', '--xattrs-include=*', '-C', folder.path, 'caps'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  await registry.push('team/caps', '1', imageOf([lower, layerOfTar(tar)]));
  const {node} = await nodeWithStore(t);
  const image = `${registry.host}/team/caps:1`;
  for (const pod of [await node.runPod({image, ...sleeps}), await node.runPod({image, ...sleeps})]) {
    const status = await pod.$({uid: 1000, gid: 1000})`/caps/cat /proc/self/status`;
    t.regex(String(status.stdout), /^CapEff:\t0000000000000080$/m);
    const plain = await pod.$({uid: 1000, gid: 1000})`cat /proc/self/status`;
    t.regex(String(plain.stdout), /^CapEff:\t0000000000000000$/m);
  }
});

rootTest('the configuration of an image takes effect, and the container’s own words come first', async (t) => {
  const {node} = await nodeWithStore(t);
  const settings = {
    Entrypoint: ['/bin/sh', '-c'],
    Cmd: ['trap "exit 9" USR1; while :; do sleep 0.1; done'],
    Env: ['PATH=/bin', 'FROM=image', 'KEPT=yes'],
    WorkingDir: '/home/anna',
    User: 'anna:staff',
    StopSignal: 'SIGUSR1',
  };
  await registry.push('team/configured', '1', imageOf([lower], settings));
  const image = `${registry.host}/team/configured:1`;
  const pod = await node.runPod({image, env: {FROM: 'container'}});
  t.is(
    await sh(pod, 'id -u; id -g; pwd; echo $HOME $FROM $KEPT $PATH'),
    '1000\n50\n/home/anna\n/home/anna container yes /bin',
  );
  t.is(statusField(await initOf(pod), 'Uid')?.split('\t')[0], String(pod.map.toHost(1000)));
  await pod.stop({gracePeriod: 20});
  t.is(await exitOf(pod), 9);
  const other = await node.runPod({
    image,
    args: ['exit 3'],
    securityContext: {runAsUser: 7, runAsGroup: 8},
    workingDir: '/srv',
  });
  t.is(await exitOf(other), 3);
  const {status} = await node.runtime.containerStatus({containerId: await other.containerId()});
  t.deepEqual([status.user?.linux.uid, status.user?.linux.gid], [7, 8]);
  t.is(status.imageRef, digestOf(imageOf([lower], settings).config));
  t.is(status.image.userSpecifiedImage, image);
  await t.throwsAsync(node.runPod({image, securityContext: {runAsNonRoot: true}}), {
    code: 'SUBROOT_POD_NON_ROOT',
    message: /image has non-numeric user \(anna\), cannot verify user is non-root/,
  });
});

rootTest('an index gives the image of this machine, and says what there is when there is none', async (t) => {
  const {node} = await nodeWithStore(t);
  const images = await node.images();
  const mine = imageOf([lower]);
  const other = imageOf([lower], {}, {architecture: 'riscv64'});
  const repository = 'team/index';
  await registry.push(repository, 'mine', mine);
  await registry.push(repository, 'other', other);
  const type = 'application/vnd.oci.image.index.v1+json';
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const index = indexOf([
    {image: other, platform: {os: 'linux', architecture: 'riscv64'}},
    {image: mine, platform: {os: 'linux', architecture}},
  ]);
  await registry.pushManifest(repository, 'both', index, type);
  const pulled = await images.pull(`${registry.host}/${repository}:both`);
  t.is(pulled.id, digestOf(mine.config));
  t.deepEqual(pulled.refs.map(({reference}) => reference).sort(), [
    `${registry.host}/${repository}:both`,
    `${registry.host}/${repository}@${digestOf(index)}`,
  ]);
  // Every name of it is the same image: tag, digest of index and manifest, whole id, the beginning of it.
  for (const word of [
    `${registry.host}/${repository}:both`,
    `${registry.host}/${repository}@${digestOf(index)}`,
    `${registry.host}/${repository}@${digestOf(mine.manifest)}`,
    pulled.id,
    pulled.id.slice(7),
    pulled.id.slice(7, 16),
  ])
    t.is(images.find(word)?.id, pulled.id, word);
  const only = indexOf([{image: other, platform: {os: 'linux', architecture: 'riscv64'}}]);
  await registry.pushManifest(repository, 'only', only, type);
  await t.throwsAsync(images.pull(`${registry.host}/${repository}:only`), {
    instanceOf: SubrootError,
    code: 'SUBROOT_IMAGE_PLATFORM',
    message: new RegExp(`is not there for linux/${architecture}; there is linux/riscv64`),
  });
});

rootTest('layers travel plain, with gzip and with zstd, and a second pull fetches nothing', async (t) => {
  const {node} = await nodeWithStore(t);
  const images = await node.images();
  const zstd = (tar: Buffer) => ({
    blob: execFileSync('zstd', ['-qc'], {input: tar, maxBuffer: 64 * 1024 * 1024}),
    suffix: 'zstd',
  });
  const layers = [
    lower,
    await layerOf([{name: 'plain', mode: 0o644, content: 'plain\n'}], 'plain'),
    await layerOf([{name: 'zstd', mode: 0o644, content: 'zstd\n'}], zstd),
  ];
  await registry.push('team/packed', '1', imageOf(layers));
  const image = `${registry.host}/team/packed:1`;
  const states = async () => {
    const seen: PullProgress[] = [];
    await images.pull(image, {onProgress: (progress) => seen.push(progress)});
    return new Set(seen.flatMap((each) => (each.what === 'layer' ? [each.state] : [])));
  };
  t.true((await states()).has('unpacking'));
  t.deepEqual(await states(), new Set(['there', 'done'] as const));
  const pod = await node.runPod({image, ...sleeps});
  t.is(await sh(pod, 'cat /plain /zstd'), 'plain\nzstd');
});

rootTest('what is in use stays when its image goes, and goes with its pod', async (t) => {
  const {node, imageStore} = await nodeWithStore(t);
  const images = await node.images();
  await registry.push('team/used', '1', imageOf([lower]));
  const image = `${registry.host}/team/used:1`;
  const pod = await node.runPod({image, ...sleeps});
  const {image: known} = await images.imageStatus({image: {image}});
  t.deepEqual(images.usersOf(known?.id ?? ''), [pod.name]);
  await images.removeImage({image: {image}});
  t.deepEqual((await images.listImages()).images, []);
  t.deepEqual(readdirSync(join(imageStore, 'blobs')), []);
  t.is(await sh(pod, 'cat /etc/motd'), 'of the lower layer');
  await pod.remove();
  t.deepEqual(readdirSync(join(imageStore, 'uses')), []);
  const {removed} = await images.sweep();
  t.deepEqual(
    removed.map(({kind}) => kind),
    ['layer'],
  );
  t.deepEqual(readdirSync(join(imageStore, 'layers/shifted')), []);
  t.deepEqual(readdirSync(join(imageStore, 'tmp')), []);
  // Unknown is fine.
  await images.removeImage({image: {image}});
});

rootTest('a process that is killed in a pull leaves nothing that counts, and the next goes on', async (t) => {
  const {imageStore, node} = await nodeWithStore(t);
  const big = await layerOf([{name: 'big', mode: 0o644, content: Buffer.alloc(24 * 1024 * 1024, 'x')}], 'plain');
  await registry.push('team/big', '1', imageOf([lower, big]));
  const image = `${registry.host}/team/big:1`;
  const controller = new AbortController();
  const images = await node.images();
  const cut = images.pull(image, {
    signal: controller.signal,
    onProgress: (progress) => {
      if (progress.what === 'layer' && progress.size > 20_000_000 && progress.bytes > 1_000_000) controller.abort();
    },
  });
  await t.throwsAsync(cut, {code: 'SUBROOT_CANCELLED'});
  t.is(images.find(image), undefined);
  const partial = readdirSync(join(imageStore, 'tmp')).filter((name) =>
    name.endsWith(`-partial-${digestOf(big.blob).replace(':', '-')}`),
  );
  t.is(partial.length, 1);
  const had = lstatSync(join(imageStore, 'tmp', partial[0] ?? '')).size;
  t.true(had > 0 && had < big.blob.length);
  let least = Number.MAX_SAFE_INTEGER;
  await images.pull(image, {
    onProgress: (progress) => {
      if (progress.what === 'layer' && progress.state === 'downloading' && progress.size > 20_000_000)
        least = Math.min(least, progress.bytes);
    },
  });
  t.true(least > had, `went on from ${least}, and had ${had}`);
  t.deepEqual(readdirSync(join(imageStore, 'tmp')), []);
});

rootTest('a layer whose blob is gone from the store is an error, not the end of the program', async (t) => {
  const {node, imageStore} = await nodeWithStore(t);
  const images = await node.images();
  await registry.push('team/gone', '1', imageOf([lower]));
  const image = `${registry.host}/team/gone:1`;
  const {manifest} = await images.pull(image);
  const [layer] = manifest.layers;
  rmSync(join(imageStore, 'layers/shifted'), {recursive: true});
  rmSync(join(imageStore, 'blobs', layer?.digest.replace(':', '-') ?? ''));
  await t.throwsAsync(node.runPod({image, ...sleeps}), {
    code: 'SUBROOT_IMAGE_STORE_DAMAGED',
    message: /blobs\/sha256-.*it is not there/,
  });
  // A pull brings it back.
  await images.pull(image);
  t.is(await sh(await node.runPod({image, ...sleeps}), 'cat /etc/motd'), 'of the lower layer');
});

rootTest('a node without a store knows no image and makes no store', async (t) => {
  const {node, imageStore} = await nodeWithStore(t, {pull: 'Never'});
  await t.throwsAsync(node.runPod({image: 'debian:12'}), {code: 'SUBROOT_IMAGE_NEVER_PULL', message: /debian:12/});
  t.false(statSync(imageStore, {throwIfNoEntry: false})?.isDirectory() ?? false);
});

rootTest('pods on a folder and on the host do not need the store', async (t) => {
  const node = await createNode({root: (await dir({prefix: 'subroot-none', unsafeCleanup: true})).path});
  try {
    const pod = await node.runPod({});
    t.is(await sh(pod, 'echo ok'), 'ok');
    await pod.remove();
  } finally {
    await node.close();
  }
});
