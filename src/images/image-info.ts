import type {ImageStore, StoredImage} from './image-store.ts';

/** What there is to say of an image beyond CRI's message, in the form that crictl's users know. */
export function imageInfo(store: ImageStore, {config, manifest, manifestDigest}: StoredImage) {
  return {
    manifest: manifestDigest,
    platform: config.platform,
    created: config.created,
    config: {
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      Env: config.env,
      WorkingDir: config.workingDir,
      User: config.user,
      StopSignal: config.stopSignal,
    },
    layers: manifest.layers.map(({digest, size}, index) => {
      const diffId = config.diffIds[index] ?? '';
      const views = store.layers().flatMap((layer) => (layer.diffId === diffId ? [layer.view] : []));
      return {digest, diffId, size, views};
    }),
  };
}
