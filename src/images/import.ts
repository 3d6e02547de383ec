import {createHash} from 'node:crypto';
import {createReadStream, existsSync, readFileSync, type Stats, statSync} from 'node:fs';
import {basename, join, posix} from 'node:path';
import {Readable} from 'node:stream';
import {extract, type Headers} from 'tar-stream';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {formatReference, parseImageReference} from '../../native-free/image-reference.ts';
import {
  choosePlatform,
  type Descriptor,
  type ImageManifest,
  manifestTypes,
  parseManifest,
  platformText,
} from '../../native-free/oci-documents.ts';
import {pipeTool} from '../host/pipe-tool.ts';
import {errnoOf} from '../host/state-files.ts';
import {Spool} from './blob-spool.ts';
import {compressionAt, openPlain} from './decompress.ts';
import {checkedConfig, type FetchedImage, hostPlatform, nowNs, requireReference} from './fetched-image.ts';
import type {ImageStore} from './image-store.ts';

export interface ImportOptions {
  /** A name for the image; needed where the source has none. */
  readonly name?: string;
  /** What `-` stands for. */
  readonly stdin?: Readable;
  readonly signal?: AbortSignal;
}

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const MANIFEST_TYPE = manifestTypes[2];
/** Documents of an archive, which are read as a whole. */
const DOCUMENT_LIMIT = 8 * 1024 * 1024;

/** Blobs of a source by digest, and how each gets into the store. */
interface Blobs {
  /** Brings a blob into the store; its digest is checked. */
  take(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<void>;
}

/**
 * Images of a file or folder: an OCI layout (a folder or a tar of it), an archive of `docker save`, a tar of a root file system (plain,
 * gzip or zstd), or a folder that holds one. Their blobs are in the store then; names are still to be written.
 * Errors: SUBROOT_IMAGE_SOURCE, SUBROOT_IMAGE_*, SUBROOT_USAGE when a name is missing, SUBROOT_STATE_*; the signal's reason.
 */
export async function importImage(
  store: ImageStore,
  source: string,
  options: ImportOptions,
): Promise<readonly FetchedImage[]> {
  const {signal} = options;
  signal?.throwIfAborted();
  if (options.name !== undefined) requireReference(options.name);
  const spool = new Spool(store, signal);
  try {
    if (source === '-') {
      const {path} = await spool.keep(options.stdin ?? Readable.from([]));
      return await importFile(store, spool, path, 'standard input', options);
    }
    let stat: Stats;
    try {
      stat = statSync(source);
    } catch (error) {
      throw refuse(
        source,
        errnoOf(error) === 'ENOENT' ? 'it is not there' : `it cannot be read (${errnoOf(error)})`,
        error,
      );
    }
    if (!stat.isDirectory()) return await importFile(store, spool, source, source, options);
    return existsSync(join(source, 'oci-layout'))
      ? await importLayoutFolder(store, spool, source, options)
      : [await importFolder(store, spool, source, options)];
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SubrootError || errnoOf(error) === 'EIO') throw error;
    throw refuse(source, error instanceof Error ? error.message : String(error), error);
  } finally {
    spool.close();
  }
}

function refuse(source: string, why: string, cause?: unknown): SubrootError {
  return subrootError('SUBROOT_IMAGE_SOURCE', {source, why}, cause);
}

function memberName(name: string): string {
  return posix.normalize(name).replace(/^\/+/, '').replace(/\/$/, '');
}

/** Calls `onEntry` for each entry of a tar; what it does not read is skipped. */
async function readTar(path: string, onEntry: (header: Headers, body: Readable) => Promise<void>): Promise<void> {
  const tar = extract();
  const plain = await openPlain(path);
  plain.once('error', (error) => tar.destroy(error));
  plain.pipe(tar);
  try {
    for await (const entry of tar) {
      await onEntry(entry.header, entry as unknown as Readable);
      entry.resume();
    }
  } finally {
    plain.destroy();
  }
}

