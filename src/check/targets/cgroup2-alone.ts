/**
 * What crun says on a machine that has cgroup v1 and v2 with controllers in both. Source: crun src/libcrun/cgroup-utils.c
 * libcrun_get_cgroup_mode(), 1.8.
 */
const refusal = /cgroups in hybrid mode not supported/;

export function refusesHybrid(said: string): boolean {
  return refusal.test(said);
}

const script =
  'umount -R -l /sys/fs/cgroup && mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup && exec "$0" "$@"';

/** The same command in a mount namespace of its own in which cgroup v2 alone is mounted. */
export function withCgroup2Alone(argv: readonly string[]): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, ...argv];
}

export const cgroup2AloneNote =
  'this machine has cgroup v1 and v2 at once, which the runtime refuses; it was run where cgroup v2 alone is mounted';
