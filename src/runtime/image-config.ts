import type {KeyValue} from '../../native-free/cri.ts';

/** What an image says of its programs: `config` of an OCI image configuration. Source: OCI image-spec config.md, 1.1. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  /** `NAME=VALUE`. */
  readonly Env?: readonly string[] | null;
  readonly WorkingDir?: string;
  /** `user`, `uid`, `user:group`, `uid:gid`, … */
  readonly User?: string;
  /** `SIGTERM`, `15`, … */
  readonly StopSignal?: string;
}

/** What the request for a container says of its program: fields of a CRI ContainerConfig. */
export interface ProgramRequest {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly envs?: readonly KeyValue[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
}

/** The two together. */
export interface MergedProgram {
  /** Empty when neither names a program. */
  readonly argv: readonly string[];
  /** The image's variables first; those of the request win and keep the image's place. */
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  /** The image's user, for a request that names none. */
  readonly user?: string;
  /** Without SIG. */
  readonly stopSignal: string;
}

/**
 * The program of a container on an image: `command` replaces the image's Entrypoint and drops its Cmd, `args` alone replaces Cmd.
 * Source: kubernetes docs "Define a Command and Arguments for a Container"; containerd internal/cri/server/container_create.go, 2.1.
 */
export function mergeImageConfig(request: ProgramRequest, image: ImageConfig = {}): MergedProgram {
  const [command, args] = [request.command ?? [], request.args ?? []];
  const [entrypoint, cmd] = [image.Entrypoint ?? [], image.Cmd ?? []];
  const argv = command.length > 0 ? [...command, ...args] : [...entrypoint, ...(args.length > 0 ? args : cmd)];
  const env = new Map<string, string>();
  for (const word of image.Env ?? []) {
    const equals = word.indexOf('=');
    // A name without a value is none of a program's variables, as containerd takes it.
    if (equals > 0) env.set(word.slice(0, equals), word.slice(equals + 1));
  }
  for (const {key, value} of request.envs ?? []) env.set(key, value);
  return {
    argv,
    env,
    workingDir: request.workingDir || image.WorkingDir || '/',
    ...(image.User ? {user: image.User} : {}),
    stopSignal: (request.stopSignal || image.StopSignal || 'TERM').replace(/^SIG/, ''),
  };
}
