import {accessSync, constants, readdirSync, type Stats, statSync} from 'node:fs';
import {join} from 'node:path';
import {type CapabilitySet, noCapabilities, parseCapabilityMask} from '../../native-free/capability.ts';
import type {IdMap} from '../../native-free/id-map.ts';
import {readLink, readText} from './machine-files.ts';
import {readMap} from './machine-namespaces.ts';

/** What a process can tell of the container that it is in, without changing anything and without any right. */
export interface InsideView {
  /** Inodes of our namespaces by type; what may not be read is missing. */
  readonly namespaces: Readonly<Record<string, number>>;
  readonly uidMap: IdMap;
  readonly gidMap: IdMap;
  readonly uid: number;
  readonly effective: CapabilitySet;
  readonly bounding: CapabilitySet;
  /** 0 none, 1 strict, 2 a filter. */
  readonly seccomp: number;
  readonly noNewPrivs: boolean;
  /** Label of AppArmor, SELinux or the like; undefined: none. */
  readonly label: string | undefined;
  /** As whom a file of the kernel, which belongs to root of the host, is shown; undefined when it is not there. */
  readonly kernelFileOwner: number | undefined;
  readonly overflowUid: number;
  /** Files of the kernel that we could write, were we to try. */
  readonly writableKernelFiles: readonly string[];
  /** Sockets of container runtimes that are there, and whether we may connect. */
  readonly sockets: readonly {readonly path: string; readonly usable: boolean}[];
  /** Block devices of /dev that we may read. */
  readonly disks: readonly string[];
}

const namespaceTypes = ['user', 'pid', 'mnt', 'net', 'uts', 'ipc', 'cgroup', 'time'];
const kernelFiles = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sysrq-trigger',
  '/sys/kernel/uevent_helper',
];
const runtimeSockets = [
  '/run/docker.sock',
  '/var/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/podman/podman.sock',
  '/run/k3s/containerd/containerd.sock',
];

/** Looks at /proc, /sys and /dev as they are here. Never throws. */
export function viewFromInside(): InsideView {
  const status = readText('/proc/self/status') ?? '';
  const field = (name: string) => new RegExp(String.raw`^${name}:\s*(\S+)`, 'm').exec(status)?.[1];
  const mask = (name: string) => parseCapabilityMask(field(name) ?? '')?.capabilities ?? noCapabilities;
  const label = (readText('/proc/self/attr/current') ?? '').replace(/\0$/, '').trim();
  return {
    namespaces: Object.fromEntries(
      namespaceTypes.flatMap((type) => {
        const inode = /\[(\d+)\]/.exec(readLink(`/proc/self/ns/${type}`) ?? '')?.[1];
        return inode === undefined ? [] : [[type, Number(inode)]];
      }),
    ),
    uidMap: readMap('self', 'uid_map') ?? [],
    gidMap: readMap('self', 'gid_map') ?? [],
    uid: process.geteuid?.() ?? -1,
    effective: mask('CapEff'),
    bounding: mask('CapBnd'),
    seccomp: Number(field('Seccomp') ?? 0),
    noNewPrivs: field('NoNewPrivs') === '1',
    label: label === '' || label === 'unconfined' || label === 'kernel' ? undefined : label,
    kernelFileOwner: statOf('/proc/sys/kernel/core_pattern')?.uid,
    overflowUid: Number(readText('/proc/sys/kernel/overflowuid')?.trim() ?? 65_534),
    writableKernelFiles: kernelFiles.filter((path) => may(path, constants.W_OK)),
    sockets: socketsSeen(),
    disks: disks(),
  };
}

/** Undefined when it is not there, or behind a folder that we may not enter. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** /var/run is a link to /run on most machines: one socket is named once. */
function socketsSeen(): InsideView['sockets'] {
  const seen = new Set<string>();
  return runtimeSockets.flatMap((path) => {
    const stat = statOf(path);
    if (stat === undefined || !stat.isSocket() || seen.has(`${stat.dev}:${stat.ino}`)) return [];
    seen.add(`${stat.dev}:${stat.ino}`);
    return [{path, usable: may(path, constants.W_OK)}];
  });
}

function disks(): string[] {
  try {
    return readdirSync('/dev', {withFileTypes: true})
      .filter((entry) => entry.isBlockDevice() && may(join('/dev', entry.name), constants.R_OK))
      .map(({name}) => name)
      .sort();
  } catch {
    return [];
  }
}
