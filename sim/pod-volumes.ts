import {chmodSync, existsSync, mkdirSync} from 'node:fs';
import {rmdir} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {subrootError} from '../native-free/errors.ts';
import {writeAtomically} from './atomic-writer.ts';
import {expandReferences} from './expansion.ts';
import {checkHostPath, makeHostPath} from './host-path.ts';
import type {ApiVolume, EmptyDirVolume, HostPathVolume, Pod, PodContainer, VolumeMount} from './pod.ts';
import {startedContainers, wantsUserNamespace} from './pod.ts';
import {parseQuantity, quantityIn} from './quantity.ts';
import type {IdBlock} from './userns-allocator.ts';
import type {VolumeHost} from './volume-host.ts';
import type {PayloadFile, PayloadSources} from './volume-payload.ts';
import {payloadOf} from './volume-payload.ts';

/**
 * How files of a user's folder (hostPath) get the ids that Kubernetes shows, in a pod with a user namespace. `idmap`: the mount shifts
 * them, the disk stays as it is, and what cannot be shifted is refused. `chown`: the files are given to the pod's ids, for good.
 * `nobody`: neither; they belong to nobody in the pod, and the bits for others decide.
 */
export type VolumeIds = 'idmap' | 'chown' | 'nobody';

/** Where the source of a mount is, and how it is mounted. */
export interface MountSource {
  readonly hostPath: string;
  /** The mount shifts the ids; else the files belong to the pod already, or to nobody. */
  readonly shifted: boolean;
  readonly readOnly: boolean;
}

/** A volume, as far as it is decided before anything is made. */
type PlannedVolume =
  | {readonly volume: EmptyDirVolume; readonly path: string; readonly sizeBytes: bigint | undefined}
  | {readonly volume: ApiVolume; readonly path: string; readonly files: readonly PayloadFile[]}
  | {readonly volume: HostPathVolume; readonly path: string};

export interface VolumePlan {
  readonly podDir: string;
  readonly volumes: readonly PlannedVolume[];
  readonly volumeIds: VolumeIds;
  /** The pod has folders of its own: for volumes, or for the mount points of sub-paths. */
  readonly hasFolders: boolean;
}

const folderNames = {
  emptyDir: 'empty-dir',
  configMap: 'configmap',
  secret: 'secret',
  downwardAPI: 'downward-api',
  projected: 'projected',
} as const;

/** Folder of a volume inside the pod's folder, as the kubelet names it: `volumes/kubernetes.io~empty-dir/NAME`. */
export function volumePath(podDir: string, kind: keyof typeof folderNames, volume: string): string {
  return join(podDir, 'volumes', `kubernetes.io~${folderNames[kind]}`, volume);
}

/** Mount point of a sub-path, as the kubelet names it. Source: kubernetes pkg/volume/util/subpath/subpath_linux.go, 1.36. */
function subPathTarget(podDir: string, volume: string, container: string, index: number): string {
  return join(podDir, 'volume-subpaths', volume, container, String(index));
}

/**
 * What a pod's volumes will be; everything that can be wrong is found here, and nothing is made. Errors: SUBROOT_OBJECT_*,
 * SUBROOT_VOLUME_FILES, SUBROOT_VOLUME_HOST_PATH, SUBROOT_VOLUME_NO_IDMAP.
 */
export async function planVolumes(
  pod: Pod,
  podDir: string,
  options: {readonly sources: PayloadSources; readonly host: VolumeHost; readonly volumeIds: VolumeIds},
): Promise<VolumePlan> {
  const {sources, host, volumeIds} = options;
  const volumes: PlannedVolume[] = [];
  for (const volume of pod.spec.volumes) {
    switch (volume.kind) {
      case 'emptyDir': {
        const size = volume.sizeLimit === undefined ? undefined : parseQuantity(volume.sizeLimit);
        const sizeBytes = size === undefined || size === 0n ? undefined : quantityIn(size, 1_000_000_000n);
        volumes.push({volume, path: volumePath(podDir, volume.kind, volume.name), sizeBytes});
        break;
      }
      case 'hostPath':
        volumes.push({volume, path: volume.path});
        break;
      case 'other':
        throw subrootError('SUBROOT_INTERNAL', {what: `volume ${volume.name} is of type ${volume.type}`});
      default: {
        const files = payloadOf(pod, volume, sources);
        volumes.push({volume, path: volumePath(podDir, volume.kind, volume.name), files});
      }
    }
  }
  for (const {volume} of volumes) {
    if (volume.kind !== 'hostPath') continue;
    const asked = checkHostPath(volume);
    if (volumeIds !== 'idmap' || !wantsUserNamespace(pod)) continue;
    const why = await host.whyNotIdmapped(asked);
    if (why !== undefined) throw subrootError('SUBROOT_VOLUME_NO_IDMAP', {volume: volume.name, path: volume.path, why});
  }
  const hasSubPath = startedContainers(pod).some(({volumeMounts}) => volumeMounts.some(namesSubPath));
  const hasFolders = hasSubPath || volumes.some(({volume}) => volume.kind !== 'hostPath');
  return {podDir, volumes, volumeIds, hasFolders};
}

