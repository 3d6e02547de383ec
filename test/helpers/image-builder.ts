import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {buffer} from 'node:stream/consumers';
import {gzipSync} from 'node:zlib';
import {type Headers, pack} from 'tar-stream';

/** An entry of a layer: a header of tar-stream, and the text of a file. */
export type Entry = Omit<Headers, 'size'> & {
  readonly content?: string | Uint8Array;
  readonly pax?: Record<string, string>;
};

/** A layer as a builder would write it. */
export interface BuiltLayer {
  readonly tar: Buffer;
  /** As it travels. */
  readonly blob: Buffer;
  readonly mediaType: string;
}

export interface BuiltImage {
  readonly config: Buffer;
  readonly layers: readonly BuiltLayer[];
  readonly manifest: Buffer;
}

export interface ImageSettings {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A tar of entries, in their order. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  const whole = buffer(tar as unknown as AsyncIterable<Uint8Array>);
  for (const {content, ...header} of entries) {
    const bytes = content === undefined ? undefined : Buffer.from(content);
    await new Promise<void>((resolve, reject) => {
      const sized = {mtime: new Date(0), uid: 0, gid: 0, ...header, ...(bytes ? {size: bytes.length} : {})};
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      if (bytes) tar.entry(sized, bytes, done);
      else tar.entry(sized, done);
    });
  }
  tar.finalize();
  return await whole;
}

export async function layerOf(
  entries: readonly Entry[],
  how: 'gzip' | 'plain' | ((tar: Buffer) => {blob: Buffer; suffix: string}) = 'gzip',
): Promise<BuiltLayer> {
  return layerOfTar(await tarOf(entries), how);
}

export function layerOfTar(
  tar: Buffer,
  how: 'gzip' | 'plain' | ((tar: Buffer) => {blob: Buffer; suffix: string}) = 'gzip',
): BuiltLayer {
  const kind = 'application/vnd.oci.image.layer.v1.tar';
  if (how === 'plain') return {tar, blob: tar, mediaType: kind};
  if (how === 'gzip') return {tar, blob: gzipSync(tar, {level: 1}), mediaType: `${kind}+gzip`};
  const {blob, suffix} = how(tar);
  return {tar, blob, mediaType: `${kind}+${suffix}`};
}

export const thisArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

/** An image of these layers, the lowest first. */
export function imageOf(
  layers: readonly BuiltLayer[],
  settings: ImageSettings = {},
  options: {architecture?: string; diffIds?: readonly string[]} = {},
): BuiltImage {
  const config = Buffer.from(
    JSON.stringify({
      architecture: options.architecture ?? thisArchitecture,
      os: 'linux',
      config: settings,
      rootfs: {type: 'layers', diff_ids: options.diffIds ?? layers.map(({tar}) => digestOf(tar))},
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length},
      layers: layers.map(({blob, mediaType}) => ({mediaType, digest: digestOf(blob), size: blob.length})),
    }),
  );
  return {config, layers, manifest};
}

export function indexOf(
  entries: readonly {
    image: BuiltImage;
    platform?: {os: string; architecture: string};
    annotations?: Record<string, string>;
  }[],
): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: entries.map(({image, platform, annotations}) => ({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf(image.manifest),
        size: image.manifest.length,
        ...(platform ? {platform} : {}),
        ...(annotations ? {annotations} : {}),
      })),
    }),
  );
}

const folder = (name: string, mode = 0o755): Entry => ({name, type: 'directory', mode});

/** This machine's busybox with the libraries it wants, if it wants any. */
function busyboxFiles(): Entry[] {
  const linked = execFileSync('sh', ['-c', 'ldd /bin/busybox 2>/dev/null || :'], {encoding: 'utf8'});
  const libraries = [...new Set([...linked.matchAll(/(\/\S+)/g)].map(([path]) => path))];
  const folders = libraries.flatMap((path) => {
    const parts = dirname(path).split('/').filter(Boolean);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [
    ...[...new Set(['bin', ...folders])].map((name) => folder(name)),
    ...['/bin/busybox', ...libraries].map(
      (path): Entry => ({name: path.slice(1), mode: 0o755, content: readFileSync(path)}),
    ),
  ];
}

/** Entries of a root that has busybox, accounts and little else. */
export function busyboxEntries(): Entry[] {
  const applets = [
    'sh',
    'ls',
    'cat',
    'id',
    'stat',
    'sleep',
    'echo',
    'chown',
    'env',
    'touch',
    'rm',
    'mkdir',
    'test',
    'true',
    'pwd',
  ];
  return [
    ...busyboxFiles(),
    ...['etc', 'srv', 'home', 'home/anna'].map((name) => folder(name)),
    folder('tmp', 0o1777),
    folder('root', 0o700),
    ...applets.map((name): Entry => ({name: `bin/${name}`, type: 'symlink', linkname: 'busybox'})),
    {
      name: 'etc/passwd',
      mode: 0o644,
      content: 'root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1001::/home/anna:/bin/sh\n',
    },
    {name: 'etc/group', mode: 0o644, content: 'root:x:0:\nusers:x:1001:\nstaff:x:50:\n'},
    {name: 'etc/motd', mode: 0o644, content: 'of the lower layer\n'},
    {name: 'srv/owned', mode: 0o640, uid: 1000, gid: 1001, content: 'of anna\n'},
  ];
}

/** Writes an OCI layout into a folder. */
export function writeLayout(target: string, images: readonly {image: BuiltImage; name?: string}[]): void {
  const write = (path: string, bytes: Uint8Array | string) => {
    mkdirSync(dirname(join(target, path)), {recursive: true});
    writeFileSync(join(target, path), bytes);
  };
  for (const [path, bytes] of layoutFiles(images)) write(path, bytes);
}

/** Files of an OCI layout, by path. */
export function layoutFiles(images: readonly {image: BuiltImage; name?: string}[]): [string, Buffer][] {
  const blobs = images.flatMap(({image}) => [image.manifest, image.config, ...image.layers.map(({blob}) => blob)]);
  const index = indexOf(
    images.map(({image, name}) => ({
      image,
      ...(name ? {annotations: {'org.opencontainers.image.ref.name': name}} : {}),
    })),
  );
  return [
    ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ['index.json', index],
    ...blobs.map((bytes): [string, Buffer] => [`blobs/${digestOf(bytes).replace(':', '/')}`, bytes]),
  ];
}

/** An archive as `docker save` writes it. */
export async function dockerArchive(images: readonly {image: BuiltImage; tags: readonly string[]}[]): Promise<Buffer> {
  const files: [string, Buffer][] = images.flatMap(({image}) => [
    [`${digestOf(image.config).slice(7)}.json`, image.config] as [string, Buffer],
    ...image.layers.map(({tar}): [string, Buffer] => [`${digestOf(tar).slice(7)}/layer.tar`, tar]),
  ]);
  const list = images.map(({image, tags}) => ({
    Config: `${digestOf(image.config).slice(7)}.json`,
    RepoTags: tags,
    Layers: image.layers.map(({tar}) => `${digestOf(tar).slice(7)}/layer.tar`),
  }));
  files.push(['manifest.json', Buffer.from(JSON.stringify(list))]);
  return await tarOf(files.map(([name, content]) => ({name, content, mode: 0o644})));
}
