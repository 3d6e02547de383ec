import {dirname} from 'node:path';
import {asksForCgroup} from '../../native-free/cgroup-settings.ts';
import type {ContainerConfig, LinuxContainerResources} from '../../native-free/cri.ts';
import {sharesOf} from './node-namespaces.ts';
import type {ContainerRecord, SandboxRecord} from './state-store.ts';

/*
 * Control groups of containers that ask for some; for the others nothing more than this file is loaded.
 */

/** What of a container's resources can be enforced here; undefined when it asks for nothing but an OOM score. Errors: SUBROOT_CGROUP_MISSING. */
export async function enforceableOf(
  {linux, metadata}: ContainerConfig,
  requireLimits: boolean,
): Promise<LinuxContainerResources | undefined> {
  const resources = linux?.resources;
  if (!resources || !asksForCgroup(resources)) return undefined;
  const {enforceable, requireControllers} = await import('./container-cgroup.ts');
  if (requireLimits) requireControllers(resources, metadata.name);
  return enforceable(resources);
}

/** The folders of a container's groups: of one with limits, and of one that no pid namespace of its pod's would end. */
export async function cgroupsOf(
  id: string,
  {id: sandboxId, config}: SandboxRecord,
  resources: LinuxContainerResources | undefined,
): Promise<string[] | undefined> {
  if (!asksForCgroup(resources) && !sharesOf(config).pid) return undefined;
  const {cgroupFolders} = await import('../host/cgroups.ts');
  const parent = config.linux?.cgroupParent ?? '';
  const folders = cgroupFolders(parent === '' ? [sandboxId, id] : [id], parent);
  return folders.length === 0 ? undefined : folders;
}

/** Makes a container's groups before it starts. `trace` gets the paths that whoever finds us dead is to remove. Errors: SUBROOT_CGROUP_FAILED. */
export async function makeCgroups(
  {cgroups, resources = {}}: ContainerRecord,
  {config}: SandboxRecord,
  trace: (paths: readonly string[]) => void,
): Promise<void> {
  if (!cgroups) return;
  const isOurs = !config.linux?.cgroupParent;
  const {makeContainerCgroup} = await import('./container-cgroup.ts');
  const above = isOurs ? cgroups.flatMap((folder) => [dirname(folder), dirname(dirname(folder))]) : [];
  trace(traces([...cgroups, ...above]));
  makeContainerCgroup(cgroups, resources, isOurs ? config.linux?.resources : undefined);
}

/** Ends a container's groups, with what is left in them. */
export async function endCgroups(
  {cgroups}: ContainerRecord,
  sandbox: SandboxRecord | undefined,
  untrace: (paths: readonly string[]) => void,
): Promise<void> {
  if (!cgroups) return;
  const {endContainerCgroup} = await import('./container-cgroup.ts');
  // The pod's folder, and that of all pods.
  await endContainerCgroup(cgroups, sandbox?.config.linux?.cgroupParent ? 0 : 2);
  untrace(traces(cgroups));
}

/** With a slash at its end only an empty folder is removed, and a group that is in use stays. */
function traces(folders: readonly string[]): string[] {
  return folders.map((folder) => `${folder}/`);
}