function namesSubPath({subPath, subPathExpr}: VolumeMount): boolean {
  return subPath !== undefined || subPathExpr !== undefined;
}

/** True when this call made the folder of the pod's volumes, false when it was there: then it is another start's. */
export function claimVolumes(podDir: string): boolean {
  mkdirSync(podDir, {recursive: true, mode: 0o700});
  try {
    mkdirSync(join(podDir, 'volumes'), 0o700);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

export interface MakeVolumesOptions {
  readonly host: VolumeHost;
  /** There exactly when the pod has hostUsers false. */
  readonly block: IdBlock | undefined;
  /** The variables of a container, for `subPathExpr`; asked only where there is one. */
  readonly environmentOf: (container: PodContainer) => ReadonlyMap<string, string>;
  /** Told how to take back what was made outside of the pod's folder. */
  readonly onMade: (what: string, undo: () => void) => void;
}

/** Where each mount of the pod's containers has its source; the mounts are those of the pod's own objects. */
export type MountSources = (mount: VolumeMount) => MountSource;

/**
 * Makes the pod's volumes and the mount points of its sub-paths. A volume that is there already (an earlier attempt of the pod) keeps its
 * files. Errors: SUBROOT_VOLUME_*, and those of the file system as they come.
 * Source: kubernetes pkg/volume/{emptydir,hostpath,configmap,secret,downwardapi,projected}, kubelet_pods.go makeMounts, 1.36.
 */
export async function makeVolumes(pod: Pod, plan: VolumePlan, options: MakeVolumesOptions): Promise<MountSources> {
  const made = new Map<string, MadeVolume>();
  for (const planned of plan.volumes) {
    const volume = await makeVolume(pod, planned, plan, options);
    made.set(planned.volume.name, volume);
  }
  const sources = new Map<VolumeMount, MountSource>();
  for (const container of startedContainers(pod)) {
    for (const [index, mount] of container.volumeMounts.entries()) {
      const volume = made.get(mount.name);
      if (!volume) throw subrootError('SUBROOT_INTERNAL', {what: `volume ${mount.name} was not made`});
      const hostPath = await sourcePath(pod, plan, container, index, mount, volume, options);
      sources.set(mount, {hostPath, shifted: volume.shifted, readOnly: mount.readOnly || volume.readOnly});
    }
  }
  return (mount) => {
    const source = sources.get(mount);
    if (!source) throw subrootError('SUBROOT_INTERNAL', {what: `mount ${mount.mountPath} was not made`});
    return source;
  };
}

/** Where the sources of mounts will be, for a plan that is only shown. `shiftsOwn`: the pod's own volumes will have shifted ids. */
export function plannedSources(pod: Pod, plan: VolumePlan, shiftsOwn: boolean): MountSources {
  const hasUserns = wantsUserNamespace(pod);
  return (mount) => {
    const planned = plan.volumes.find(({volume}) => volume.name === mount.name);
    const container = startedContainers(pod).find(({volumeMounts}) => volumeMounts.includes(mount));
    if (!planned || !container)
      throw subrootError('SUBROOT_INTERNAL', {what: `mount ${mount.mountPath} is not planned`});
    const {path, volume} = planned;
    return {
      hostPath: namesSubPath(mount)
        ? subPathTarget(plan.podDir, mount.name, container.name, container.volumeMounts.indexOf(mount))
        : path,
      shifted: hasUserns && (volume.kind === 'hostPath' ? plan.volumeIds === 'idmap' : shiftsOwn),
      readOnly: mount.readOnly || 'files' in planned,
    };
  };
}

interface MadeVolume {
  readonly path: string;
  readonly shifted: boolean;
  readonly readOnly: boolean;
  /** Who owns what is made in it later, as ids of the node; undefined: whoever makes it. */
  readonly owner: {readonly uid: number; readonly gid: number} | undefined;
}

async function makeVolume(
  pod: Pod,
  planned: PlannedVolume,
  plan: VolumePlan,
  options: MakeVolumesOptions,
): Promise<MadeVolume> {
  const {volume, path} = planned;
  if (volume.kind === 'hostPath') return await makeHostVolume(volume, plan, options);
  const {block, host} = options;
  const isNew = !existsSync(path);
  if (isNew) {
    mkdirSync(path, {recursive: true, mode: 0o700});
    // Apart, because mkdir's mode passes the umask.
    chmodSync(path, 0o777);
  }
  const isMemory = volume.kind === 'emptyDir' && volume.medium === 'Memory';
  const isMounted = isMemory && (await host.mountMemory(path, 'sizeBytes' in planned ? planned.sizeBytes : undefined));
  const isFresh = isMemory ? isMounted : isNew;
  if ('files' in planned && isFresh) writeAtomically(path, planned.files);
  const shifted = block !== undefined && (await host.whyNotIdmapped(path)) === undefined;
  // Without shifted ids the files are given to the pod's own: these are ours to give.
  const first = block && !shifted ? block.hostId : 0;
  const {fsGroup} = pod.spec.securityContext;
  const owner = {uid: first, gid: first + (fsGroup ?? 0)};
  const given = block && !shifted && isFresh;
  const readOnly = 'files' in planned;
  if (given || fsGroup !== undefined) {
    const bits = readOnly ? {fileBits: 0o440, folderBits: 0o2550} : {fileBits: 0o660, folderBits: 0o2770};
    await host.setOwners(path, {
      // What a container has made since keeps its owner; the group is the pod's.
      uid: given ? owner.uid : undefined,
      gid: owner.gid,
      ...(fsGroup === undefined ? {fileBits: 0, folderBits: 0} : bits),
      onlyOnRootMismatch: !isFresh && pod.spec.securityContext.fsGroupChangePolicy === 'OnRootMismatch',
    });
  }
  return {path, shifted, readOnly, owner: block && !shifted ? owner : undefined};
}

async function makeHostVolume(
  volume: HostPathVolume,
  plan: VolumePlan,
  {block, host, onMade}: MakeVolumesOptions,
): Promise<MadeVolume> {
  const undo = makeHostPath(volume);
  if (undo) onMade(`hostPath ${volume.path}`, undo);
  const made = {path: volume.path, readOnly: false};
  if (!block) return {...made, shifted: false, owner: undefined};
  if (plan.volumeIds === 'idmap') return {...made, shifted: true, owner: undefined};
  if (plan.volumeIds === 'nobody') return {...made, shifted: false, owner: undefined};
  await host.shiftOwners(volume.name, volume.path, block);
  return {...made, shifted: false, owner: {uid: block.hostId, gid: block.hostId}};
}

async function sourcePath(
  pod: Pod,
  plan: VolumePlan,
  container: PodContainer,
  index: number,
  mount: VolumeMount,
  volume: MadeVolume,
  {host, environmentOf}: MakeVolumesOptions,
): Promise<string> {
  const subPath = expandedSubPath(pod, container, mount, environmentOf);
  if (subPath === undefined) return volume.path;
  const target = subPathTarget(plan.podDir, mount.name, container.name, index);
  mkdirSync(dirname(target), {recursive: true, mode: 0o700});
  return await host.openSubPath({volume: mount.name, root: volume.path, subPath, target, owner: volume.owner});
}

/** The sub-path of a mount with its variables, checked; undefined for the whole volume. Errors: SUBROOT_VOLUME_SUB_PATH. */
function expandedSubPath(
  pod: Pod,
  container: PodContainer,
  mount: VolumeMount,
  environmentOf: MakeVolumesOptions['environmentOf'],
): string | undefined {
  const refuse = (subPath: string, why: string) =>
    subrootError('SUBROOT_VOLUME_SUB_PATH', {volume: mount.name, subPath, why});
  let subPath = mount.subPath ?? '';
  if (mount.subPathExpr !== undefined) {
    const expression = mount.subPathExpr;
    const environment = environmentOf(container);
    subPath = expandReferences(expression, (name) => {
      const value = environment.get(name);
      if (value === undefined)
        throw refuse(
          expression,
          `asks for the variable ${name}, which container ${container.name} of pod ${pod.metadata.name} does not have`,
        );
      return value;
    });
  }
  if (subPath === '') return undefined;
  if (subPath.startsWith('/')) throw refuse(subPath, 'is not relative');
  if (subPath.split('/').includes('..')) throw refuse(subPath, 'contains ".."');
  if (subPath.includes('\0')) throw refuse(subPath, 'holds a NUL byte');
  return subPath;
}

/** Removes the pod's volumes and mount points, and its own folder when that leaves it empty. What they were mounted from stays. */
export async function removeVolumes(podDir: string, host: Pick<VolumeHost, 'removeTree'>): Promise<void> {
  for (const name of ['volume-subpaths', 'volumes']) {
    if (existsSync(join(podDir, name))) await host.removeTree(join(podDir, name));
  }
  // Still there: the pod's userns file. The ledger removes the folder with it.
  await rmdir(podDir).catch(() => undefined);
}
