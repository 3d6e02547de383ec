import type {AuthConfig} from '../../native-free/cri.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {formatReference, type ImageReference, repositoryName} from '../../native-free/image-reference.ts';
import {choosePlatform, type Descriptor, parseManifest, platformText} from '../../native-free/oci-documents.ts';
import {downloadBlob} from './download.ts';
import {checkedConfig, type FetchedImage, hostPlatform, nowNs, requireReference} from './fetched-image.ts';
import type {ImageStore} from './image-store.ts';
import {inParallel} from './in-parallel.ts';
import type {PullProgress, RegistryOptions} from './pull-progress.ts';
import {findCredentials, givenCredentials} from './registry-auth.ts';
import {RegistryClient} from './registry-client.ts';
import {type Endpoint, endpointsOf, readRegistryRules} from './registry-config.ts';
import {readTlsFiles} from './registry-tls.ts';

export interface FetchOptions extends RegistryOptions {
  readonly auth?: AuthConfig;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** Layers that are fetched at a time. */
const AT_ONCE = 3;

/** Larger configurations nobody writes, and they are read as a whole. */
const CONFIG_LIMIT = 8 * 1024 * 1024;

/**
 * Fetches an image from its registry or a mirror of it into the store. Errors: SUBROOT_IMAGE_*, SUBROOT_REGISTRY_*, SUBROOT_STATE_*; the
 * signal's reason when it aborts.
 */
export async function fetchImage(store: ImageStore, image: string, options: FetchOptions): Promise<FetchedImage> {
  const reference = requireReference(image);
  const endpoints = endpointsOf(reference, readRegistryRules(options.env));
  let failure: unknown;
  for (const endpoint of endpoints) {
    const isInsecure = endpoint.insecure || options.tlsVerify === false;
    const client = await openClient({...endpoint, insecure: isInsecure}, reference, options);
    try {
      return await fetchFrom(store, client, reference, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      failure = error;
      // A mirror that has it not, or is not there, is no reason: the registry decides. A digest that lies is one, wherever.
      const isMirrorMatter =
        error instanceof SubrootError && (error.layer === 'registry' || error.code === 'SUBROOT_IMAGE_NOT_IN_REGISTRY');
      if (!endpoint.isMirror || !isMirrorMatter) throw error;
    } finally {
      await client.close();
    }
  }
  throw failure;
}

async function openClient(
  endpoint: Endpoint,
  reference: ImageReference,
  {authFile, certDir, env, auth, signal}: FetchOptions,
): Promise<RegistryClient> {
  const given = endpoint.isMirror ? undefined : givenCredentials(auth, 'given with the request');
  return new RegistryClient(endpoint, {
    tls: readTlsFiles(endpoint.registry, {certDir, ...(env ? {env} : {})}),
    credentials:
      given ?? (await findCredentials(endpoint.registry, endpoint.repository, {authFile, ...(env ? {env} : {})})),
    image: formatReference(reference),
    ...(signal ? {signal} : {}),
  });
}

async function fetchFrom(
  store: ImageStore,
  client: RegistryClient,
  reference: ImageReference,
  options: FetchOptions,
): Promise<FetchedImage> {
  const {signal, onProgress} = options;
  const image = formatReference(reference);
  const refuse = (what: string, why: string) => subrootError('SUBROOT_IMAGE_INVALID', {image, what, why});
  const top = await client.manifest(reference.digest ?? reference.tag ?? 'latest');
  let parsed = parseManifest(top.bytes.toString('utf8'));
  if (!parsed.ok) throw refuse('its manifest', parsed.why);
  let {digest: manifestDigest, bytes} = top;
  for (let depth = 0; parsed.ok && parsed.value.kind === 'index'; depth++) {
    const wanted = hostPlatform();
    const chosen = choosePlatform(parsed.value, wanted);
    if (chosen === undefined || depth > 2) {
      const there = parsed.value.manifests.flatMap(({platform}) =>
        platform && platform.os !== 'unknown' ? [platformText(platform)] : [],
      );
      const available = [...new Set(there)].join(', ') || 'nothing that names its platform';
      throw subrootError('SUBROOT_IMAGE_PLATFORM', {image, wanted: platformText(wanted), available});
    }
    ({digest: manifestDigest, bytes} = await client.manifest(chosen.digest));
    parsed = parseManifest(bytes.toString('utf8'));
  }
  if (!parsed.ok || parsed.value.kind !== 'manifest')
    throw refuse('its manifest', parsed.ok ? 'it is an index' : parsed.why);
  const manifest = parsed.value;
  if (manifest.config.size > CONFIG_LIMIT) throw refuse('its configuration', `it has ${manifest.config.size} bytes`);
  await downloadBlob(store, client, manifest.config, signal ? {signal} : {});
  const config = checkedConfig(store, manifest, image);
  const layers = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
  const total = layers.reduce((sum, {size}) => sum + size, 0);
  onProgress?.({
    what: 'image',
    reference: image,
    registry: client.endpoint.registry,
    layers: layers.length,
    bytes: total,
  });
  await inParallel(layers, AT_ONCE, (layer) => fetchLayer(store, client, layer, options));
  store.writeBlob(manifestDigest, bytes);
  const common = {manifest: manifestDigest, image: manifest.config.digest, addedAt: nowNs()};
  const name = repositoryName(reference);
  const names = [
    ...(reference.digest === undefined ? [formatReference(reference)] : []),
    `${name}@${reference.digest ?? top.digest}`,
  ];
  return {
    id: manifest.config.digest,
    manifestDigest,
    manifest,
    config,
    refs: names.map((each) => ({reference: each, ...common})),
  };
}

async function fetchLayer(
  store: ImageStore,
  client: RegistryClient,
  layer: Descriptor,
  {signal, onProgress}: FetchOptions,
): Promise<void> {
  const {digest, size} = layer;
  const tell = (state: 'there' | 'downloading' | 'downloaded', bytes: number) =>
    onProgress?.({what: 'layer', digest, state, bytes, size});
  const isNew = await downloadBlob(store, client, layer, {
    ...(signal ? {signal} : {}),
    onProgress: (bytes) => tell('downloading', bytes),
  });
  tell(isNew ? 'downloaded' : 'there', size);
}
