import {execFileSync} from 'node:child_process';
import {chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {SubrootError} from '../../src/index.ts';
import {contentsOf, hostTest, withNode} from '../helpers/host-test.ts';
import {
  type BuiltImage,
  busyboxEntries,
  digestOf,
  dockerArchive,
  imageOf,
  layerOf,
  layerOfTar,
  layoutFiles,
  tarOf,
  writeLayout,
} from '../helpers/image-builder.ts';
import {busyboxRoot, sh} from '../helpers/in-pod.ts';

const rootTest = hostTest('root', 'perl', 'busybox');
const sleeps = {command: ['/bin/sleep', '1000000']};

async function world(t: ExecutionContext) {
  const folder = await dir({prefix: 'subroot-import', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const imageStore = join(folder.path, 'images');
  // Nothing here needs a network.
  const node = await withNode(t, {imageStore, pull: 'Never'});
  const write = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder.path, name), bytes);
    return join(folder.path, name);
  };
  return {node, imageStore, images: await node.images(), folder: folder.path, write};
}

async function exampleImage(): Promise<BuiltImage> {
  const upper = await layerOf([{name: 'srv/upper', mode: 0o644, content: 'upper\n'}]);
  return imageOf([await layerOf(busyboxEntries()), upper], {Cmd: ['/bin/sleep', '1000000']});
}

rootTest('an archive of docker save, an OCI layout in a tar and one in a folder are the same image', async (t) => {
  const {node, images, folder, write} = await world(t);
  const image = await exampleImage();
  const sources = [
    write('docker.tar', await dockerArchive([{image, tags: ['demo/docker:1', 'demo/docker:2']}])),
    write(
      'oci.tar',
      await tarOf(
        layoutFiles([{image, name: 'quay.io/demo/oci:1'}]).map(([name, content]) => ({name, content, mode: 0o644})),
      ),
    ),
    join(folder, 'layout'),
  ];
  writeLayout(join(folder, 'layout'), [{image, name: 'demo/folder:1'}]);
  for (const source of sources) {
    const [imported] = await images.importFrom(source);
    t.is(imported?.id, digestOf(image.config), source);
  }
  const {images: all} = await images.listImages();
  t.is(all.length, 1);
  t.deepEqual(all[0]?.repoTags, [
    'docker.io/demo/docker:1',
    'docker.io/demo/docker:2',
    'docker.io/demo/folder:1',
    'quay.io/demo/oci:1',
  ]);
  const pod = await node.runPod({image: 'demo/docker:2'});
  t.is(await sh(pod, 'cat /srv/upper /etc/motd'), 'upper\nof the lower layer');
});

rootTest('a root file system comes from a tar, packed or not, from standard input, and from a folder', async (t) => {
  const {node, images, write} = await world(t);
  const {tar} = await layerOf(busyboxEntries());
  await images.importFrom(write('root.tar', tar), {name: 'root:tar'});
  await images.importFrom(write('root.tar.gz', execFileSync('gzip', ['-c'], {input: tar, maxBuffer: 2 ** 26})), {
    name: 'root:gz',
  });
  await images.importFrom('-', {name: 'root:stdin', stdin: Readable.from([tar])});
  const folder = await busyboxRoot(t);
  writeFileSync(join(folder, 'srv/owned'), 'of somebody\n');
  chownSync(join(folder, 'srv/owned'), 1000, 50);
  chmodSync(join(folder, 'srv/owned'), 0o4711);
  await images.importFrom(folder, {name: 'root:folder'});
  for (const tag of ['tar', 'gz', 'stdin']) {
    const pod = await node.runPod({image: `root:${tag}`, ...sleeps});
    t.is(await sh(pod, 'stat -c "%u %g %a" /srv/owned; cat /etc/motd'), '1000 1001 640\nof the lower layer', tag);
    await pod.remove();
  }
  const pod = await node.runPod({image: 'root:folder', ...sleeps});
  t.is(await sh(pod, 'stat -c "%u %g %a" /srv/owned; cat /etc/motd'), '1000 50 4711\nof the image');
  // A tar of a folder somewhere below: nothing of it is at the top.
  const below = (await layerOf([{name: 'usr/share/doc/a', mode: 0o644, content: 'a'}])).tar;
  t.is((await images.importFrom(write('below.tar', below), {name: 'root:below'})).length, 1);
  // It has no program of its own.
  await t.throwsAsync(node.runPod({image: 'root:tar'}), {
    code: 'SUBROOT_CONFIG_INVALID',
    message: /neither the container nor its image names a program/,
  });
});

