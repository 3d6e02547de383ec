import {
  allCapabilities,
  type CapabilitySet,
  defaultCapabilities,
  parseCapabilityMask,
} from '../../../native-free/capability.ts';
import type {IdMapping} from '../../../native-free/id-map.ts';
import {exists, readText} from '../../host/machine-files.ts';
import type {PodRequest} from '../target.ts';
import {userlandMounts} from './pod-root.ts';

/** Paths that OCI runtimes hide by default. Source: containerd oci/spec.go, 2.0. */
export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
/** Paths that they make read-only. */
export const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The mappings of a pod, as the configuration has them. */
export interface OciMaps {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
  readonly uidMappings?: readonly object[];
  readonly gidMappings?: readonly object[];
}

const spelled = (map: readonly IdMapping[]) =>
  map.map(({containerId, hostId, size}) => ({containerID: containerId, hostID: hostId, size}));

/** What a root without a user namespace can have at most here: our own bounding set. */
function ownCapabilities(): CapabilitySet {
  const mask = /^CapBnd:\s*(\S+)/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '';
  return parseCapabilityMask(mask)?.capabilities ?? defaultCapabilities;
}

const mount = (destination: string, type: string, ...options: string[]): OciMount => ({
  destination,
  type,
  source: type,
  options,
});

function bind(wanted: NonNullable<PodRequest['mounts']>[number], maps: OciMaps | undefined): OciMount {
  const shifted = wanted.idmapped === true && maps !== undefined;
  return {
    destination: wanted.containerPath,
    type: 'bind',
    source: wanted.hostPath,
    options: ['bind', wanted.readonly === true ? 'ro' : 'rw', ...(shifted ? ['idmap'] : [])],
    // The map of the pod: id 0 inside is id 0 on the disk. Source: config.md of the runtime specification, 1.2.
    ...(shifted ? {uidMappings: spelled(maps.uids), gidMappings: spelled(maps.gids)} : {}),
  };
}

/**
 * The config.json of a container as an engine would ask for it: all namespaces, the usual mounts and masks, `sleep` as its program.
 * Without `maps` it has no user namespace.
 */
export function ociConfig(parts: {
  readonly rootfs: string;
  readonly id: string;
  readonly request: PodRequest;
  readonly maps: OciMaps | undefined;
}): Readonly<Record<string, unknown>> {
  const {request, maps} = parts;
  const all = maps === undefined ? ownCapabilities() : allCapabilities;
  const capabilities = [...(request.capabilities === 'all' ? all : defaultCapabilities)];
  const hasCgroupNamespace = exists('/proc/self/ns/cgroup');
  const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount', ...(hasCgroupNamespace ? ['cgroup'] : [])];
  return {
    ociVersion: '1.0.2',
    process: {
      args: ['sleep', 'infinity'],
      cwd: '/',
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      user: {uid: 0, gid: 0},
      noNewPrivileges: false,
      capabilities: {bounding: capabilities, effective: capabilities, permitted: capabilities},
    },
    root: {path: parts.rootfs, readonly: false},
    hostname: 'subroot-check',
    mounts: [
      mount('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
      mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
      mount('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
      mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
      mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
      mount('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
      ...userlandMounts().map(({hostPath, containerPath}) => ({
        destination: containerPath,
        type: 'bind',
        source: hostPath,
        options: ['rbind', 'ro', 'nodev'],
      })),
      ...(request.mounts ?? []).map((wanted) => bind(wanted, maps)),
    ],
    linux: {
      cgroupsPath: `/${parts.id}`,
      namespaces: [...namespaces, ...(maps === undefined ? [] : ['user'])].map((type) => ({type})),
      ...(maps === undefined ? {} : {uidMappings: spelled(maps.uids), gidMappings: spelled(maps.gids)}),
      maskedPaths,
      readonlyPaths,
    },
  };
}
