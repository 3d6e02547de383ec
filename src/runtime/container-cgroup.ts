import {dirname} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {asksForCgroup, type CgroupSetting, cgroupSettings} from '../../native-free/cgroup-settings.ts';
import type {ContainerState, LinuxContainerResources} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {
  cgroupHost,
  killCgroup,
  makeCgroup,
  processesOf,
  removeCgroup,
  removeIfEmpty,
  writeSettings,
} from '../host/cgroups.ts';
import {oomScoreOf, writeOomScore} from '../host/oom-score.ts';
import type {ContainerRecord} from './state-store.ts';

/** Limits that cannot be enforced here, and why. */
export interface MissingController {
  readonly controller: string;
  readonly why: string;
}

/** The settings of a request for this machine. Throws SUBROOT_CONFIG_INVALID for what cannot be meant. */
export function settingsOf(resources: LinuxContainerResources): readonly CgroupSetting[] {
  return cgroupSettings(resources, cgroupHost().version);
}

/** What of a request nothing would enforce here; empty when all can be. */
export function missingControllers(resources: LinuxContainerResources | undefined): readonly MissingController[] {
  if (!resources || !asksForCgroup(resources)) return [];
  const asked = new Set(settingsOf(resources).map(({controller}) => controller));
  return [...asked].flatMap((controller) => {
    const {missing, bases} = cgroupHost();
    if (bases.some(({controllers}) => controllers.includes(controller))) return [];
    return [{controller, why: missing[controller] ?? 'no hierarchy of control groups with this controller is mounted'}];
  });
}

/** Throws SUBROOT_CGROUP_MISSING unless everything that a request asks for can be enforced. */
export function requireControllers(resources: LinuxContainerResources | undefined, container: string): void {
  const missing = missingControllers(resources);
  const [first] = missing;
  if (!first) return;
  const controllers = missing.map(({controller}) => controller).join(', ');
  throw subrootError('SUBROOT_CGROUP_MISSING', {container, controllers, why: first.why});
}

/** A request with another laid over it: zero and empty fields leave what is there. */
export function mergeResources(
  before: LinuxContainerResources,
  update: LinuxContainerResources,
): LinuxContainerResources {
  const {hugepageLimits = [], unified, ...rest} = update;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => Boolean(value)));
  const sizes = new Set(hugepageLimits.map(({pageSize}) => pageSize));
  const pages = [...(before.hugepageLimits ?? []).filter(({pageSize}) => !sizes.has(pageSize)), ...hugepageLimits];
  return {
    ...before,
    ...given,
    ...(pages.length > 0 ? {hugepageLimits: pages} : {}),
    ...(before.unified || unified ? {unified: {...before.unified, ...unified}} : {}),
  };
}

const fieldsOf: Readonly<Record<string, readonly (keyof LinuxContainerResources)[]>> = {
  cpu: ['cpuPeriod', 'cpuQuota', 'cpuShares'],
  memory: ['memoryLimitInBytes', 'memorySwapLimitInBytes'],
  cpuset: ['cpusetCpus', 'cpusetMems'],
  hugetlb: ['hugepageLimits'],
};

/** What of a request is enforced here. */
export function enforceable(resources: LinuxContainerResources): LinuxContainerResources {
  const missing = missingControllers(resources).map(({controller}) => controller);
  const dropped = missing.flatMap((controller) => fieldsOf[controller] ?? []);
  const files = Object.entries(resources.unified ?? {}).filter(([file]) => !missing.includes(file.split('.')[0] ?? ''));
  const {unified: _, ...rest} = Object.fromEntries(
    Object.entries(resources).filter(([field]) => !dropped.includes(field as keyof LinuxContainerResources)),
  ) as LinuxContainerResources;
  return files.length > 0 ? {...rest, unified: Object.fromEntries(files)} : rest;
}

/**
 * Makes the groups of a container and, above them, of its pod. The pod's has the weight of the pod among others; limits are the containers' own, since
 * the sum of them would bind nothing. Throws SUBROOT_CGROUP_FAILED, and nothing is left.
 */
export function makeContainerCgroup(
  folders: readonly string[],
  resources: LinuxContainerResources,
  pod: LinuxContainerResources | undefined,
): void {
  if (pod?.cpuShares) makeCgroup(folders.map(dirname), settingsOf({cpuShares: pod.cpuShares}));
  makeCgroup(folders, settingsOf(resources));
}

/**
 * Ends the groups of a container whose program has ended: whatever is still in them was its, on the node's pid namespace where no kernel ends it.
 * `depth` is how many folders above them are ours too, and go when they are empty.
 */
export async function endContainerCgroup(folders: readonly string[], depth: number): Promise<void> {
  if (processesOf(folders).length > 0) killCgroup(folders);
  for (let round = 0; round < 200; round += 1) {
    const left = processesOf(folders);
    if (left.length === 0) break;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await sleep(2);
  }
  await removeCgroup(folders);
  let above = folders;
  for (let level = 0; level < depth; level += 1) {
    above = above.map(dirname);
    removeIfEmpty(above);
  }
}

/**
 * A container's record with an update of its resources, which are applied where it runs: all of them or none. Undefined for one that has ended.
 * `foldersFor` names the groups of one that has none yet.
 * Errors: SUBROOT_CONFIG_INVALID, SUBROOT_CGROUP_*.
 */
export async function updateResources(
  record: ContainerRecord,
  state: ContainerState,
  linux: LinuxContainerResources,
  foldersFor: (resources: LinuxContainerResources) => Promise<string[] | undefined>,
): Promise<ContainerRecord | undefined> {
  const resources = mergeResources(record.resources ?? {}, linux);
  const settings = settingsOf(resources);
  if (state === 'CONTAINER_EXITED') return undefined;
  requireControllers(linux, record.config.metadata.name);
  if (state === 'CONTAINER_CREATED') {
    const cgroups = record.cgroups ?? (await foldersFor(resources));
    return {...record, resources, ...(cgroups ? {cgroups} : {})};
  }
  if (asksForCgroup(linux)) {
    if (!record.cgroups) {
      const why =
        'the container was started without limits and has no control group of its own; give it some when it is made';
      throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'linux', why});
    }
    writeSettings(record.cgroups, settings);
  }
  if (linux.oomScoreAdj && record.init) writeOomScore(record.init.pid, oomScoreOf(linux.oomScoreAdj));
  return {...record, resources};
}
