import {existsSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {AuthConfig, FilesystemUsage, Image, ImageFilter, ImageService, ImageSpec} from '../../native-free/cri.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import type {Agent} from '../host/agent.ts';
import {lockFile} from '../host/file-lock.ts';
import type {ContainerImage, ImageSource} from '../runtime/image-source.ts';
import {mappingsOf, type PodMappings} from '../runtime/mappings.ts';
import type {Planner} from '../runtime/planner.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';
import type {ModeSetup} from '../userns/mode.ts';
import {criImage, findRefs, findStored, listStored} from './catalog.ts';
import type {FetchedImage} from './fetched-image.ts';
import {imageInfo} from './image-info.ts';
import {ImageStore, type StoredImage} from './image-store.ts';
import type {ImportOptions} from './import.ts';
import {inParallel} from './in-parallel.ts';
import {readLayerFile} from './layer-files.ts';
import {layersOf} from './layer-stack.ts';
import {type LayerView, shiftedView, unshiftedViewOf} from './layer-view.ts';
import type {FetchOptions} from './pull.ts';
import type {PullProgress, RegistryOptions} from './pull-progress.ts';
import {storeUsage} from './store-usage.ts';
import {type SweepReport, sweepStore} from './sweep.ts';
import type {LayerSource} from './unpacker.ts';

/** Layers that are unpacked or read at a time: each keeps a processor busy. */
const AT_ONCE = 2;

/** A block of ids that nobody else has while layers are unpacked. */
export interface IdLease {
  readonly mappings: PodMappings;
  release(): void;
}

export interface ImageManagerParts {
  /** The store's folder. */
  readonly root: string;
  /** The node's state folder. */
  readonly stateRoot: string;
  readonly agent: Agent;
  readonly planner: Planner;
  readonly setup: ModeSetup;
  /** Ids of a pod here. */
  readonly idsPerPod: number;
  /** Takes a block for unpacking. Errors: SUBROOT_POOL_EXHAUSTED. */
  readonly lease: () => IdLease;
  /** Why the kernel does not shift ids on the file system of a folder, or undefined. */
  readonly whyNotShifted: (folder: string) => Promise<string | undefined>;
  readonly registries?: RegistryOptions;
}

export interface PullOptions {
  readonly auth?: AuthConfig;
  readonly registries?: RegistryOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** CRI's ImageService on a store, and what the command line and the runtime need beside it. */
export class ImageManager implements ImageService, ImageSource {
  readonly store: ImageStore;
  readonly #parts: ImageManagerParts;
  #shifting: Promise<string | undefined> | undefined;

  /** Errors: SUBROOT_IMAGE_STORE_NEWER. */
  constructor(parts: ImageManagerParts) {
    this.#parts = parts;
    // Made with the first image: who only looks leaves nothing behind.
    this.store = ImageStore.openToRead(parts.root);
  }

  // ── what is there

  async listImages({filter}: {filter?: ImageFilter} = {}): Promise<{images: Image[]}> {
    const word = filter?.image?.image;
    if (!word) return {images: listStored(this.store).map(criImage)};
    const found = findStored(this.store, word);
    return {images: found ? [criImage(found)] : []};
  }

  async imageStatus(request: {
    image: ImageSpec;
    verbose?: boolean;
  }): Promise<{image: Image | undefined; info: Record<string, string>}> {
    const found = this.find(request.image.image);
    if (!found) return {image: undefined, info: {}};
    return {image: criImage(found), info: request.verbose ? {info: JSON.stringify(imageInfo(this.store, found))} : {}};
  }

  /** The image that a word means, or undefined. Errors: SUBROOT_AMBIGUOUS, SUBROOT_IMAGE_STORE_DAMAGED. */
  find(word: string): StoredImage | undefined {
    return findStored(this.store, word);
  }

  async imageFsInfo(): Promise<{imageFilesystems: FilesystemUsage[]; containerFilesystems: FilesystemUsage[]}> {
    return {imageFilesystems: [storeUsage(this.store)], containerFilesystems: []};
  }

  // ── fetching

  async pullImage(
    request: {image: ImageSpec; auth?: AuthConfig},
    options: PullOptions = {},
  ): Promise<{imageRef: string}> {
    const given = options.auth ?? request.auth;
    const image = await this.pull(request.image.image, {...options, ...(given ? {auth: given} : {})});
    return {imageRef: image.id};
  }

  /** Fetches an image, unpacks it where one tree serves all pods, and names it. Errors: as fetchImage's and Unpacker's, SUBROOT_CANCELLED. */
  async pull(image: string, options: PullOptions = {}): Promise<StoredImage> {
    const fetch: FetchOptions = {
      ...this.#parts.registries,
      ...options.registries,
      ...(options.auth ? {auth: options.auth} : {}),
      ...(options.signal ? {signal: options.signal} : {}),
      ...(options.onProgress ? {onProgress: options.onProgress} : {}),
    };
    // Half of this program's code is a client of HTTP: only who pulls loads it.
    const {fetchImage} = await import('./pull.ts');
    return await this.#add(`pulling ${image}`, options, () => fetchImage(this.store, image, fetch));
  }

  /** Takes an image from a file or folder of this machine. Errors: SUBROOT_IMAGE_*, SUBROOT_CANCELLED. */
  async importFrom(
    source: string,
    options: ImportOptions & Pick<PullOptions, 'signal' | 'onProgress'> = {},
  ): Promise<StoredImage[]> {
    const images: StoredImage[] = [];
    const {importImage} = await import('./import.ts');
    await this.#locked(`importing ${source}`, options.signal, async () => {
      for (const fetched of await importImage(this.store, source, options)) {
        images.push(await this.#finish(fetched, options));
      }
    });
    return images;
  }

  async #add(what: string, options: PullOptions, get: () => Promise<FetchedImage>): Promise<StoredImage> {
    return await this.#locked(what, options.signal, async () => await this.#finish(await get(), options));
  }

  /** Runs work on the store while nobody sweeps it. */
  async #locked<Result>(what: string, signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> {
    try {
      ImageStore.open(this.store.root);
      const lock = await lockFile(this.store.lockPath, 'shared', signal ? {signal} : {});
      try {
        return await work();
      } finally {
        await lock?.release();
      }
    } catch (error) {
      if (signal?.aborted && !(error instanceof SubrootError)) throw subrootError('SUBROOT_CANCELLED', {what}, error);
      throw error;
    }
  }

  async #finish(fetched: FetchedImage, options: PullOptions): Promise<StoredImage> {
    const {setup} = this.#parts;
    const layers = layerSources(this.store, fetched);
    const why = setup.mode === 'host' ? await this.#whyNotShifted() : undefined;
    if (why !== undefined)
      options.onProgress?.({what: 'note', text: `each block of ids gets a copy of its own: ${why}`});
    if (setup.mode === 'host' && why === undefined) await this.#unpack(layers, shiftedView, options);
    // Elsewhere each block that pods get has trees of its own, made when the block is known; that they can be made is known now.
    else await this.#verify(layers, options);
    for (const ref of fetched.refs) this.store.writeRef(ref);
    const stored = this.store.readImage(this.store.refs().filter(({image}) => image === fetched.id));
    if (!stored) throw subrootError('SUBROOT_INTERNAL', {what: `image ${fetched.id} was stored and is not there`});
    return stored;
  }

  async #verify(layers: readonly LayerSource[], {signal, onProgress}: PullOptions): Promise<void> {
    const isSingle = this.#parts.setup.mode === 'single';
    const {readLayer} = await import('./unpacker.ts');
    await inParallel(layers, AT_ONCE, async (layer) => {
      const ids = isSingle ? {} : {ids: this.#parts.idsPerPod};
      await readLayer(layer, {...ids, ...(signal ? {signal} : {})});
      tellDone(layer, onProgress);
    });
  }

  async #unpack(layers: readonly LayerSource[], view: LayerView, options: PullOptions): Promise<void> {
    const {signal, onProgress} = options;
    const missing = layers.filter(({diffId}) => !this.store.hasLayer(view.name, diffId));
    for (const layer of layers) if (!missing.includes(layer)) tellDone(layer, onProgress);
    if (missing.length === 0) return;
    const {Unpacker} = await import('./unpacker.ts');
    const lease = view.kind === 'shifted' ? this.#parts.lease() : {mappings: view.mappings, release: () => {}};
    try {
      const {agent, planner, setup, stateRoot} = this.#parts;
      const parts = {agent, planner, groups: setup.groups, fifos: join(stateRoot, 'fifos')};
      const unpacker = await Unpacker.open(parts, view, lease.mappings, signal);
      try {
        await inParallel(missing, AT_ONCE, async (layer) => {
          const size = statSync(layer.path, {throwIfNoEntry: false})?.size ?? 0;
          onProgress?.({what: 'layer', digest: layer.digest, state: 'unpacking', bytes: 0, size});
          await unpacker.unpack(this.store, layer, signal ? {signal} : {});
          tellDone(layer, onProgress);
        });
      } finally {
        await unpacker.close();
      }
    } finally {
      lease.release();
    }
  }

  /** Why the kernel does not shift ids on the store's file system, or undefined. */
  #whyNotShifted(): Promise<string | undefined> {
    this.#shifting ??= this.#parts.whyNotShifted(this.store.root);
    return this.#shifting;
  }

  async #viewOf({config}: StoredImage, mappings: PodMappings | undefined): Promise<LayerView> {
    const {setup} = this.#parts;
    const isShifted =
      setup.mode === 'host' &&
      // What is there was made so: nobody need be asked.
      (config.diffIds.every((diffId) => this.store.hasLayer(shiftedView.name, diffId)) ||
        (await this.#whyNotShifted()) === undefined);
    return isShifted ? shiftedView : unshiftedViewOf(setup, mappings);
  }

  // ── for containers

  async hold(
    word: string,
    use: {readonly container: string; readonly mark: string; readonly sandbox: SandboxRecord},
    signal?: AbortSignal,
  ): Promise<ContainerImage | undefined> {
    const image = this.find(word);
    if (!image) return undefined;
    const view = await this.#viewOf(image, mappingsOf(use.sandbox.config));
    const {container, mark, sandbox} = use;
    const {metadata} = sandbox.config;
    const layers = layerSources(this.store, image);
    // Before it is looked whether they are there, so that a sweep in between leaves them or gives them back.
    this.store.writeUse({
      container,
      mark,
      pod: `${metadata.namespace}/${metadata.name}`,
      image: image.id,
      layers: layers.map(({diffId}) => `${view.name}/${diffId}`),
    });
    try {
      if (layers.some(({diffId}) => !this.store.hasLayer(view.name, diffId)))
        await this.#locked(`unpacking ${word}`, signal, () => this.#unpack(layers, view, signal ? {signal} : {}));
    } catch (error) {
      this.store.removeUse(container);
      throw error;
    }
    const lowers = layersOf(this.store, image, view.name);
    return {
      id: image.id,
      config: image.config,
      lowers,
      isShifted: view.kind === 'shifted',
      usePath: this.store.usePath(container),
      readFile: (path) => readLayerFile(lowers, path),
    };
  }

  // ── removing

  /** Containers that use an image, as `POD` names. */
  usersOf(id: string): string[] {
    return [
      ...new Set(
        this.store.uses().live.flatMap(({image, pod}) => (image === id ? [pod.replace(/^default\//, '')] : [])),
      ),
    ];
  }

  async removeImage({image}: {image: ImageSpec}): Promise<void> {
    const refs = findRefs(this.store, image.image);
    for (const {reference} of refs) this.store.removeRef(reference);
    if (refs.length > 0) await this.sweep();
  }

  /** Removes what no image and no container has. */
  async sweep(options: {readonly dryRun?: boolean} = {}): Promise<SweepReport> {
    return await sweepStore(this.store, (path) => this.#removeTree(path), options);
  }

  async #removeTree(path: string): Promise<void> {
    await this.#parts.agent.request('remove', [path]);
    if (existsSync(path)) rmSync(path, {recursive: true, force: true});
  }
}

function tellDone({digest, path}: LayerSource, onProgress: PullOptions['onProgress']): void {
  if (!onProgress) return;
  const size = statSync(path, {throwIfNoEntry: false})?.size ?? 0;
  onProgress({what: 'layer', digest, state: 'done', bytes: size, size});
}

function layerSources(store: ImageStore, {manifest, config}: Pick<FetchedImage, 'manifest' | 'config'>): LayerSource[] {
  const all = manifest.layers.map(({digest}, index) => ({
    digest,
    diffId: config.diffIds[index] ?? '',
    path: store.blobPath(digest),
  }));
  return [...new Map(all.map((layer) => [layer.diffId, layer])).values()];
}
