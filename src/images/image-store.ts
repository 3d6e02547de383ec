import {createHash, randomBytes} from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import {isDigest} from '../../native-free/image-reference.ts';
import {
  type ImageConfig,
  type ImageManifest,
  parseImageConfig,
  parseManifest,
} from '../../native-free/oci-documents.ts';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';
import {errnoOf, guarded, makeFolder} from '../host/state-files.ts';

/** The version of the layout below; a store of a newer one is refused. */
export const IMAGE_STORE_VERSION = 1;

/** A name of an image, as stored in refs/. */
export interface RefRecord {
  /** Complete, with a tag or a digest. */
  readonly reference: string;
  /** Digest of the manifest that fits this machine; that of an index is in the reference. */
  readonly manifest: string;
  /** Digest of the configuration, which is the image's id. */
  readonly image: string;
  /** Nanoseconds since the epoch, as a decimal text. */
  readonly addedAt: string;
}

/** What a container keeps from being removed, as stored in uses/. */
export interface UseRecord {
  readonly container: string;
  /** The file whose presence says that the container is still there. */
  readonly mark: string;
  readonly pod: string;
  readonly image: string;
  /** VIEW/HEX of the layers. */
  readonly layers: readonly string[];
}

/** What is known of an unpacked layer, as stored beside its tree. */
export interface LayerRecord {
  readonly diffId: string;
  readonly bytes: number;
  readonly entries: number;
  /** Device nodes that were left out: no pod may open any. */
  readonly devices: number;
  /** It hides everything of the layers below it. */
  readonly isOpaque: boolean;
}

/** An image with everything that is known of it. */
export interface StoredImage {
  readonly id: string;
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** Newest first. */
  readonly refs: readonly RefRecord[];
}

const digestName = (digest: string) => digest.replace(':', '-');
const refName = (reference: string) => `${createHash('sha256').update(reference).digest('hex')}.json`;

/**
 * Images on disk, addressed by content: blobs by digest, layers unpacked by the digest of what was unpacked, names as small files. What is
 * there is whole: everything is made aside and renamed into place. Modes are 0700 and 0600.
 *
 *     version   refs/NAME.json   blobs/sha256-HEX   layers/VIEW/sha256-HEX/{tree,layer.json}   uses/CONTAINER.json   tmp/PID-START-N   lock
 */
export class ImageStore {
  readonly root: string;
  readonly #owner = `${process.pid}-${startTimeOf(process.pid) ?? '0'}`;

  private constructor(root: string) {
    this.root = root;
  }

  /** Opens or makes a store. Errors: SUBROOT_IMAGE_STORE_NEWER, SUBROOT_STATE_*. */
  static open(root: string): ImageStore {
    makeFolder(root, 0o700);
    const store = new ImageStore(root);
    if (!store.#checkVersion()) {
      for (const folder of ['refs', 'blobs', 'layers', 'uses', 'tmp']) makeFolder(join(root, folder), 0o700);
      store.#writeFile(join(root, 'version'), `${JSON.stringify({version: IMAGE_STORE_VERSION})}\n`);
    }
    return store;
  }

  /** A store to look at: nothing is made, and one that is not there has no images. Errors: SUBROOT_IMAGE_STORE_NEWER. */
  static openToRead(root: string): ImageStore {
    const store = new ImageStore(root);
    store.#checkVersion();
    return store;
  }