rootTest('what is none of these, or is not whole, is refused, and nothing of it stays', async (t) => {
  const {images, imageStore, folder, write} = await world(t);
  const image = await exampleImage();
  const files = layoutFiles([{image, name: 'x/y:1'}]);
  const asTar = (entries: [string, Buffer][]) =>
    tarOf(entries.map(([name, content]) => ({name, content, mode: 0o644})));
  const changed = files.map(([name, bytes]): [string, Buffer] => [
    name,
    name.endsWith(digestOf(image.config).slice(7))
      ? Buffer.from(bytes.toString('utf8').replace('sleep', 'slurp'))
      : bytes,
  ]);
  const config = (more: object) => Buffer.from(JSON.stringify(more));
  mkdirSync(join(folder, 'empty'));
  writeLayout(join(folder, 'broken'), [{image, name: 'x/y:1'}]);
  writeFileSync(join(folder, 'broken/index.json'), '{');
  const rows: readonly (readonly [source: string, name: string | undefined, code: string, why: RegExp])[] = [
    [join(folder, 'nothing'), undefined, 'SUBROOT_IMAGE_SOURCE', /it is not there/],
    [write('text', Buffer.from('hello')), 'a:1', 'SUBROOT_IMAGE_SOURCE', /it is no tar/],
    [write('empty.tar', Buffer.alloc(1024)), 'a:1', 'SUBROOT_IMAGE_SOURCE', /it is empty/],
    [
      write('cut.gz', execFileSync('gzip', ['-c'], {input: 'x'.repeat(9999)}).subarray(0, 20)),
      'a:1',
      'SUBROOT_IMAGE_SOURCE',
      /it is no tar/,
    ],
    [
      write('unnamed.tar', (await layerOf([{name: 'a', content: 'a'}])).tar),
      undefined,
      'SUBROOT_USAGE',
      /does not say what its image is called/,
    ],
    [join(folder, 'empty'), undefined, 'SUBROOT_USAGE', /does not say what its image is called/],
    [write('name.tar', (await layerOf([{name: 'a', content: 'a'}])).tar), 'Bad', 'SUBROOT_IMAGE_NAME_INVALID', /Bad/],
    [
      write('changed.tar', await asTar(changed)),
      undefined,
      'SUBROOT_IMAGE_DIGEST',
      new RegExp(`wanted ${digestOf(image.config)}, got sha256:`),
    ],
    [
      write('missing.tar', await asTar(files.filter(([name]) => !name.endsWith(digestOf(image.config).slice(7))))),
      undefined,
      'SUBROOT_IMAGE_SOURCE',
      new RegExp(`the blob ${digestOf(image.config)} is not in it`),
    ],
    [
      write(
        'lying.tar',
        await asTar(files.map(([name, bytes]) => [name, name.includes('/sha256/') ? Buffer.from('other') : bytes])),
      ),
      undefined,
      'SUBROOT_IMAGE_DIGEST',
      /wanted sha256:[0-9a-f]{64}, got sha256:/,
    ],
    [join(folder, 'broken'), undefined, 'SUBROOT_IMAGE_SOURCE', /its index\.json/],
    [
      write(
        'two.tar',
        await dockerArchive([
          {image, tags: ['a:1']},
          {image, tags: ['b:1']},
        ]),
      ),
      'c:1',
      'SUBROOT_USAGE',
      /has 2 images, and a name is for one/,
    ],
    [
      write('outside.tar', await asTar([['manifest.json', config([{Config: '../../etc/hostname', Layers: []}])]])),
      undefined,
      'SUBROOT_IMAGE_SOURCE',
      /names \.\.\/\.\.\/etc\/hostname, which is not in it/,
    ],
    [
      write(
        'riscv.tar',
        await dockerArchive([{image: imageOf(image.layers, {}, {architecture: 'riscv64'}), tags: ['a:1']}]),
      ),
      undefined,
      'SUBROOT_IMAGE_PLATFORM',
      /there is linux\/riscv64/,
    ],
    [
      write(
        'ids.tar',
        await dockerArchive([
          {image: imageOf(image.layers, {}, {diffIds: [digestOf(Buffer.from('a'))]}), tags: ['a:1']},
        ]),
      ),
      undefined,
      'SUBROOT_IMAGE_INVALID',
      /names 1 layers, and the manifest has 2/,
    ],
    [
      write(
        'other.tar',
        await dockerArchive([
          {
            image: imageOf(image.layers, {}, {diffIds: image.layers.map(() => digestOf(Buffer.from('a')))}),
            tags: ['a:1'],
          },
        ]),
      ),
      undefined,
      'SUBROOT_IMAGE_DIGEST',
      /the layer sha256:[0-9a-f]{64}, unpacked, is not what its digest says/,
    ],
  ];
  for (const [source, name, code, why] of rows) {
    const error = await t.throwsAsync(
      images.importFrom(source, name === undefined ? {} : {name}),
      {instanceOf: SubrootError},
      source,
    );
    t.is((error as SubrootError).code as string, code, `${source}: ${error.message}`);
    t.regex(error.message, why, source);
  }
  await images.sweep();
  t.deepEqual((await images.listImages()).images, []);
  for (const name of ['refs', 'blobs', 'tmp', 'uses'])
    t.deepEqual(existsSync(join(imageStore, name)) ? readdirSync(join(imageStore, name)) : [], [], name);
  t.deepEqual(
    contentsOf(join(imageStore, 'layers')).filter((path) => path !== 'shifted/'),
    [],
  );
});

