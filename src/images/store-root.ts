import {homedir} from 'node:os';
import {join, resolve} from 'node:path';

/**
 * Absolute path of the store of images: `--image-store`, else SUBROOT_IMAGE_STORE; with a state folder that was chosen (`--root`,
 * SUBROOT_ROOT) its `images`; else /var/lib/subroot/images for root and $XDG_DATA_HOME/subroot/images for others. Images outlive a reboot,
 * which state does not.
 */
export function imageStoreRoot(
  flags: {readonly imageStore?: string | undefined; readonly root?: string | undefined},
  env: NodeJS.ProcessEnv = process.env,
): string {
  const given = flags.imageStore || env.SUBROOT_IMAGE_STORE;
  if (given) return resolve(given);
  const root = flags.root || env.SUBROOT_ROOT;
  if (root) return join(resolve(root), 'images');
  if (process.getuid?.() === 0) return '/var/lib/subroot/images';
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'subroot/images');
}
