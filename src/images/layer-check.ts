import {extract, type Headers} from 'tar-stream';
import {type SubrootError, subrootError} from '../../native-free/errors.ts';

/** Bytes of headers between two entries that anybody may need: names of 4096 bytes and some attributes. */
const HEADER_LIMIT = 8 * 1024 * 1024;
/** Longer paths could not be opened by their name, and so not be removed again. Source: limits.h PATH_MAX is 4096; the store's folder is before it. */
const PATH_LIMIT = 3_000;
const DEPTH_LIMIT = 1_000;

/** A whiteout of a layer: in `folder`, `name` of a lower layer is gone, or, without a name, everything of the lower ones. */
export interface Whiteout {
  /** Relative to the layer, empty for its top. */
  readonly folder: string;
  readonly name?: string;
}

/** What a layer's tar holds, as far as it matters beside its files. */
export interface LayerContents {
  readonly entries: number;
  readonly bytes: number;
  readonly whiteouts: readonly Whiteout[];
  /** Paths of device nodes. */
  readonly devices: readonly string[];
}

export interface CheckOptions {
  /** Of the layer, for messages. */
  readonly layer: string;
  /** How many ids a pod has; ids from there on could not be given to a file. Undefined: owners do not matter. */
  readonly ids?: number;
}

const knownTypes = new Set([
  'file',
  'contiguous-file',
  'link',
  'symlink',
  'directory',
  'character-device',
  'block-device',
  'fifo',
]);

/** Notes that AUFS keeps in its layers; old images have them, and nobody unpacks them. Source: moby pkg/archive/diff.go. */
export const aufsNames: readonly string[] = ['.wh..wh.aufs', '.wh..wh.orph', '.wh..wh.plnk'];

/** Parts of a name without the empty ones and `.`. */
function partsOf(name: string): string[] {
  return name.split('/').filter((part) => part !== '' && part !== '.');
}

/**
 * Looks at every entry of a tar while its bytes go by: `write` them all, then `end`. It refuses what could lead out of the folder that
 * the layer is unpacked in: `..` in a name or in the target of a hard link, a name that goes through a link of the same layer to an
 * absolute or a `..` target, and what a pod could not have. It is for a clear message and for the whiteouts: the unpacking itself is confined
 * so that no entry can do harm, whatever this overlooks. Leading slashes are taken off, as every tar does.
 */