async function importFile(
  store: ImageStore,
  spool: Spool,
  path: string,
  source: string,
  options: ImportOptions,
): Promise<readonly FetchedImage[]> {
  const top = new Set<string>();
  let isEmpty = true;
  try {
    await readTar(path, async ({name}) => {
      const member = memberName(name);
      isEmpty = false;
      if (!member.includes('/')) top.add(member);
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw refuse(source, `it is no tar (${error instanceof Error ? error.message : String(error)})`, error);
  }
  if (isEmpty) throw refuse(source, 'it is empty');
  const isLayout = top.has('oci-layout') && top.has('index.json');
  // An archive of `docker save` is both from version 25 on; its own list has the names.
  if (!isLayout && !top.has('manifest.json')) return [await importRootTar(store, spool, path, source, options)];
  const members = await takeMembers(spool, path);
  return top.has('manifest.json')
    ? await importDockerArchive(store, spool, members, source, options)
    : await importLayoutArchive(store, spool, members, source, options);
}

/** Where the members of an archive are now, by name; links stand for what they lead to. */
type Members = ReadonlyMap<string, {readonly digest: string; readonly path: string; readonly size: number}>;

async function takeMembers(spool: Spool, path: string): Promise<Members> {
  const members = new Map<string, {digest: string; path: string; size: number}>();
  const links: [string, string][] = [];
  await readTar(path, async ({name, type, linkname}, body) => {
    const member = memberName(name);
    if (type === 'symlink') links.push([member, memberName(posix.join(posix.dirname(member), linkname ?? ''))]);
    else if (type === 'link') links.push([member, memberName(linkname ?? '')]);
    else if (type === 'file') members.set(member, await spool.keep(body));
  });
  for (const [name, target] of links) {
    const found = members.get(target);
    if (found) members.set(name, found);
  }
  return members;
}

function documentOf(members: Members, name: string, source: string): unknown {
  const member = members.get(name);
  if (!member) throw refuse(source, `it has no ${name}`);
  if (member.size > DOCUMENT_LIMIT) throw refuse(source, `${name} has ${member.size} bytes`);
  try {
    return JSON.parse(readFileSync(member.path, 'utf8'));
  } catch (error) {
    throw refuse(source, `${name} is no JSON`, error);
  }
}

async function importDockerArchive(
  store: ImageStore,
  spool: Spool,
  members: Members,
  source: string,
  options: ImportOptions,
): Promise<FetchedImage[]> {
  const list = documentOf(members, 'manifest.json', source);
  if (!Array.isArray(list) || list.length === 0) throw refuse(source, 'manifest.json names no image');
  requireOne(list.length, source, options);
  const images: FetchedImage[] = [];
  for (const each of list as {Config?: unknown; RepoTags?: unknown; Layers?: unknown}[]) {
    const member = (name: unknown) => {
      const found = typeof name === 'string' ? members.get(memberName(name)) : undefined;
      if (!found) throw refuse(source, `manifest.json names ${String(name)}, which is not in it`);
      return found;
    };
    const descriptor = (mediaType: string, {digest, size}: {digest: string; size: number}) => ({
      mediaType,
      digest,
      size,
    });
    const config = member(each.Config);
    const layers = (Array.isArray(each.Layers) ? each.Layers : []).map(member);
    const tags = Array.isArray(each.RepoTags) ? each.RepoTags.filter((tag) => typeof tag === 'string') : [];
    for (const {digest, path} of [config, ...layers]) spool.adopt(digest, path);
    images.push(
      finished(
        store,
        {
          kind: 'manifest',
          config: descriptor(CONFIG_TYPE, config),
          layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
        },
        source,
        namesOf(tags, source, options),
      ),
    );
  }
  return images;
}

async function importLayoutArchive(
  store: ImageStore,
  spool: Spool,
  members: Members,
  source: string,
  options: ImportOptions,
): Promise<FetchedImage[]> {
  const index = documentOf(members, 'index.json', source);
  const blobs: Blobs = {
    take: async ({digest}) => {
      const found = members.get(`blobs/${digest.replace(':', '/')}`);
      if (!found) throw refuse(source, `the blob ${digest} is not in it`);
      if (found.digest !== digest && digest.startsWith('sha256:'))
        throw subrootError('SUBROOT_IMAGE_DIGEST', {what: `a blob of ${source}`, wanted: digest, found: found.digest});
      if (found.digest !== digest)
        throw refuse(source, `${digest} is not SHA-256, and archives are checked by that alone`);
      spool.adopt(digest, found.path);
    },
  };
  return await importLayout(store, blobs, JSON.stringify(index), source, options);
}

async function importLayoutFolder(
  store: ImageStore,
  spool: Spool,
  folder: string,
  options: ImportOptions,
): Promise<FetchedImage[]> {
  const blobs: Blobs = {
    take: async ({digest, size}) => {
      if (store.blobSize(digest) === size) return;
      const kept = await spool.keep(createReadStream(join(folder, 'blobs', digest.replace(':', '/'))), digest);
      if (kept.digest !== digest)
        throw subrootError('SUBROOT_IMAGE_DIGEST', {what: `a blob of ${folder}`, wanted: digest, found: kept.digest});
      spool.adopt(digest, kept.path);
    },
  };
  return await importLayout(store, blobs, readFileSync(join(folder, 'index.json'), 'utf8'), folder, options);
}

async function importLayout(
  store: ImageStore,
  blobs: Blobs,
  indexText: string,
  source: string,
  options: ImportOptions,
): Promise<FetchedImage[]> {
  const index = parseManifest(indexText);
  if (!index.ok || index.value.kind !== 'index')
    throw refuse(source, `its index.json: ${index.ok ? 'it is no index' : index.why}`);
  const named = index.value.manifests.filter((each) => nameIn(each) !== undefined);
  const only = named.length > 0 ? undefined : choosePlatform(index.value, hostPlatform());
  const wanted = named.length > 0 ? named : only ? [only] : [];
  if (wanted.length === 0) throw noPlatform(source, index.value.manifests);
  requireOne(wanted.length, source, options);
  const images: FetchedImage[] = [];
  for (const descriptor of wanted) {
    const {digest, manifest} = await manifestIn(store, blobs, descriptor, source);
    await blobs.take(manifest.config);
    for (const layer of manifest.layers) await blobs.take(layer);
    images.push(finished(store, manifest, source, namesOf([nameIn(descriptor) ?? ''], source, options), digest));
  }
  return images;
}

/** What an index calls an image: containerd's note has the whole name, OCI's may be a tag alone. */
function nameIn({annotations = {}}: Descriptor): string | undefined {
  return annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
}

async function manifestIn(
  store: ImageStore,
  blobs: Blobs,
  descriptor: Descriptor,
  source: string,
): Promise<{digest: string; manifest: ImageManifest}> {
  let {digest} = descriptor;
  let size = descriptor.size;
  for (let depth = 0; depth < 3; depth++) {
    await blobs.take({digest, size});
    const parsed = parseManifest(store.readBlob(digest));
    if (!parsed.ok) throw refuse(source, `the manifest ${digest}: ${parsed.why}`);
    if (parsed.value.kind === 'manifest') return {digest, manifest: parsed.value};
    const chosen = choosePlatform(parsed.value, hostPlatform());
    if (chosen === undefined) throw noPlatform(source, parsed.value.manifests);
    ({digest, size} = chosen);
  }
  throw refuse(source, 'its indexes lead to indexes');
}

function noPlatform(source: string, manifests: readonly Descriptor[]): SubrootError {
  const available = manifests.flatMap(({platform}) => (platform ? [platformText(platform)] : [])).join(', ');
  return subrootError('SUBROOT_IMAGE_PLATFORM', {
    image: source,
    wanted: platformText(hostPlatform()),
    available: available || 'nothing',
  });
}

function requireOne(count: number, source: string, {name}: ImportOptions): void {
  if (name !== undefined && count > 1) {
    throw subrootError('SUBROOT_USAGE', {
      what: `${source} has ${count} images, and a name is for one`,
      mend: 'leave the name out: they keep their own',
    });
  }
}

/** Complete names of an image: the one that was asked for, else those that the source has. Errors: SUBROOT_USAGE. */
function namesOf(found: readonly string[], source: string, {name}: ImportOptions): string[] {
  if (name !== undefined) return [formatReference(requireReference(name))];
  const names = found.flatMap((text) => {
    // A tag alone names nothing.
    if (!/[/:]/.test(text)) return [];
    const parsed = parseImageReference(text);
    return parsed.ok ? [formatReference(parsed.reference)] : [];
  });
  if (names.length === 0) throw unnamed(source);
  return names;
}

function unnamed(source: string): SubrootError {
  return subrootError('SUBROOT_USAGE', {
    what: `${source} does not say what its image is called`,
    mend: `give it a name: \`subroot import ${source === 'standard input' ? '-' : source} NAME:TAG\``,
  });
}

function finished(
  store: ImageStore,
  manifest: ImageManifest,
  source: string,
  names: readonly string[],
  known?: string,
): FetchedImage {
  const config = checkedConfig(store, manifest, source);
  let manifestDigest = known;
  if (manifestDigest === undefined) {
    const {config: configDescriptor, layers} = manifest;
    const document = {schemaVersion: 2, mediaType: MANIFEST_TYPE, config: configDescriptor, layers};
    const bytes = Buffer.from(JSON.stringify(document));
    manifestDigest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    store.writeBlob(manifestDigest, bytes);
  }
  const image = manifest.config.digest;
  const addedAt = nowNs();
  const refs = names.map((reference) => ({reference, manifest: manifestDigest ?? '', image, addedAt}));
  return {id: image, manifestDigest, manifest, config, refs};
}

// ── root file systems

async function importRootTar(
  store: ImageStore,
  spool: Spool,
  path: string,
  source: string,
  options: ImportOptions,
): Promise<FetchedImage> {
  if (options.name === undefined) throw unnamed(source);
  const blob = await spool.keep(createReadStream(path));
  const compression = await compressionAt(blob.path);
  const diffId = compression === 'none' ? blob.digest : await plainDigest(blob.path);
  const kind = compression === 'none' ? 'tar' : `tar+${compression}`;
  spool.adopt(blob.digest, blob.path);
  return rootImage(store, {...blob, kind, diffId}, source, options.name);
}

async function plainDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  const plain = await openPlain(path);
  try {
    for await (const chunk of plain) hash.update(chunk as Buffer);
  } finally {
    plain.destroy();
  }
  return `sha256:${hash.digest('hex')}`;
}

async function importFolder(
  store: ImageStore,
  spool: Spool,
  folder: string,
  options: ImportOptions,
): Promise<FetchedImage> {
  if (options.name === undefined) throw unnamed(folder);
  const tool = pipeTool(
    'tar',
    [
      '--create',
      '--file=-',
      '--format=posix',
      '--pax-option=delete=atime,delete=ctime',
      '--numeric-owner',
      '--sort=name',
      '--xattrs',
      '--xattrs-include=user.*',
      '--xattrs-include=security.capability',
      `--directory=${folder}`,
      '.',
    ],
    {input: false, what: 'the import of a folder', install: 'tar'},
  );
  try {
    const [blob] = await Promise.all([spool.keep(tool.stdout), tool.ended]);
    spool.adopt(blob.digest, blob.path);
    return rootImage(store, {...blob, kind: 'tar', diffId: blob.digest}, folder, options.name);
  } finally {
    tool.kill();
  }
}

/** An image of one layer and nothing else: its containers need a command of their own. */
function rootImage(
  store: ImageStore,
  layer: {digest: string; size: number; kind: string; diffId: string},
  source: string,
  name: string,
): FetchedImage {
  const platform = hostPlatform();
  const config = Buffer.from(
    JSON.stringify({
      architecture: platform.architecture,
      os: platform.os,
      config: {},
      rootfs: {type: 'layers', diff_ids: [layer.diffId]},
      history: [{created_by: `subroot import ${basename(source)}`}],
    }),
  );
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  store.writeBlob(digest, config);
  const manifest: ImageManifest = {
    kind: 'manifest',
    config: {mediaType: CONFIG_TYPE, digest, size: config.length},
    layers: [{mediaType: `application/vnd.oci.image.layer.v1.${layer.kind}`, digest: layer.digest, size: layer.size}],
  };
  return finished(store, manifest, source, [formatReference(requireReference(name))]);
}
