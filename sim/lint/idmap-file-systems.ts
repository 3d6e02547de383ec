import {isSince, type Version} from './node-versions.ts';

/** Since which kernel mounts of a file system can have shifted ids; `never` so far; `unknown`: it depends on what is behind it. */
export interface IdmapSupport {
  readonly fileSystem: string;
  readonly since: readonly [number, number] | 'never' | 'unknown';
  /** What has to be so beside the kernel. */
  readonly only?: string;
}

/**
 * By file system. Source: FS_ALLOW_IDMAP in fs/, mount_setattr(2), and mount_setattr tried on 6.18; the releases are those in which each
 * file system got the flag.
 */
export const idmapSupport = {
  ext4: {fileSystem: 'ext4', since: [5, 12]},
  xfs: {fileSystem: 'xfs', since: [5, 12]},
  vfat: {fileSystem: 'FAT', since: [5, 12]},
  btrfs: {fileSystem: 'btrfs', since: [5, 15]},
  ntfs3: {fileSystem: 'ntfs3', since: [5, 15]},
  f2fs: {fileSystem: 'f2fs', since: [5, 18]},
  erofs: {fileSystem: 'erofs', since: [5, 19]},
  squashfs: {fileSystem: 'squashfs', since: [6, 2]},
  tmpfs: {fileSystem: 'tmpfs', since: [6, 3]},
  ceph: {
    fileSystem: 'CephFS (kernel client)',
    since: [6, 7],
    only: 'the metadata server must know HAS_OWNER_UIDGID, else creating a file fails with EIO',
  },
  hugetlbfs: {fileSystem: 'hugetlbfs', since: [6, 9]},
  fuse: {
    fileSystem: 'FUSE',
    since: [6, 12],
    only: 'the FUSE daemon must ask for it and use default_permissions',
  },
  nfs: {fileSystem: 'NFS', since: 'never'},
  cifs: {fileSystem: 'SMB', since: 'never'},
  overlay: {fileSystem: 'overlay (as a volume)', since: 'never'},
  lustre: {fileSystem: 'Lustre', since: 'unknown'},
  unknown: {fileSystem: 'an unknown file system', since: 'unknown'},
} as const satisfies Record<string, IdmapSupport>;

export type FileSystemName = keyof typeof idmapSupport;

/** Whether a kernel can: `false` when it cannot, `true` when it can, `undefined` when the kernel or the file system is not known. */
export function canIdmap(name: FileSystemName, kernel: Version | undefined): boolean | undefined {
  const {since}: IdmapSupport = idmapSupport[name];
  if (since === 'never') return false;
  if (since === 'unknown' || kernel === undefined) return undefined;
  return isSince(kernel, ...since);
}

/** The file system behind a volume type of the API, where the type says it. Those on the node's disk are `undefined`: they are the disk's. */
const byVolumeType: Readonly<Record<string, FileSystemName>> = {
  secret: 'tmpfs',
  projected: 'tmpfs',
  downwardAPI: 'tmpfs',
  nfs: 'nfs',
  azureFile: 'cifs',
  cephfs: 'ceph',
  glusterfs: 'fuse',
  quobyte: 'fuse',
  flexVolume: 'unknown',
  portworxVolume: 'unknown',
  storageos: 'unknown',
  scaleIO: 'unknown',
};

/** What well-known CSI drivers mount. Those that offer a choice are left out: they are not known. Source: each driver's documentation. */
const byDriver: Readonly<Record<string, FileSystemName>> = {
  'nfs.csi.k8s.io': 'nfs',
  'efs.csi.aws.com': 'nfs',
  'filestore.csi.storage.gke.io': 'nfs',
  'smb.csi.k8s.io': 'cifs',
  'fsx.csi.aws.com': 'lustre',
  'lustre.csi.storage.gke.io': 'lustre',
  's3.csi.aws.com': 'fuse',
  'gcsfuse.csi.storage.gke.io': 'fuse',
  'ebs.csi.aws.com': 'ext4',
  'pd.csi.storage.gke.io': 'ext4',
  'disk.csi.azure.com': 'ext4',
  'rbd.csi.ceph.com': 'ext4',
  'secrets-store.csi.k8s.io': 'tmpfs',
};

/** The file system of a volume type; undefined when it is the node's own disk or an attached one. */
export function fileSystemOfType(type: string): FileSystemName | undefined {
  return Object.hasOwn(byVolumeType, type) ? byVolumeType[type] : undefined;
}

/** The file system that a CSI driver mounts, by its name; Rook's names have a namespace in front. */
export function fileSystemOfDriver(driver: string): FileSystemName {
  if (Object.hasOwn(byDriver, driver)) return byDriver[driver] ?? 'unknown';
  if (driver.endsWith('cephfs.csi.ceph.com')) return 'ceph';
  if (driver.endsWith('rbd.csi.ceph.com')) return 'ext4';
  if (/(^|[.-])nfs([.-]|$)/.test(driver)) return 'nfs';
  return 'unknown';
}
