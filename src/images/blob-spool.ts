import {createHash} from 'node:crypto';
import {rmSync} from 'node:fs';
import {open} from 'node:fs/promises';
import type {Readable} from 'node:stream';
import {explainFileError} from '../host/state-files.ts';
import type {ImageStore} from './image-store.ts';

/** Streams written down in the store's tmp/ with their digests; those that are not adopted as blobs are removed at the end. */
export class Spool {
  readonly #store: ImageStore;
  readonly #signal: AbortSignal | undefined;
  readonly #files = new Set<string>();

  constructor(store: ImageStore, signal?: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /** Writes a stream down; its digest is of the algorithm that `like` has, sha256 by default. Errors: SUBROOT_STATE_*, the stream's. */
  async keep(
    source: AsyncIterable<Uint8Array> | Readable,
    like = 'sha256:',
  ): Promise<{digest: string; path: string; size: number}> {
    const path = this.#store.temporary('spool');
    const [algorithm = 'sha256'] = like.split(':');
    const hash = createHash(algorithm);
    const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
      throw explainFileError(path, error);
    });
    this.#files.add(path);
    let size = 0;
    try {
      for await (const chunk of source) {
        this.#signal?.throwIfAborted();
        const bytes = chunk as Uint8Array;
        hash.update(bytes);
        size += bytes.length;
        await file.appendFile(bytes).catch((error: unknown) => {
          throw explainFileError(path, error);
        });
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return {digest: `${algorithm}:${hash.digest('hex')}`, path, size};
  }

  /** Makes a file that was kept a blob of the store. Doing so again is fine. */
  adopt(digest: string, path: string): void {
    if (this.#files.delete(path)) this.#store.adoptBlob(digest, path);
  }

  /** Removes what was not adopted. */
  close(): void {
    for (const path of this.#files) rmSync(path, {force: true});
    this.#files.clear();
  }
}
