import {join} from 'node:path';
import type {ImageStore, StoredImage} from './image-store.ts';

/** Folders of an image's layers in a view, the highest first; those that a layer hides altogether are left out. They may not be there yet. */
export function layersOf(store: ImageStore, {config}: Pick<StoredImage, 'config'>, view: string): string[] {
  const lowers: string[] = [];
  for (const diffId of [...config.diffIds].reverse()) {
    lowers.push(join(store.layerFolder(view, diffId), 'tree'));
    if (store.readLayer(view, diffId)?.isOpaque) break;
  }
  return lowers;
}
