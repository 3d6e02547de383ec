import {existsSync, renameSync, rmSync} from 'node:fs';
import {lockFile} from '../host/file-lock.ts';
import {listStored} from './catalog.ts';
import type {ImageStore} from './image-store.ts';

/** What a sweep has removed, or would. */
export interface SweepReport {
  readonly removed: readonly {
    readonly kind: 'blob' | 'layer' | 'use' | 'leftover';
    readonly what: string;
    readonly bytes: number;
  }[];
  /** Images that cannot be read: nothing is removed then, since nobody knows what belongs to them. */
  readonly damaged: readonly unknown[];
  /** Another process is pulling: what is nobody's may be about to be its. */
  readonly isBusy: boolean;
}

/**
 * Removes what no image and no container has: blobs, layers, marks of containers that are gone, and what dead processes left half-made.
 * What is needed is looked up, never counted. `removeTree` removes a folder whose files may be of other ids than ours.
 */
export async function sweepStore(
  store: ImageStore,
  removeTree: (path: string) => Promise<void>,
  options: {readonly dryRun?: boolean} = {},
): Promise<SweepReport> {
  if (!existsSync(store.root)) return {removed: [], damaged: [], isBusy: false};
  const lock = await lockFile(store.lockPath, 'exclusive', {wait: false});
  if (lock === undefined) return {removed: [], damaged: [], isBusy: true};
  try {
    const damaged: unknown[] = [];
    const images = listStored(store, (error) => damaged.push(error));
    if (damaged.length > 0) return {removed: [], damaged, isBusy: false};
    const removed: {kind: 'blob' | 'layer' | 'use' | 'leftover'; what: string; bytes: number}[] = [];
    const {live, stale} = store.uses();
    const blobs = new Set(
      images.flatMap(({id, manifestDigest, manifest, refs}) => [
        id,
        manifestDigest,
        ...refs.map(({manifest: digest}) => digest),
        ...manifest.layers.map(({digest}) => digest),
      ]),
    );
    const diffIds = new Set(images.flatMap(({config}) => config.diffIds));
    const used = new Set(live.flatMap(({layers}) => layers));
    for (const path of stale) {
      removed.push({kind: 'use', what: path, bytes: 0});
      if (!options.dryRun) rmSync(path, {force: true});
    }
    for (const {digest, path, stat} of store.blobs()) {
      if (blobs.has(digest)) continue;
      removed.push({kind: 'blob', what: digest, bytes: stat.size});
      if (!options.dryRun) rmSync(path, {force: true});
    }
    for (const {view, diffId, folder} of store.layers()) {
      if (diffIds.has(diffId) || used.has(`${view}/${diffId}`)) continue;
      removed.push({kind: 'layer', what: `${view}/${diffId}`, bytes: store.readLayer(view, diffId)?.bytes ?? 0});
      if (!options.dryRun) await discard(store, `${view}/${diffId}`, folder, removeTree);
    }
    for (const path of store.abandoned()) {
      removed.push({kind: 'leftover', what: path, bytes: 0});
      if (!options.dryRun) await removeTree(path);
    }
    return {removed, damaged, isBusy: false};
  } finally {
    await lock.release();
  }
}

/** Takes a layer out of the way in one step. A container that began to use it in the moment before gets it back. */
async function discard(
  store: ImageStore,
  layer: string,
  folder: string,
  removeTree: (path: string) => Promise<void>,
): Promise<void> {
  const aside = store.temporary('gone');
  renameSync(folder, aside);
  if (store.uses().live.some(({layers}) => layers.includes(layer))) renameSync(aside, folder);
  else await removeTree(aside);
}
