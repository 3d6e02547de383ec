import type {FileSystemName} from './idmap-file-systems.ts';
import {fileSystemOfDriver, fileSystemOfType} from './idmap-file-systems.ts';
import type {VolumeView} from './pod-view.ts';
import type {Spot} from './spot.ts';
import type {Found} from './workloads.ts';

/** What is behind a volume, and how it is known. */
export interface VolumeBehind {
  readonly fileSystem: FileSystemName;
  /** `nfs`, `driver efs.csi.aws.com`, `claim data → class fast → driver …`. */
  readonly how: string;
}

/** Claims, volumes and storage classes that are in the same file. */
export interface Storage {
  readonly claims: ReadonlyMap<string, Spot>;
  readonly volumes: ReadonlyMap<string, Spot>;
  readonly classes: ReadonlyMap<string, Spot>;
}

export function storageOf({others}: Pick<Found, 'others'>): Storage {
  const named = (kind: string) =>
    new Map(
      others
        .filter((each) => each.kind === kind)
        .map(({object}) => [object.at('metadata', 'name')?.text ?? '', object]),
    );
  return {
    claims: named('PersistentVolumeClaim'),
    volumes: named('PersistentVolume'),
    classes: named('StorageClass'),
  };
}

/** Volume types whose source is followed to what is behind it. */
const claimTypes: ReadonlySet<string> = new Set(['persistentVolumeClaim', 'volumeClaimTemplate', 'ephemeral']);
/** Kept in the folder of the pod, on the node's own disk. */
const onNode: ReadonlySet<string> = new Set(['configMap', 'emptyDir', 'gitRepo', 'image', 'hostPath']);

/** The file system of a volume; undefined when it lies on the node's own disk or on one that is attached to it. */
export function behindVolume({type, source}: VolumeView, storage: Storage): VolumeBehind | undefined {
  if (type === 'emptyDir') {
    const medium = source?.get('medium')?.text ?? '';
    if (medium === 'Memory') return {fileSystem: 'tmpfs', how: 'medium Memory'};
    return medium.startsWith('HugePages') ? {fileSystem: 'hugetlbfs', how: `medium ${medium}`} : undefined;
  }
  if (onNode.has(type)) return undefined;
  if (type === 'csi') return behindDriver(source?.get('driver')?.text ?? '', '');
  if (claimTypes.has(type)) return behindClaim(type, source, storage);
  const fileSystem = fileSystemOfType(type);
  return fileSystem && {fileSystem, how: type};
}

function behindDriver(driver: string, before: string): VolumeBehind {
  return {fileSystem: fileSystemOfDriver(driver), how: `${before}driver ${driver || 'without a name'}`};
}

function behindClaim(type: string, source: Spot | undefined, storage: Storage): VolumeBehind {
  const name = source?.get('claimName')?.text ?? '';
  const claim =
    type === 'persistentVolumeClaim'
      ? storage.claims.get(name)?.get('spec')
      : type === 'ephemeral'
        ? source?.at('volumeClaimTemplate', 'spec')
        : source;
  const shown = type === 'persistentVolumeClaim' ? `claim ${name}` : 'its claim template';
  const volume = storage.volumes.get(claim?.get('volumeName')?.text ?? '');
  if (volume) return behindPersistentVolume(volume, `${shown}, volume ${volume.at('metadata', 'name')?.text}, `);
  const className = claim?.get('storageClassName')?.text;
  const provisioner = storage.classes.get(className ?? '')?.get('provisioner')?.text;
  if (provisioner !== undefined) return behindDriver(provisioner, `${shown}, class ${className}, `);
  return {fileSystem: 'unknown', how: className === undefined ? shown : `${shown}, class ${className}`};
}

function behindPersistentVolume(volume: Spot, before: string): VolumeBehind {
  const spec = volume.get('spec');
  const driver = spec?.at('csi', 'driver')?.text;
  if (driver !== undefined) return behindDriver(driver, before);
  for (const [field] of spec?.entries ?? []) {
    const fileSystem = fileSystemOfType(field);
    if (fileSystem) return {fileSystem, how: `${before}${field}`};
  }
  // A local volume or a hostPath is on the node's disk, whose file system cannot be told from here either.
  return {fileSystem: 'unknown', how: before.replace(/, $/, '')};
}

/** Volume types whose files the kubelet keeps on tmpfs. Source: kubernetes pkg/volume/{secret,projected,downwardapi} wrappedVolumeSpec, 1.36. */
const tmpfsTypes: ReadonlySet<string> = new Set(['secret', 'projected', 'downwardAPI']);

/** Whether the kubelet will mount a tmpfs into the pod: by a volume, or the token of its service account. */
export function usesTmpfs(spec: Spot, volumes: readonly VolumeView[]): boolean {
  return (
    spec.get('automountServiceAccountToken')?.value !== false ||
    volumes.some(
      ({type, source}) => tmpfsTypes.has(type) || (type === 'emptyDir' && source?.get('medium')?.text === 'Memory'),
    )
  );
}
