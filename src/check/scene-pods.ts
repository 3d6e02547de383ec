import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {canary} from './place.ts';
import type {RunFolder} from './run-folder.ts';
import type {Target, TargetPod} from './target.ts';

/** Where the shared folders are in a pod. */
export const mountPoints = {plain: '/subroot-check-plain', idmapped: '/subroot-check-idmapped'} as const;

export interface ScenePods {
  /** The first is the one under judgement, with the default capabilities and the target's default masks; a second where there can be one. */
  readonly pods: readonly TargetPod[];
  remove(): Promise<void>;
}

/** Makes a folder of the host that pods mount: a secret of the host's root, a file for everybody, and room for everybody. */
export function makeSharedFolder(run: RunFolder, name: 'plain' | 'idmapped'): string {
  const path = run.makeFolder(name);
  chmodSync(path, 0o755);
  writeFileSync(join(path, 'secret'), canary, {mode: 0o600});
  writeFileSync(join(path, 'open'), 'for everybody\n');
  chmodSync(join(path, 'open'), 0o644);
  mkdirSync(join(path, 'room'));
  chmodSync(join(path, 'room'), 0o777);
  return path;
}

/** The pods that all checks of a run share: those that are there, or two new ones. What fails leaves none. */
export async function startPods(target: Target, run: RunFolder): Promise<ScenePods> {
  if (target.existing.length > 0) return {pods: target.existing, remove: async () => await Promise.resolve()};
  const made: TargetPod[] = [];
  const remove = async () => {
    for (const pod of made.splice(0)) await pod.remove();
  };
  const mounts = target.has('mounts')
    ? (['plain', ...(target.has('idmapped-mounts') ? (['idmapped'] as const) : [])] as const).map((name) => ({
        hostPath: makeSharedFolder(run, name),
        containerPath: mountPoints[name],
        idmapped: name === 'idmapped',
      }))
    : [];
  const withMounts = mounts.length > 0 ? {mounts} : {};
  try {
    made.push(await target.start({name: 'pod-a', userNamespace: true, capabilities: 'default', ...withMounts}));
    if (target.has('two-pods')) {
      const capabilities = target.has('all-capabilities') ? 'all' : 'default';
      made.push(await target.start({name: 'pod-b', userNamespace: true, capabilities}));
    }
    return {pods: [...made], remove};
  } catch (error) {
    await remove();
    throw error;
  }
}
