import {subrootError} from '../../../native-free/errors.ts';
import type {Target} from '../target.ts';

/** What only some targets ask for. */
export interface TargetOptions {
  /** A RuntimeClass's handler, of a CRI target. */
  readonly runtimeHandler?: string;
  /** An image that the target has, with `sleep` in it; of `cri` and `docker`. */
  readonly image?: string;
}

/** Words that name a target, with what each is; `subroot` is opened by whoever has a node. */
export const targetForms: readonly (readonly [form: string, what: string])[] = [
  ['subroot', 'pods of this program'],
  ['oci:PROGRAM', 'an OCI runtime by name or path: oci:runc, oci:crun, oci:youki, oci:/usr/local/bin/runc'],
  ['podman', 'podman as root, with --uidmap and a storage of its own'],
  ['docker', 'the docker daemon, whose user namespace is daemon-wide (userns-remap)'],
  ['cri:SOCKET', 'a CRI runtime: cri:unix:///run/containerd/containerd.sock'],
  ['bwrap', 'bubblewrap, run by an ordinary user'],
  ['unshare', 'unshare(1), run by an ordinary user'],
  ['pid:PID', 'a process that runs already, from outside only'],
  ['self', 'the container that this program runs in, from inside'],
];

/** Openers are loaded when they are needed: a gRPC client is large, and most runs need none. */
const openers: Readonly<Record<string, (rest: string, options: TargetOptions) => Promise<Target>>> = {
  oci: async (name) => await (await import('./oci.ts')).openOci(name),
  podman: async () => await (await import('./podman.ts')).openPodman(),
  docker: async (_, options) => await (await import('./docker.ts')).openDocker(options),
  cri: async (address, options) => await (await import('./cri.ts')).openCri(address, options),
  bwrap: async () => await (await import('./wrapped.ts')).openBwrap(),
  unshare: async () => await (await import('./wrapped.ts')).openUnshare(),
  pid: async (pid) => (await import('./existing.ts')).openPid(pid),
  self: async () => (await import('./existing.ts')).openSelf(),
};
const withWord = new Set(['oci', 'cri', 'pid']);

/**
 * Opens the target that a word on the command line names. Throws SUBROOT_TARGET_UNKNOWN, and what the target's opener throws
 * (SUBROOT_TARGET_MISSING, SUBROOT_TARGET_NEEDS_ROOT, …). The caller closes it.
 */
export async function openTarget(target: string, options: TargetOptions = {}): Promise<Target> {
  const colon = target.indexOf(':');
  const kind = colon < 0 ? target : target.slice(0, colon);
  const rest = colon < 0 ? '' : target.slice(colon + 1);
  const open = Object.hasOwn(openers, kind) ? openers[kind] : undefined;
  if (open === undefined)
    throw subrootError('SUBROOT_TARGET_UNKNOWN', {target, why: `there is no ${kind || 'such one'}`});
  if (withWord.has(kind) !== rest.length > 0)
    throw subrootError('SUBROOT_TARGET_UNKNOWN', {
      target,
      why: withWord.has(kind) ? `what comes after ${kind}: is missing` : `nothing may follow ${kind}`,
    });
  return await open(rest, options);
}
