import {readFileSync} from 'node:fs';
import {type Errno, isErrno} from '../../native-free/errno.ts';
import type {SubrootError} from '../../native-free/errors.ts';
import {subrootError} from '../../native-free/errors.ts';
import {explainErrno} from '../../native-free/explain/explain-errno.ts';
import type {Explanation} from '../../native-free/explain/explanation.ts';
import {explainMapWrite} from '../../native-free/explain-map-write.ts';
import {parseMapWrite} from '../../native-free/write-id-map.ts';
import type {AgentFailure} from '../host/agent.ts';
import {explainFileError} from '../host/state-files.ts';
import type {Step} from '../host/step.ts';
import {operationOf, ruledOutByPlans, type StepOperation} from './step-operation.ts';

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

const readSysctl = (path: string): string | undefined => readProc(`sys/${path}`);

/** Cause and mend of a refused step: the step names the operation, the table of explanations what the errno means for it. */
function causeOf(step: Step, errno: string): {why: string; mend: string} {
  const own = causeInPod(step, errno);
  if (own) return own;
  const operation = operationOf(step);
  const known = isErrno(errno) && operation !== undefined ? explainOperation(operation, errno) : [];
  const [best, ...others] = known;
  if (operation === undefined || best === undefined)
    return {
      why: 'the step names the call that was refused, and nothing that is known to cause this is so here',
      mend: 'see `subroot doctor`; `--dry-run` prints the whole plan',
    };
  const [name] = step;
  const isLimit = name === 'unshare' && best.id === 'userns-limit';
  const more = others.length === 0 ? '' : ` (what else it can be: \`subroot explain ${errno} ${operation.asked}\`)`;
  return {why: isLimit ? `${best.why}: ${limitsOf(step[1])}` : best.why, mend: `${best.mend}${more}`};
}

/** Of steps that fail by what the pod asks for, whatever else this machine forbids. */
function causeInPod(step: Step, errno: string): {why: string; mend: string} | undefined {
  const [name] = step;
  if (name === 'sysctl') {
    const setting = `${step[1]} = ${step[2].slice(0, 60)}`;
    if (errno === 'ENOENT')
      return {why: `this kernel has no ${step[1]} in a namespace of its own`, mend: 'leave that sysctl out'};
    if (errno === 'EINVAL')
      return {why: `the kernel does not take ${setting} (ids in it must be of the pod)`, mend: 'choose another value'};
    return {why: `the kernel lets a namespace's root not change ${setting}`, mend: 'leave that sysctl out'};
  }
  if (name !== 'seccomp') return undefined;
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

function explainOperation({call, about, values}: StepOperation, errno: Errno): readonly Explanation[] {
  const {explanations} = explainErrno(errno, call, about, values);
  return explanations.filter(({id}) => !ruledOutByPlans.has(id) && !isRefutedHere(id));
}

/** What a glance at this machine rules out; `subroot explain` looks closer. */
function isRefutedHere(id: string): boolean {
  switch (id) {
    case 'userns-apparmor':
      return readSysctl('kernel/apparmor_restrict_unprivileged_userns') !== '1';
    case 'userns-sysctl':
      return readSysctl('kernel/unprivileged_userns_clone') !== '0';
    case 'seccomp-filter':
      return /^Seccomp:\t0/m.test(readProc('self/status') ?? '');
    case 'apparmor-profile':
      return (readProc('self/attr/current') ?? 'unconfined').startsWith('unconfined');
    default:
      return false;
  }
}

/** Why a map was refused: by its own text, which the model reads as the kernel does, else by who writes it. */
function causeOfMap(map: string, errno: string): {why: string; mend: string} {
  const parsed = parseMapWrite(map.replaceAll(/[;,]/g, '\n'));
  if (!parsed.ok) return explainMapWrite(parsed);
  const check = `see why with \`subroot map --check --map "${map}"\``;
  return {
    why: 'its text is as the kernel wants it, so this is about who may write it, or about making the namespace at all',
    mend: isErrno(errno)
      ? `${check}, and what else it can be with \`subroot explain ${errno} write uid_map\` and \`subroot explain ${errno} unshare user\``
      : check,
  };
}

function limitsOf(types: string): string {
  const limits = types
    .split(',')
    .map((type) => `user.max_${type}_namespaces is ${readSysctl(`user/max_${type}_namespaces`) ?? '?'}`);
  return limits.join(', ');
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
    const map = step[4];
    return subrootError(
      'SUBROOT_IDMAP_REFUSED',
      {map, file: 'uid_map, gid_map', errno: `${errno}, ${failure.text}`, ...causeOfMap(map, errno)},
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
