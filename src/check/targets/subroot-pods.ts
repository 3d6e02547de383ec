import {subrootError} from '../../../native-free/errors.ts';
import {packageVersion} from '../../host/machine-summary.ts';
import type {PodView} from '../../node/running-pod.ts';
import type {Target, TargetPod} from '../target.ts';
import {ExistingTarget, existingPod} from './existing.ts';
import {processOf} from './making-target.ts';

/**
 * Pods of ours that run already, as a target: judged from outside and by programs that are run in them. The first is the one under judgement.
 * Throws SUBROOT_PROCESS_GONE.
 */
export async function targetOfPods(views: readonly PodView[]): Promise<Target> {
  const pods = await Promise.all(views.map(podOf));
  return new ExistingTarget({
    target: `subroot/${pods[0]?.name ?? ''}`,
    version: `subroot ${packageVersion()}`,
    pods,
    abilities: ['exec', 'outside', ...(pods.length > 1 ? (['two-pods'] as const) : [])],
    notes: [],
  });
}

async function podOf(view: PodView): Promise<TargetPod> {
  // What the pod's owner runs is judged, and the process that keeps the namespaces where nothing runs.
  const running = (await view.containers()).find(({state, pid}) => state === 'RUNNING' && pid !== undefined);
  const init = processOf(running?.pid ?? view.pid);
  if (init === undefined) throw subrootError('SUBROOT_PROCESS_GONE', {action: `look at pod ${view.name}`});
  const declared =
    view.block === undefined ? {userNamespace: false} : {userNamespace: true, uids: view.map.uid, gids: view.map.gid};
  const exec: TargetPod['exec'] = async (argv, options = {}) => {
    const result = await view.exec(argv, {
      reject: false,
      timeout: options.timeoutMs ?? 20_000,
      ...(options.input === undefined ? {} : {input: options.input}),
      ...(options.uid === undefined ? {} : {uid: options.uid}),
      ...(running === undefined ? {} : {container: running.name}),
    });
    return {exitCode: result.exitCode ?? 255, stdout: String(result.stdout), stderr: String(result.stderr)};
  };
  return existingPod(view.name, init, exec, declared);
}