/** A tar with one file whose real name only GNU tar knows: other readers see a harmless one. */
function namedBySparse(name: string): Buffer {
  const data = '0\n'.padEnd(512, '\0');
  const record = (key: string, value: string) => {
    const body = ` ${key}=${value}\n`;
    let length = body.length + 1;
    while (String(length).length + body.length !== length) length = String(length).length + body.length;
    return `${length}${body}`;
  };
  const pax = [
    record('GNU.sparse.major', '1'),
    record('GNU.sparse.minor', '0'),
    record('GNU.sparse.name', name),
    record('GNU.sparse.realsize', '0'),
  ].join('');
  const header = (file: string, type: string, size: number) => {
    const block = Buffer.alloc(512);
    block.write(file, 0);
    block.write('0000644\x000000000\x000000000\0', 100, 'latin1');
    block.write(`${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124, 'latin1');
    block.write('        ', 148);
    block.write(type, 156);
    block.write('ustar\x0000', 257, 'latin1');
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return block;
  };
  const paxBlock = Buffer.alloc(Math.ceil(pax.length / 512) * 512);
  paxBlock.write(pax);
  return Buffer.concat([
    header('PaxHeaders/harmless', 'x', pax.length),
    paxBlock,
    header('harmless', '0', data.length),
    Buffer.from(data),
    Buffer.alloc(1024),
  ]);
}

rootTest('a name that only tar understands leads nowhere either', async (t) => {
  const {images, folder, imageStore, write} = await world(t);
  const before = contentsOf(folder).filter((path) => !path.startsWith('images/'));
  const marker = `escaped-${process.pid}`;
  for (const [index, name] of [
    `../../../../../../tmp/${marker}`,
    `/tmp/${marker}`,
    `/usr/${marker}`,
    `/dev/${marker}`,
    `/layer/../${marker}`,
    `/proc/self/cwd/../${marker}`,
  ].entries()) {
    const image = imageOf([layerOfTar(namedBySparse(name))]);
    const archive = write(`hostile-${index}.tar`, await dockerArchive([{image, tags: [`hostile:${index}`]}]));
    // Either it is refused, or it has made a file within its own folder.
    await images.importFrom(archive).catch((error: unknown) => {
      if (!(error instanceof SubrootError) || error.code !== 'SUBROOT_IMAGE_UNPACK') throw error;
    });
    for (const path of [`/tmp/${marker}`, `/usr/${marker}`, `/dev/${marker}`, `/${marker}`, join(folder, marker)])
      t.false(existsSync(path), `${name} made ${path}`);
    t.false(
      contentsOf(imageStore).some((path) => path.includes(marker) && !path.includes('/tree/')),
      name,
    );
  }
  t.deepEqual(
    contentsOf(folder).filter((path) => !path.startsWith('images/') && !path.startsWith('hostile-')),
    before,
  );
});

rootTest('a hostile layer is refused before anything of it is named', async (t) => {
  const {images, imageStore, write} = await world(t);
  const rows = [
    [{name: '../outside', content: 'x'}],
    [{name: 'etc', type: 'symlink', linkname: '/etc'} as const, {name: 'etc/passwd', content: 'x'}],
    [{name: 'a', type: 'link', linkname: '../../../etc/shadow'} as const],
    [{name: 'a', uid: 70_000, content: 'x'}],
  ];
  for (const [index, entries] of rows.entries()) {
    const image = imageOf([await layerOf(entries)]);
    const archive = write(`bad-${index}.tar`, await dockerArchive([{image, tags: ['bad:1']}]));
    await t.throwsAsync(images.importFrom(archive), {message: /SUBROOT_IMAGE_(UNSAFE|IDS)/});
  }
  t.deepEqual((await images.listImages()).images, []);
  t.deepEqual(readdirSync(join(imageStore, 'tmp')), []);
  t.deepEqual(
    contentsOf(join(imageStore, 'layers')).filter((path) => path !== 'shifted/'),
    [],
  );
});

rootTest('what overlayfs would take for its own does not come from an archive', async (t) => {
  const {node, images, folder, write} = await world(t);
  const work = join(folder, 'work');
  mkdirSync(join(work, 'home'), {recursive: true});
  writeFileSync(join(work, 'home/new'), 'new\n');
  symlinkSync('/etc/shadow', join(work, 'home/link'));
  const setxattr = `
    my ($arch, $path) = @ARGV;
    for (["user.overlay.opaque", "y"], ["user.overlay.redirect", "/etc"], ["user.kept", "yes"]) {
      my ($name, $value) = @$_;
      syscall({x64 => 188, arm64 => 5}->{$arch}, $path, $name, $value, length $value, 0) == 0 or die "setxattr: $!";
    }`;
  execFileSync('perl', ['-e', setxattr, process.arch, join(work, 'home')]);
  const tar = execFileSync('tar', ['-c', '--xattrs', '--xattrs-include=*', '-C', work, '.'], {maxBuffer: 2 ** 26});
  const image = imageOf([await layerOf(busyboxEntries()), layerOfTar(tar)]);
  await images.importFrom(write('overlay.tar', await dockerArchive([{image, tags: ['overlay:1']}])));
  const pod = await node.runPod({image: 'overlay:1', ...sleeps});
  // Of the lower layer: the folder is not opaque, and it is where it is.
  t.is(await sh(pod, 'ls /home'), 'anna\nlink\nnew');
  t.is(statSync('/etc/shadow').isFile(), true);
});
