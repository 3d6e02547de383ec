import {parseGroup} from '../../native-free/accounts.ts';
import type {ContainerConfig, LinuxContainerSecurityContext} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {parseId} from '../../native-free/ids.ts';
import {mergeImageConfig} from './image-config.ts';
import type {ContainerImage} from './image-source.ts';

/** An image's `User` (a name or uid, either with `:group`) as the fields of a request. Errors: SUBROOT_CONFIG_INVALID. */
function requestOf(
  user: string,
  image: ContainerImage,
): Pick<LinuxContainerSecurityContext, 'runAsUser' | 'runAsUsername' | 'runAsGroup'> {
  const [name = '', group = ''] = user.split(':');
  const uid = parseId(name === '' ? '0' : name);
  const own = uid === undefined ? {runAsUsername: name} : {runAsUser: {value: uid}};
  if (group === '') return own;
  const gid = parseId(group) ?? parseGroup(image.readFile('/etc/group') ?? '').find((each) => each.name === group)?.gid;
  if (gid === undefined) {
    throw subrootError('SUBROOT_CONFIG_INVALID', {
      field: 'run_as_group',
      why: `the image runs as ${user}, and its /etc/group has no ${group}; give runAsUser and runAsGroup`,
    });
  }
  return {...own, runAsGroup: {value: gid}};
}

/**
 * The configuration of a container with what its image says: program, variables, working directory, stop signal, and the user where the
 * request names none. What the request says itself comes first. Errors: SUBROOT_CONFIG_INVALID.
 * Source: cri-v1, §7 and §8; containerd internal/cri/server/container_create.go, 2.1.
 */
export function withImage(config: ContainerConfig, image: ContainerImage): ContainerConfig {
  const {entrypoint, cmd, env, workingDir, user, stopSignal} = image.config;
  const merged = mergeImageConfig(config, {
    Entrypoint: entrypoint,
    Cmd: cmd,
    Env: env,
    WorkingDir: workingDir,
    User: user,
    StopSignal: stopSignal,
  });
  const context = config.linux?.securityContext;
  const hasUser = context?.runAsUser !== undefined || Boolean(context?.runAsUsername);
  return {
    ...config,
    command: merged.argv,
    args: [],
    envs: [...merged.env].map(([key, value]) => ({key, value})),
    workingDir: merged.workingDir,
    stopSignal: merged.stopSignal,
    linux: {
      ...config.linux,
      securityContext: {
        ...context,
        ...(hasUser ? {} : requestOf(merged.user ?? '', image)),
        // A group of the request counts, also beside the image's user.
        ...(context?.runAsGroup ? {runAsGroup: context.runAsGroup} : {}),
      },
    },
  };
}
