import {chmodSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {rmdir} from 'node:fs/promises';
import {join, posix} from 'node:path';
import type {Mount} from '../native-free/cri.ts';
import type {NodeFacts} from './downward.ts';
import type {Pod, PodContainer} from './pod.ts';
import {hasOwnHosts, hostsFileOf} from './pod-hosts.ts';
import type {IdBlock} from './userns-allocator.ts';
import type {VolumeHost} from './volume-host.ts';

/** Below the folder of a pod. */
const FOLDER = 'files';

/** What is needed to write them. */
export interface PodFileParts {
  readonly podDir: string;
  readonly block: IdBlock | undefined;
  readonly host: Pick<VolumeHost, 'setOwners'>;
  readonly node: () => NodeFacts;
  /** A file of the node: /etc/hosts for pods on its network. */
  readonly readNodeFile: (path: string) => string | undefined;
}

/** Whether a pod gets files that the kubelet's part writes for it. */
export function needsPodFiles(pod: Pod): boolean {
  const {spec} = pod;
  return (
    hasOwnHosts(pod) || [...spec.initContainers, ...spec.containers].some(({hasTerminationFile}) => hasTerminationFile)
  );
}

/**
 * The files that the kubelet's part writes for a pod, as mounts of its containers: /etc/hosts where it has names of its own, and for each
 * start of a container that says where its last words go a new empty file there, which anyone may write.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go makeHostsMount, kuberuntime_container.go makeMounts, 1.36.
 */
export async function makePodFiles(
  pod: Pod,
  {podDir, block, host, node, readNodeFile}: PodFileParts,
): Promise<(container: PodContainer, attempt: number) => readonly Mount[]> {
  const folder = join(podDir, FOLDER);
  mkdirSync(folder, {recursive: true, mode: 0o711});
  const hosts = join(folder, 'etc-hosts');
  const mounts: Mount[] = [];
  if (hasOwnHosts(pod)) {
    writeFileSync(hosts, hostsFileOf(pod, node, readNodeFile('/etc/hosts')), {mode: 0o644});
    // The pod's root's own, so that it may add to it, as in Kubernetes.
    await host.setOwners(hosts, {
      uid: block?.hostId,
      gid: block?.hostId,
      fileBits: 0,
      folderBits: 0,
      onlyOnRootMismatch: false,
    });
    mounts.push({containerPath: '/etc/hosts', hostPath: hosts, readonly: false, propagation: 'PROPAGATION_PRIVATE'});
  }
  return (container, attempt) => {
    if (!container.hasTerminationFile) return mounts;
    const hostPath = join(folder, terminationName(container, attempt));
    writeFileSync(hostPath, '');
    // Apart, because the mode passes the umask.
    chmodSync(hostPath, 0o666);
    // As of the containers, that of the start before stays.
    rmSync(join(folder, terminationName(container, attempt - 2)), {force: true});
    const containerPath = posix.resolve('/', container.terminationMessagePath);
    return [...mounts, {containerPath, hostPath, readonly: false, propagation: 'PROPAGATION_PRIVATE'}];
  };
}

/** Whether a mount of a container is where its last words go. */
export function isTerminationFile(hostPath: string): boolean {
  return posix.basename(hostPath).startsWith('termination-') && posix.basename(posix.dirname(hostPath)) === FOLDER;
}

/** Removes them. */
export async function removePodFiles(podDir: string, host: Pick<VolumeHost, 'removeTree'>): Promise<void> {
  await host.removeTree(join(podDir, FOLDER));
  // Still there: volumes, or the pod's userns file.
  await rmdir(podDir).catch(() => undefined);
}

/** Their mounts for a plan that is only shown. */
export function plannedPodFiles(pod: Pod, podDir: string, container: PodContainer): readonly Mount[] {
  const mount = (containerPath: string, name: string): Mount => ({
    containerPath,
    hostPath: join(podDir, FOLDER, name),
    readonly: false,
    propagation: 'PROPAGATION_PRIVATE',
  });
  return [
    ...(hasOwnHosts(pod) ? [mount('/etc/hosts', 'etc-hosts')] : []),
    ...(container.hasTerminationFile
      ? [mount(posix.resolve('/', container.terminationMessagePath), terminationName(container, 0))]
      : []),
  ];
}

function terminationName({name}: PodContainer, attempt: number): string {
  return `termination-${name}-${attempt}`;
}

/** Where they are, for those who look whether there are any. */
export function podFilesFolder(podDir: string): string {
  return join(podDir, FOLDER);
}