export class LayerCheck {
  readonly #options: CheckOptions;
  readonly #tar = extract();
  readonly #whiteouts: Whiteout[] = [];
  readonly #devices: string[] = [];
  /** Symbolic links of this layer, by their path. */
  readonly #links = new Map<string, string>();
  #entries = 0;
  #bytes = 0;
  #sinceEntry = 0;
  #inBody = false;
  #error: Error | undefined;
  readonly #done: Promise<void>;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.#tar.on('entry', (header, body, next) => {
      this.#sinceEntry = 0;
      // What ends the reader ends this too; it is told once.
      body.on('error', () => {});
      try {
        this.#look(header);
      } catch (error) {
        next(error);
        return;
      }
      this.#inBody = true;
      body.on('end', () => {
        this.#inBody = false;
        next();
      });
      body.resume();
    });
    this.#done = new Promise((resolve) => {
      this.#tar.on('finish', resolve);
      this.#tar.on('error', (error: Error) => {
        this.#error ??= error;
        resolve();
      });
      this.#tar.on('close', resolve);
    });
  }

  /** Takes bytes. Errors: SUBROOT_IMAGE_UNSAFE, SUBROOT_IMAGE_IDS, SUBROOT_IMAGE_INVALID. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#inBody) this.#sinceEntry += bytes.length;
    if (this.#sinceEntry > HEADER_LIMIT)
      this.#error ??= new Error(`an entry has more than ${HEADER_LIMIT} bytes of headers`);
    if (this.#error) throw this.#explained(this.#error);
    if (!this.#tar.write(bytes)) {
      await Promise.race([new Promise<void>((resolve) => this.#tar.once('drain', resolve)), this.#done]);
    }
    if (this.#error) throw this.#explained(this.#error);
  }

  /** Says that these were all. Errors: as `write`. */
  async end(): Promise<LayerContents> {
    this.#tar.end();
    await this.#done;
    if (this.#error) throw this.#explained(this.#error);
    return {entries: this.#entries, bytes: this.#bytes, whiteouts: this.#whiteouts, devices: this.#devices};
  }

  #explained(error: Error): Error {
    if ('code' in error && String(error.code).startsWith('SUBROOT_')) return error;
    const {layer} = this.#options;
    return subrootError('SUBROOT_IMAGE_INVALID', {image: layer, what: 'it is no tar', why: error.message}, error);
  }

  #unsafe(entry: string, why: string): SubrootError {
    return subrootError('SUBROOT_IMAGE_UNSAFE', {layer: this.#options.layer, entry: entry.slice(0, 300), why});
  }

  #look(header: Headers): void {
    const {name, linkname} = header;
    const type = header.type as string | null;
    if (type === null || type === undefined || !knownTypes.has(type)) {
      const why = 'it is of a kind that images do not have (an old sparse file, or a part of an archive of several)';
      throw this.#unsafe(name, why);
    }
    if (name.includes('\0') || linkname?.includes('\0')) throw this.#unsafe(name, 'its name has a zero byte');
    const parts = partsOf(name);
    if (parts.includes('..')) throw this.#unsafe(name, 'it leads to a folder above');
    if (parts.length > DEPTH_LIMIT) throw this.#unsafe(name, `it is more than ${DEPTH_LIMIT} folders deep`);
    const parent = this.#resolved(name, parts.slice(0, -1));
    const last = parts.at(-1) ?? '';
    const path = [...parent, last].join('/');
    if (Buffer.byteLength(path) > PATH_LIMIT) throw this.#unsafe(name, `its path has more than ${PATH_LIMIT} bytes`);
    this.#checkIds(header, name);
    this.#entries += 1;
    this.#bytes += header.size ?? 0;
    if (this.#isWhiteout(name, parent.join('/'), last)) return;
    const link =
      type === 'link' ? this.#linkOf(name, linkname ?? '') : type === 'symlink' ? (linkname ?? '') : undefined;
    // Anything else takes the place of a link that was there.
    if (link === undefined) this.#links.delete(path);
    else this.#links.set(path, link);
    if (type === 'character-device' || type === 'block-device') this.#devices.push(path);
  }

  /** Target of the symbolic link that a hard link is another name of, if it is one. */
  #linkOf(entry: string, target: string): string | undefined {
    const parts = partsOf(target);
    if (parts.includes('..')) throw this.#unsafe(entry, `it is a hard link to ${target}, above the layer`);
    const parent = this.#resolved(entry, parts.slice(0, -1));
    return this.#links.get([...parent, parts.at(-1) ?? ''].join('/'));
  }

  /** The folder that parts of a path lead to, through the links of this layer; those that could lead out are refused. */
  #resolved(entry: string, parts: readonly string[]): string[] {
    let left = [...parts];
    let resolved: string[] = [];
    for (let followed = 0; left.length > 0; ) {
      const [part = '', ...rest] = left;
      left = rest;
      const path = [...resolved, part].join('/');
      const target = this.#links.get(path);
      if (target === undefined) {
        resolved.push(part);
        continue;
      }
      const next = partsOf(target);
      if (target.startsWith('/') || next.includes('..'))
        throw this.#unsafe(entry, `it goes through the link ${path}, which leads to ${target}`);
      followed += 1;
      if (followed > 40) throw this.#unsafe(entry, `the link ${path} leads in a circle`);
      left = [...next, ...left];
      resolved = [...resolved];
    }
    return resolved;
  }

  #isWhiteout(entry: string, folder: string, last: string): boolean {
    if (!last.startsWith('.wh.')) return false;
    if (entry.includes('\uFFFD')) throw this.#unsafe(entry, 'its name is no UTF-8');
    if (aufsNames.includes(last)) return true;
    if (last === '.wh..wh..opq') {
      this.#whiteouts.push({folder});
      return true;
    }
    const name = last.slice('.wh.'.length);
    if (name === '' || name === '.' || name === '..') throw this.#unsafe(entry, 'it is a whiteout of nothing');
    this.#whiteouts.push({folder, name});
    return true;
  }

  #checkIds(header: Headers, entry: string): void {
    const {ids} = this.#options;
    if (ids === undefined) return;
    const pax = (header as {pax?: Record<string, string> | null}).pax ?? {};
    for (const kind of ['uid', 'gid'] as const) {
      const id = pax[kind] === undefined ? (header[kind] ?? 0) : Number(pax[kind]);
      if (Number.isInteger(id) && id >= 0 && id < ids) continue;
      const details = {layer: this.#options.layer, entry: entry.slice(0, 300), kind, id, last: ids - 1};
      throw subrootError('SUBROOT_IMAGE_IDS', details);
    }
  }
}
