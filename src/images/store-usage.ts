import type {FilesystemUsage} from '../../native-free/cri.ts';
import type {ImageStore} from './image-store.ts';

/** What the store uses of its disk: blobs as they are, layers by what their archives hold. */
export function storeUsage(store: ImageStore): FilesystemUsage {
  const blobs = store.blobs();
  const layers = store.layers().map(({view, diffId}) => store.readLayer(view, diffId));
  const bytes =
    blobs.reduce((sum, {stat}) => sum + stat.size, 0) + layers.reduce((sum, layer) => sum + (layer?.bytes ?? 0), 0);
  const inodes = blobs.length + layers.reduce((sum, layer) => sum + (layer?.entries ?? 0) + 2, 0);
  return {
    timestamp: BigInt(Date.now()) * 1_000_000n,
    fsId: {mountpoint: store.root},
    usedBytes: {value: bytes},
    inodesUsed: {value: inodes},
  };
}
