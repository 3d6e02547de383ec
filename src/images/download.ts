import {createHash, type Hash} from 'node:crypto';
import {createReadStream, rmSync} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import type {Descriptor} from '../../native-free/oci-documents.ts';
import {explainFileError} from '../host/state-files.ts';
import type {ImageStore} from './image-store.ts';
import type {RegistryClient} from './registry-client.ts';

/** How often a transfer may break off without having got a byte further. */
const IDLE_BREAKS = 4;

export interface DownloadHooks {
  readonly signal?: AbortSignal;
  /** Bytes that are there by now. */
  readonly onProgress?: (bytes: number) => void;
}

async function hashOf(path: string, algorithm: string): Promise<{hash: Hash; size: number}> {
  const hash = createHash(algorithm);
  let size = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return {hash, size};
}

/** Downloads that go on in this process, by store and digest: two pulls of one blob are one download. */
const running = new Map<string, Promise<void>>();

/**
 * Fetches a blob into the store; false when it was there. What is broken off goes on where it was, also after this process was killed. The
 * digest is checked before it counts as there. Errors: SUBROOT_IMAGE_DIGEST, SUBROOT_REGISTRY_*, SUBROOT_STATE_*.
 */
export async function downloadBlob(
  store: ImageStore,
  client: RegistryClient,
  blob: Descriptor,
  hooks: DownloadHooks,
): Promise<boolean> {
  const {digest, size} = blob;
  const key = `${store.root} ${digest}`;
  for (let other = running.get(key); other !== undefined; other = running.get(key)) {
    // When the other fails, by its own signal perhaps, this one tries for itself.
    await other.catch(() => {});
    hooks.signal?.throwIfAborted();
  }
  if (store.blobSize(digest) === size) return false;
  const own = transfer(store, client, blob, hooks);
  running.set(key, own);
  try {
    await own;
    return true;
  } finally {
    running.delete(key);
  }
}

async function transfer(
  store: ImageStore,
  client: RegistryClient,
  {digest, size}: Descriptor,
  {signal, onProgress}: DownloadHooks,
): Promise<void> {
  const path = store.partialPath(digest);
  const [algorithm = 'sha256', wanted = ''] = digest.split(':');
  let {hash, size: have} = await hashOf(path, algorithm);
  const file = await open(path, 'a', 0o600).catch((error: unknown) => {
    throw explainFileError(path, error);
  });
  try {
    if (have > size) ({hash, have} = await startAnew(file, algorithm));
    for (let breaks = 0; have < size || size === 0; ) {
      const before = have;
      const answer = await client.blob(digest, have);
      if (answer.offset !== have) ({hash, have} = await startAnew(file, algorithm));
      try {
        for await (const chunk of answer.body) {
          const bytes = chunk as Buffer;
          if (have + bytes.length > size) throw tooLong(digest, size);
          hash.update(bytes);
          await file.appendFile(bytes).catch((error: unknown) => {
            throw explainFileError(path, error);
          });
          have += bytes.length;
          onProgress?.(have);
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof SubrootError) throw error;
      }
      if (have >= size) break;
      breaks = have > before ? 0 : breaks + 1;
      if (breaks > IDLE_BREAKS) {
        const {registry} = client.endpoint;
        const why = `the connection broke off again and again, at ${have} of ${size} bytes`;
        throw subrootError('SUBROOT_REGISTRY_FAILED', {registry, what: `the blob ${digest}`, why});
      }
      await sleep(200 * (breaks + 1), undefined, signal ? {signal} : {});
    }
    const found = hash.digest('hex');
    if (found !== wanted) {
      rmSync(path, {force: true});
      throw subrootError('SUBROOT_IMAGE_DIGEST', {what: 'a blob', wanted: digest, found: `${algorithm}:${found}`});
    }
    await file.sync();
  } finally {
    await file.close();
  }
  store.adoptBlob(digest, path);
}

async function startAnew(file: FileHandle, algorithm: string): Promise<{hash: Hash; have: number}> {
  await file.truncate(0);
  return {hash: createHash(algorithm), have: 0};
}

function tooLong(digest: string, size: number): Error {
  return subrootError('SUBROOT_IMAGE_DIGEST', {
    what: 'a blob',
    wanted: `${digest} with ${size} bytes`,
    found: 'more bytes',
  });
}
