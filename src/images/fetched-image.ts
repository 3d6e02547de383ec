import {subrootError} from '../../native-free/errors.ts';
import {type ImageReference, parseImageReference} from '../../native-free/image-reference.ts';
import {
  type ImageConfig,
  type ImageManifest,
  type Platform,
  parseImageConfig,
  platformText,
} from '../../native-free/oci-documents.ts';
import type {ImageStore, RefRecord} from './image-store.ts';

/** An image whose blobs are all in the store; its names are not written yet. */
export interface FetchedImage {
  readonly id: string;
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly refs: readonly RefRecord[];
}

/** This machine as images know it. */
export function hostPlatform(): Platform {
  const architecture = {x64: 'amd64', ia32: '386', arm: 'arm'}[process.arch as string] ?? process.arch;
  return {os: 'linux', architecture};
}

/** A name as CRI completes it. Errors: SUBROOT_IMAGE_NAME_INVALID. */
export function requireReference(image: string): ImageReference {
  const parsed = parseImageReference(image);
  if (!parsed.ok) throw subrootError('SUBROOT_IMAGE_NAME_INVALID', {image, why: parsed.why});
  return parsed.reference;
}

/** Nanoseconds since the epoch as a decimal text, finer than a millisecond. */
export function nowNs(): string {
  return String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
}

/** The configuration of a manifest, for this machine and with as many layers. Errors: SUBROOT_IMAGE_INVALID, SUBROOT_IMAGE_PLATFORM. */
export function checkedConfig(store: ImageStore, manifest: ImageManifest, image: string): ImageConfig {
  const refuse = (what: string, why: string) => subrootError('SUBROOT_IMAGE_INVALID', {image, what, why});
  const config = parseImageConfig(store.readBlob(manifest.config.digest));
  if (!config.ok) throw refuse('its configuration', config.why);
  const {diffIds, platform} = config.value;
  if (diffIds.length !== manifest.layers.length)
    throw refuse(
      'its configuration',
      `it names ${diffIds.length} layers, and the manifest has ${manifest.layers.length}`,
    );
  const wanted = hostPlatform();
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) {
    const available = platformText(platform);
    throw subrootError('SUBROOT_IMAGE_PLATFORM', {image, wanted: platformText(wanted), available});
  }
  return config.value;
}
