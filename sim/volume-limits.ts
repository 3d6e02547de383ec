import type {Pod} from './pod.ts';
import {volumePath} from './pod-volumes.ts';
import {parseQuantity, quantityIn} from './quantity.ts';
import type {VolumeHost} from './volume-host.ts';

/** An emptyDir on disk with a limit; nothing but looking holds it to that. */
export interface LimitedVolume {
  readonly name: string;
  readonly path: string;
  readonly limitBytes: bigint;
  /** As the manifest has it. */
  readonly sizeLimit: string;
}

/** The pod's emptyDirs on disk that have a limit. A limit of 0 is none, as to a kubelet; a memory volume has its limit as its size. */
export function limitedVolumes(pod: Pod, podDir: string): LimitedVolume[] {
  return pod.spec.volumes.flatMap((volume): LimitedVolume[] => {
    if (volume.kind !== 'emptyDir' || volume.medium !== '' || volume.sizeLimit === undefined) return [];
    const limit = parseQuantity(volume.sizeLimit) ?? 0n;
    if (limit <= 0n) return [];
    const {name, sizeLimit} = volume;
    const path = volumePath(podDir, 'emptyDir', name);
    return [{name, path, sizeLimit, limitBytes: quantityIn(limit, 1_000_000_000n)}];
  });
}

/**
 * Why a pod is to be evicted, in the kubelet's words, or undefined while each volume keeps to its limit.
 * Source: kubernetes pkg/kubelet/eviction/eviction_manager.go emptyDirLimitEviction, 1.36.
 */
export async function exceededLimit(
  volumes: readonly LimitedVolume[],
  host: Pick<VolumeHost, 'usageOf'>,
): Promise<string | undefined> {
  for (const {name, path, limitBytes, sizeLimit} of volumes) {
    if ((await host.usageOf(path)) > limitBytes)
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${sizeLimit}".`;
  }
  return undefined;
}
