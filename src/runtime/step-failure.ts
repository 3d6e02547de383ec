import {readFileSync} from 'node:fs';
import type {SubrootError} from '../../native-free/errors.ts';
import {subrootError} from '../../native-free/errors.ts';
import type {AgentFailure} from '../host/agent.ts';
import {explainFileError} from '../host/state-files.ts';
import type {Step} from '../host/step.ts';

function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

/** Cause and mend of a refused step, by the kernel's rules: the step names the operation, the errno the rule. */
function causeOf(step: Step, errno: string): {why: string; mend: string} {
  const [name] = step;
  if (name === 'unshare' && (errno === 'ENOSPC' || errno === 'EUSERS')) {
    const limits = step[1]
      .split(',')
      .map((type) => `user.max_${type}_namespaces is ${readSysctl(`user/max_${type}_namespaces`) ?? '?'}`)
      .join(', ');
    return {
      why: `a limit on namespaces is reached, not the disk: ${limits}`,
      mend: 'raise the limit that is reached with `sysctl`, or remove pods (`subroot gc`)',
    };
  }
  if (name === 'unshare' || name === 'join') {
    return {
      why: 'the kernel, a security module or a seccomp filter forbids these namespaces here',
      mend: 'see `subroot doctor`',
    };
  }
  if (name === 'creds' && errno === 'EINVAL') {
    return {
      why: `uid ${step[1]}, gid ${step[2]} or one of the groups has no place in the pod's id map`,
      mend: 'choose ids that the pod has (`cat /proc/self/uid_map` in it)',
    };
  }
  if (name === 'fs' && (step[2] === 'proc' || step[2] === 'sysfs') && errno === 'EPERM') {
    return {
      why: `a new ${step[2]} needs one here that nothing is mounted over: we are probably in a container that masks parts of it`,
      mend:
        step[2] === 'proc'
          ? 'start the outer container with an unmasked /proc (`procMount: Unmasked`, `--security-opt unmask=ALL`)'
          : 'start the outer container with /sys of its own',
    };
  }
  if (name === 'tree' && step[3].includes('idmap') && (errno === 'EINVAL' || errno === 'EPERM')) {
    return {
      why: `the file system of ${step[2]} has no idmapped mounts on this kernel, or they are not ours to make`,
      mend: 'put the folder on ext4, xfs, btrfs or tmpfs, or run in mode host',
    };
  }
  if (name === 'chdir' && (errno === 'ENOENT' || errno === 'ENOTDIR'))
    return {why: `${step[1]} is not there, or no folder`, mend: 'make it, or correct the path'};
  if ((name === 'tree' || name === 'mount') && errno === 'ENOENT')
    return {why: `${step[2]} is not there`, mend: `make it, or correct the path`};
  if (name === 'seccomp') {
    return errno === 'EINVAL' || errno === 'ENOSYS'
      ? {
          why: 'this kernel takes no seccomp filter, or does not know one of the flags of the profile',
          mend: 'use a kernel with CONFIG_SECCOMP_FILTER, or leave out seccompProfile (type Unconfined)',
        }
      : {
          why: 'a filter is taken from who has CAP_SYS_ADMIN in the pod, or sets no_new_privs',
          mend: 'set allowPrivilegeEscalation to false, or leave out seccompProfile (type Unconfined)',
        };
  }
  if (errno === 'ENOSYS') return {why: 'this kernel does not know the call', mend: 'use Linux 5.12 or newer'};
  if (errno === 'ENOSPC') return {why: 'no space is left', mend: 'free memory or space'};
  if (errno === 'EACCES' && (name === 'chdir' || name === 'tree'))
    return {why: 'a folder above it does not let this id through', mend: `\`chmod o+x\` the folders above ${step[1]}`};
  return {
    why: 'see the step for the call that was refused',
    mend: 'see `subroot doctor`; `--dry-run` prints the whole plan',
  };
}

/** The error of a plan's step that the kernel refused. `action` says what for, e.g. "start sandbox web". */
export function explainStep(failure: AgentFailure, steps: readonly Step[], action: string): SubrootError {
  const step = steps[failure.step];
  if (step === undefined) {
    if (['ENOSPC', 'EDQUOT', 'EROFS'].includes(failure.errno)) {
      const path = /^(\/.*): /.exec(failure.text)?.[1] ?? 'the state folder';
      return explainFileError(path, Object.assign(failure, {code: failure.errno}));
    }
    const isGone = failure.errno === 'ESRCH';
    return isGone
      ? subrootError('SUBROOT_PROCESS_GONE', {action}, failure)
      : subrootError(
          'SUBROOT_STEP_FAILED',
          {
            action,
            errno: failure.errno,
            step: 0,
            words: 'before the first step',
            why: failure.text,
            mend: 'see `subroot doctor`',
          },
          failure,
        );
  }
  if (step[0] === 'exec') {
    const command = step[1] ?? '';
    if (failure.errno === 'ENOENT') {
      const path = steps.find((other) => other[0] === 'env' && other[1] === 'PATH')?.[2] ?? 'unset';
      return subrootError('SUBROOT_COMMAND_NOT_FOUND', {command, path}, failure);
    }
    if (
      failure.errno === 'EACCES' ||
      failure.errno === 'ENOEXEC' ||
      failure.errno === 'EISDIR' ||
      failure.errno === 'EPERM'
    )
      return subrootError('SUBROOT_COMMAND_NOT_EXECUTABLE', {command, errno: failure.errno}, failure);
  }
  if (step[0] === 'newuserns') {
    const {errno} = failure;
    if (errno === 'ENOSPC')
      return subrootError(
        'SUBROOT_USERNS_LIMIT',
        {limit: readSysctl('user/max_user_namespaces') ?? 'unknown', errno},
        failure,
      );
    return subrootError(
      'SUBROOT_IDMAP_REFUSED',
      {map: step[4], file: 'uid_map, gid_map', errno: `${errno}, ${failure.text}`},
      failure,
    );
  }
  const {why, mend} = causeOf(step, failure.errno);
  const words = step.slice(0, 4).join(' ').slice(0, 120);
  return subrootError(
    'SUBROOT_STEP_FAILED',
    {action, errno: failure.errno, step: failure.step, words, why, mend},
    failure,
  );
}
