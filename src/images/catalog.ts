import type {Image, Int64Value} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {formatReference, parseImageReference} from '../../native-free/image-reference.ts';
import type {ImageStore, RefRecord, StoredImage} from './image-store.ts';

/** A user of an image's configuration as the kubelet asks for it: the number when it is one, else the name. Source: cri-v1, Image.uid. */
export function imageUser(user: string): {uid?: Int64Value; username: string} {
  const [name = ''] = user.split(':');
  if (/^\d+/.test(name)) return {uid: {value: Number.parseInt(name, 10)}, username: ''};
  return {username: name};
}

/** An image in CRI's shape. */
export function criImage({id, manifest, config, refs}: StoredImage): Image {
  const names = refs.map(({reference}) => reference).sort();
  return {
    id,
    repoTags: names.filter((name) => !name.includes('@')),
    repoDigests: names.filter((name) => name.includes('@')),
    size: manifest.config.size + manifest.layers.reduce((sum, {size}) => sum + size, 0),
    ...imageUser(config.user),
    pinned: false,
  };
}

function grouped(refs: readonly RefRecord[]): Map<string, RefRecord[]> {
  const groups = new Map<string, RefRecord[]>();
  for (const ref of refs) groups.set(ref.image, [...(groups.get(ref.image) ?? []), ref]);
  return groups;
}

/** All images of a store, the newest first. `onDamage` hears of those that cannot be read; they are left out. */
export function listStored(store: ImageStore, onDamage: (error: unknown) => void = () => {}): StoredImage[] {
  const images = [...grouped(store.refs()).values()].flatMap((refs) => {
    try {
      return store.readImage(refs) ?? [];
    } catch (error) {
      onDamage(error);
      return [];
    }
  });
  const addedAt = (image: StoredImage) => BigInt(image.refs[0]?.addedAt ?? 0);
  return images.sort((a, b) => (addedAt(a) < addedAt(b) ? 1 : -1));
}

/**
 * Names of the image that a word means: its whole id, a name (completed as CRI completes it), a name with a digest, or a beginning of its
 * id that no other id has (3 digits or more). Empty when there is none. Errors: SUBROOT_AMBIGUOUS.
 */
export function findRefs(store: ImageStore, word: string): RefRecord[] {
  const refs = store.refs();
  const ofId = (id: string | undefined) => (id === undefined ? [] : refs.filter(({image}) => image === id));
  const full = /^(?:sha256:)?([0-9a-f]{64})$/.exec(word)?.[1];
  if (full !== undefined) return ofId(`sha256:${full}`);
  const parsed = parseImageReference(word);
  if (parsed.ok) {
    const {registry, repository, digest} = parsed.reference;
    const found = ofId(store.findRef(formatReference(parsed.reference))?.image);
    if (found.length > 0) return found;
    // The digest of the manifest for this machine names it too, not only that of the index.
    if (digest !== undefined) {
      const prefix = `${registry}/${repository}`;
      const own = refs.find(
        ({reference, manifest}) =>
          manifest === digest && /^[:@]/.test(reference.slice(prefix.length)) && reference.startsWith(prefix),
      );
      if (own) return ofId(own.image);
    }
  }
  const start = /^(?:sha256:)?([0-9a-f]{3,63})$/.exec(word)?.[1];
  if (start === undefined) return [];
  const ids = [...new Set(refs.map(({image}) => image))].filter((id) => id.startsWith(`sha256:${start}`));
  if (ids.length > 1) {
    const matches = ids.map((id) => id.slice(7, 20)).join(', ');
    throw subrootError('SUBROOT_AMBIGUOUS', {ref: word, count: ids.length, kind: 'image', matches});
  }
  return ofId(ids[0]);
}

/** The image that a word means, or undefined. Errors: SUBROOT_AMBIGUOUS, SUBROOT_IMAGE_STORE_DAMAGED. */
export function findStored(store: ImageStore, word: string): StoredImage | undefined {
  return store.readImage(findRefs(store, word));
}
