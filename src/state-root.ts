import {join, resolve} from 'node:path';

/**
 * Absolute path of the state folder: --root, else SUBROOT_ROOT, else /run/subroot for root, else $XDG_RUNTIME_DIR/subroot, else
 * subroot-UID in the temporary folder. State is about processes, so it lives where a reboot clears it.
 */
export function stateRoot(flag: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const given = flag ?? env.SUBROOT_ROOT;
  if (given !== undefined && given !== '') return resolve(given);
  const uid = process.getuid?.();
  if (uid === 0) return '/run/subroot';
  if (env.XDG_RUNTIME_DIR !== undefined && env.XDG_RUNTIME_DIR !== '') return join(env.XDG_RUNTIME_DIR, 'subroot');
  return join(env.TMPDIR || '/tmp', uid === undefined ? 'subroot' : `subroot-${uid}`);
}
