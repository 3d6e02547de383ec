import {type ProcessStatus, parseStatus} from '../host/process-view.ts';
import {CannotTry} from './attempt.ts';
import type {TargetPod} from './target.ts';

export interface ExecProbe {
  /** Ids are those that the program itself sees. */
  readonly status: ProcessStatus;
  /** Inode of its user namespace. */
  readonly userNamespace: number;
}

const script = 'cat /proc/self/status; readlink /proc/self/ns/user';

const probes = new WeakMap<TargetPod, Promise<ExecProbe>>();

/** What a program that the target runs in a pod says of itself; asked once for each pod. Throws CannotTry when it cannot be run. */
export function probeExec(pod: TargetPod): Promise<ExecProbe> {
  const probe = probes.get(pod) ?? askExec(pod);
  probes.set(pod, probe);
  return probe;
}

async function askExec(pod: TargetPod): Promise<ExecProbe> {
  const {stdout, stderr, exitCode} = await pod.exec(['sh', '-c', script]);
  const status = parseStatus(stdout);
  const inode = /^user:\[(\d+)\]$/m.exec(stdout)?.[1];
  if (!status || inode === undefined)
    throw new CannotTry(
      `sh, cat and readlink could not be run in the pod (exit code ${exitCode}): ${stderr.slice(0, 200)}`,
    );
  return {status, userNamespace: Number(inode)};
}
