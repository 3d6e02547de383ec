import type {MountFact} from './facts.ts';

/**
 * Folders of proc and sysfs that are empty for good and made to be mounted on; a mount there hides nothing. Source: proc_create_mount_point()
 * and sysfs_create_mount_point() of the kernel, 6.18.
 */
const madeToMountOn: Readonly<Record<'proc' | 'sysfs', ReadonlySet<string>>> = {
  proc: new Set(['/fs/nfsd', '/openprom', '/sys/fs/binfmt_misc']),
  sysfs: new Set([
    '/firmware/efi/efivars',
    '/fs/bpf',
    '/fs/cgroup',
    '/fs/fuse/connections',
    '/fs/pstore',
    '/fs/resctrl',
    '/fs/selinux',
    '/fs/smackfs',
    '/kernel/config',
    '/kernel/debug',
    '/kernel/security',
    '/kernel/tracing',
  ]),
};

/** Whether a user namespace may mount such a file system anew, and what is in the way. */
export interface Visibility {
  readonly visible: boolean;
  /** Where something is mounted over the instance that comes nearest; empty when there is none at all. */
  readonly covered: readonly string[];
}

/**
 * A new proc or sysfs of a user namespace needs an old one in the mount namespace, whole, over which nothing is mounted but on folders made
 * for it. Source: fs/namespace.c mnt_already_visible(), 6.18; every mount is locked in the mount namespace of a new user namespace.
 */
export function visibilityOf(mounts: readonly MountFact[], type: 'proc' | 'sysfs'): Visibility {
  const instances = mounts.filter((mount) => mount.type === type && mount.root === '/');
  const covers = instances.map(({id, point}) =>
    mounts
      .filter((mount) => mount.parent === id && mount.id !== id)
      .map((mount) => mount.point)
      .filter((cover) => !madeToMountOn[type].has(cover.slice(point === '/' ? 0 : point.length))),
  );
  const [fewest = []] = covers.toSorted((a, b) => a.length - b.length);
  return {visible: covers.some((each) => each.length === 0), covered: fewest};
}
