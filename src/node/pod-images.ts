import type {AuthConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {
  type ApiObjects,
  type EventHandler,
  type ImageUser,
  type Pod,
  type PodContainer,
  pullPolicyOf,
  pullSecretsOf,
  startedContainers,
} from '../../sim/index.ts';
import type {ImageManager} from '../images/image-manager.ts';
import type {PullProgress} from '../images/pull-progress.ts';
import type {NodeOptions} from './node-options.ts';
import {imageTarget, isStoreName} from './pod-plan.ts';

/** What a pod's image names stand for, when all of them are here. */
export interface PodImages {
  resolveImage(image: string): string;
  imageUserOf(image: string): ImageUser | undefined;
}

export interface EnsureOptions {
  readonly node: NodeOptions;
  readonly objects: ApiObjects;
  /** The store, loaded when an image of it is wanted. */
  readonly images: () => Promise<ImageManager>;
  readonly onEvent?: EventHandler;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Has every image of a pod here, by its pull policy, before anything of the pod is made.
 * Errors: SUBROOT_IMAGE_NEVER_PULL, and as ImageManager.pull's. Source: kubernetes pkg/kubelet/images/image_manager.go EnsureImageExists, 1.36.
 */
export async function ensureImages(pod: Pod, options: EnsureOptions): Promise<PodImages> {
  const wanted = startedContainers(pod).filter(({image}) => isStoreName(imageTarget(image, options.node)));
  const found = new Map<string, {ref: string; user: ImageUser}>();
  if (wanted.length > 0) {
    const images = await options.images();
    for (const container of wanted) {
      const key = `${container.image} ${options.node.pull ?? pullPolicyOf(container)}`;
      if (!found.has(key)) found.set(key, await ensureImage(images, pod, container, options));
    }
    for (const [key, image] of [...found]) found.set(key.split(' ')[0] ?? '', image);
  }
  return {
    resolveImage: (image) => found.get(image)?.ref ?? imageTarget(image, options.node),
    imageUserOf: (image) => found.get(image)?.user,
  };
}

async function ensureImage(
  images: ImageManager,
  pod: Pod,
  container: PodContainer,
  {node, objects, onEvent, onProgress, signal}: EnsureOptions,
): Promise<{ref: string; user: ImageUser}> {
  const target = imageTarget(container.image, node);
  const policy = node.pull ?? pullPolicyOf({...container, image: target});
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    onEvent?.({type, reason, message, container: container.name});
  const {image: there} = await images.imageStatus({image: {image: target}});
  if (there && policy !== 'Always') {
    tell('Normal', 'Pulled', `Container image "${target}" already present on machine`);
    return {ref: there.id, user: userOf(there)};
  }
  // What fails is thrown, and so no event of its own.
  if (policy === 'Never') throw subrootError('SUBROOT_IMAGE_NEVER_PULL', {image: target});
  const {auth, unusable} = pullSecretsOf(pod, objects, target);
  if (unusable.length > 0) {
    const what = `Unable to retrieve some image pull secrets (${unusable.join(', ')})`;
    tell('Warning', 'FailedToRetrieveImagePullSecret', `${what}; attempting to pull the image may not succeed.`);
  }
  tell('Normal', 'Pulling', `Pulling image "${target}"`);
  const pulled = await pull(images, target, auth, onProgress, signal);
  const {image} = await images.imageStatus({image: {image: pulled}});
  tell('Normal', 'Pulled', `Successfully pulled image "${target}"`);
  return {ref: pulled, user: image ? userOf(image) : {}};
}

async function pull(
  images: ImageManager,
  image: string,
  auth: AuthConfig | undefined,
  onProgress: EnsureOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<string> {
  const {imageRef} = await images.pullImage(
    {image: {image}, ...(auth ? {auth} : {})},
    {...(signal ? {signal} : {}), ...(onProgress ? {onProgress} : {})},
  );
  return imageRef;
}

function userOf({uid, username}: {uid?: {value: number}; username: string}): ImageUser {
  return {...(uid ? {uid: uid.value} : {}), ...(username ? {username} : {})};
}