  #checkVersion(): boolean {
    const path = join(this.root, 'version');
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      return guarded(path, () => {
        throw error;
      });
    }
    const found = Number(/"version":\s*(\d+)/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(found)) throw subrootError('SUBROOT_IMAGE_STORE_DAMAGED', {path, why: 'it names no version'});
    if (found > IMAGE_STORE_VERSION) {
      throw subrootError('SUBROOT_IMAGE_STORE_NEWER', {path: this.root, found, known: IMAGE_STORE_VERSION});
    }
    return true;
  }

  get lockPath(): string {
    return join(this.root, 'lock');
  }

  /** A path of this process's own in the store, for something in the making; what a dead process left there is removed by `sweep`. */
  temporary(what: string): string {
    return join(this.root, 'tmp', `${this.#owner}-${what}-${randomBytes(6).toString('hex')}`);
  }

  /** What processes that are dead have left in tmp/, as paths. */
  abandoned(): string[] {
    return this.#names('tmp').flatMap((name) => {
      const [pid = '', startTime = ''] = name.split('-');
      return isProcessAlive({pid: Number(pid), startTime}) ? [] : [join(this.root, 'tmp', name)];
    });
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(join(this.root, folder));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Writes a file that is there whole or not at all, also after a power cut. */
  #writeFile(path: string, text: string | Uint8Array): void {
    const temporary = path === join(this.root, 'version') ? `${path}.${this.#owner}` : this.temporary('file');
    guarded(path, () => {
      try {
        const fd = openSync(temporary, 'wx', 0o600);
        try {
          writeFileSync(fd, text);
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, {force: true});
        throw error;
      }
    });
  }

  // ── blobs

  blobPath(digest: string): string {
    return join(this.root, 'blobs', digestName(digest));
  }

  /** Size of a blob that is there, else undefined. */
  blobSize(digest: string): number | undefined {
    return statSync(this.blobPath(digest), {throwIfNoEntry: false})?.size;
  }

  /** Adds a small blob (a manifest, a configuration) that has been checked. */
  writeBlob(digest: string, bytes: Uint8Array): void {
    if (this.blobSize(digest) !== bytes.length) this.#writeFile(this.blobPath(digest), bytes);
  }

  /** Takes a file in tmp/, complete and checked, as a blob. */
  adoptBlob(digest: string, temporary: string): void {
    guarded(this.blobPath(digest), () => renameSync(temporary, this.blobPath(digest)));
  }

  /** A small blob as text. Errors: SUBROOT_IMAGE_STORE_DAMAGED when it is not there or not what its digest says. */
  readBlob(digest: string): string {
    const path = this.blobPath(digest);
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw this.#damaged(path, `it cannot be read (${errnoOf(error)})`, error);
    }
    const [algorithm = 'sha256', hex] = digest.split(':');
    const found = createHash(algorithm).update(bytes).digest('hex');
    if (found !== hex) throw this.#damaged(path, `its digest is ${algorithm}:${found}`);
    return bytes.toString('utf8');
  }

  #damaged(path: string, why: string, cause?: unknown): Error {
    return subrootError('SUBROOT_IMAGE_STORE_DAMAGED', {path, why}, cause);
  }

  // ── names

  writeRef(record: RefRecord): void {
    this.#writeFile(join(this.root, 'refs', refName(record.reference)), `${JSON.stringify(record)}\n`);
  }

  removeRef(reference: string): void {
    rmSync(join(this.root, 'refs', refName(reference)), {force: true});
  }

  /** All names. A file that cannot be read is left out; its image is then without that name. */
  refs(): RefRecord[] {
    return this.#names('refs').flatMap((name) => readJson<RefRecord>(join(this.root, 'refs', name), isRef) ?? []);
  }

  findRef(reference: string): RefRecord | undefined {
    return readJson<RefRecord>(join(this.root, 'refs', refName(reference)), isRef);
  }

  /** An image by its names. Errors: SUBROOT_IMAGE_STORE_DAMAGED. */
  readImage(refs: readonly RefRecord[]): StoredImage | undefined {
    const sorted = [...refs].sort(byAge);
    const [newest] = sorted;
    if (newest === undefined) return undefined;
    const manifest = parseManifest(this.readBlob(newest.manifest));
    const config = parseImageConfig(this.readBlob(newest.image));
    if (!manifest.ok) throw this.#damaged(this.blobPath(newest.manifest), manifest.why);
    if (!config.ok) throw this.#damaged(this.blobPath(newest.image), config.why);
    if (manifest.value.kind === 'index') throw this.#damaged(this.blobPath(newest.manifest), 'it is an index');
    return {
      id: newest.image,
      manifestDigest: newest.manifest,
      manifest: manifest.value,
      config: config.value,
      refs: sorted,
    };
  }

  // ── unpacked layers

  /** The folder of a layer in a view, whether it is there or not. */
  layerFolder(view: string, diffId: string): string {
    return join(this.root, 'layers', view, digestName(diffId));
  }

  hasLayer(view: string, diffId: string): boolean {
    return existsSync(join(this.layerFolder(view, diffId), 'layer.json'));
  }

  readLayer(view: string, diffId: string): LayerRecord | undefined {
    return readJson<LayerRecord>(
      join(this.layerFolder(view, diffId), 'layer.json'),
      (value) => typeof value.diffId === 'string',
    );
  }

  /** Takes a folder in tmp/ that holds `tree` as a layer. False when another process was first; the folder then stays where it is. */
  adoptLayer(view: string, record: LayerRecord, temporary: string): boolean {
    const folder = this.layerFolder(view, record.diffId);
    makeFolder(join(this.root, 'layers', view), 0o700);
    this.#writeFile(join(temporary, 'layer.json'), `${JSON.stringify(record)}\n`);
    return guarded(folder, () => {
      try {
        renameSync(temporary, folder);
        return true;
      } catch (error) {
        if (['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error))) return false;
        throw error;
      }
    });
  }

  /** VIEW and name of every unpacked layer. */
  layers(): {readonly view: string; readonly diffId: string; readonly folder: string}[] {
    return this.#names('layers').flatMap((view) =>
      this.#names(join('layers', view)).map((name) => ({
        view,
        diffId: name.replace('-', ':'),
        folder: join(this.root, 'layers', view, name),
      })),
    );
  }

  blobs(): {readonly digest: string; readonly path: string; readonly stat: Stats}[] {
    return this.#names('blobs').flatMap((name) => {
      const path = join(this.root, 'blobs', name);
      const digest = name.replace('-', ':');
      const stat = statSync(path, {throwIfNoEntry: false});
      return stat && isDigest(digest) ? [{digest, path, stat}] : [];
    });
  }

  // ── who uses what

  usePath(container: string): string {
    return join(this.root, 'uses', `${container}.json`);
  }

  writeUse(record: UseRecord): void {
    this.#writeFile(this.usePath(record.container), `${JSON.stringify(record)}\n`);
  }

  removeUse(container: string): void {
    rmSync(this.usePath(container), {force: true});
  }

  /** Uses of containers that are still there. Those of others are answered as `stale`. */
  uses(): {readonly live: UseRecord[]; readonly stale: string[]} {
    const live: UseRecord[] = [];
    const stale: string[] = [];
    for (const name of this.#names('uses')) {
      const path = join(this.root, 'uses', name);
      const record = readJson<UseRecord>(
        path,
        (value) => typeof value.mark === 'string' && Array.isArray(value.layers),
      );
      if (record && existsSync(record.mark)) live.push(record);
      else stale.push(path);
    }
    return {live, stale};
  }

  // ── partial downloads

  /**
   * A file in tmp/ for the download of a blob: what an earlier one that was killed had got of it, if anything. One process of all gets it.
   */
  partialPath(digest: string): string {
    const own = join(this.root, 'tmp', `${this.#owner}-partial-${digestName(digest)}`);
    if (existsSync(own)) return own;
    for (const path of this.abandoned()) {
      if (!path.endsWith(`-partial-${digestName(digest)}`)) continue;
      try {
        // Of two that want it one finds it gone; a file of our own name is never replaced.
        linkSync(path, own);
        rmSync(path);
        return own;
      } catch {
        // Another has it now.
      }
    }
    return own;
  }
}

/** Newest first; of one pull the tag before the digest. */
function byAge(a: RefRecord, b: RefRecord): number {
  const age = BigInt(b.addedAt) - BigInt(a.addedAt);
  if (age !== 0n) return age > 0n ? 1 : -1;
  const isDigested = (ref: RefRecord) => Number(ref.reference.includes('@'));
  return isDigested(a) - isDigested(b) || (a.reference < b.reference ? -1 : 1);
}

function isRef(value: Readonly<Record<string, unknown>>): boolean {
  return (
    typeof value.reference === 'string' &&
    typeof value.manifest === 'string' &&
    isDigest(value.manifest) &&
    typeof value.image === 'string' &&
    isDigest(value.image) &&
    typeof value.addedAt === 'string' &&
    /^\d+$/.test(value.addedAt)
  );
}

function readJson<Result>(
  path: string,
  isGood: (value: Readonly<Record<string, unknown>>) => boolean,
): Result | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isObject = typeof value === 'object' && value !== null;
    return isObject && isGood(value as Record<string, unknown>) ? (value as Result) : undefined;
  } catch {
    return undefined;
  }
}
