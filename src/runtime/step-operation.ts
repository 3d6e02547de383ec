import type {CauseValues} from '../../native-free/explain/cause.ts';
import type {CauseId} from '../../native-free/explain/causes.ts';
import type {Step} from '../host/step.ts';

/** What a step asks of the kernel, in the words of the table of explanations. */
export interface StepOperation {
  readonly call: string;
  readonly about: string;
  readonly values?: CauseValues;
  /** The words for `subroot explain ERRNO …`. */
  readonly asked: string;
}

/** Causes that a plan of ours rules out by its order: each namespace is made in the pod's own user namespace before it is needed. */
export const ruledOutByPlans: ReadonlySet<string> = new Set<CauseId>([
  'namespace-needs-userns',
  'mount-namespace-foreign',
  'proc-other-pid-namespace',
  'sysfs-other-net-namespace',
  'mqueue-other-ipc-namespace',
  'cgroup-other-namespace',
  'privileged-with-hostusers',
  'mount-file-system-of-host',
]);

function operation(call: string, about = '', values: CauseValues = {}): StepOperation {
  return {call, about, values, asked: about === '' ? call : `${call} ${about}`};
}

/** The operation of a step, or undefined for those that no table speaks of. */
export function operationOf(step: Step): StepOperation | undefined {
  switch (step[0]) {
    case 'unshare':
      return operation('unshare', step[1]);
    case 'join':
      return operation('setns', step[1]);
    case 'creds':
      return operation('setuid', '', {id: `(uid ${step[1]}, gid ${step[2]} or one of the groups)`});
    case 'fork':
      return operation('fork');
    case 'fs':
      return operation('mount', step[2]);
    case 'tree':
      return step[3].includes('idmap')
        ? operation('mount', 'idmap', {path: step[2]})
        : operation('mount', 'bind', {path: step[2]});
    case 'podtree':
      return operation('mount', 'bind', {path: step[2]});
    case 'attach':
      return operation('move_mount', '', {path: step[2]});
    case 'mount':
      return operation('mount', `${step[3]} ${step[4]}`.trim(), {path: step[2]});
    case 'mask':
    case 'readonly':
      return operation('mount', 'remount', {path: step[1]});
    case 'umount':
      return operation('umount');
    case 'pivot':
      return operation('pivot_root');
    case 'hostname':
      return operation('sethostname');
    case 'sysctl':
      return operation('sysctl', `/proc/sys/${step[1]}`, {path: step[1]});
    case 'oomscore':
      return operation('write', 'oom_score_adj');
    case 'terminal':
      return operation('openpty');
    case 'chdir':
      return operation('chdir', '', {path: step[1]});
    case 'chmod':
      return operation('chmod', '', {path: step[1]});
    case 'mkdir':
    case 'mkdirs':
    case 'file':
      return operation('open', '', {path: step[1]});
    case 'symlink':
      return operation('symlink', '', {path: step[2]});
    case 'seccomp':
      return operation('seccomp');
    case 'exec':
      return operation('exec', '', {path: step[1]});
    default:
      return undefined;
  }
}
