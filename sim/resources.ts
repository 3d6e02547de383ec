import type {HugepageLimit, LinuxContainerResources} from '../native-free/cri.ts';
import type {Pod, PodContainer} from './pod.ts';
import {startedContainers} from './pod.ts';
import {parseQuantity, quantityIn} from './quantity.ts';

/** What of the node the kubelet needs for resources; asked only for pods that have some. */
export interface NodeResources {
  /** Bytes of memory. */
  readonly memoryCapacity: number;
  readonly cgroupVersion: 1 | 2;
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const nano = 1_000_000_000n;
const milli = 1_000_000n;

/** A resource of a container in whole units (`unit` is in billionths); a request that is not made is its limit. Undefined when it has none. */
function amountOf(
  {resources}: PodContainer,
  list: 'limits' | 'requests',
  name: string,
  unit: bigint,
): number | undefined {
  const text = resources[list][name] ?? (list === 'requests' ? resources.limits[name] : undefined);
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity === undefined ? undefined : Number(quantityIn(quantity, unit));
}

const cpu = (container: PodContainer, list: 'limits' | 'requests') => amountOf(container, list, 'cpu', milli);
const memory = (container: PodContainer, list: 'limits' | 'requests') => amountOf(container, list, 'memory', nano);

/** Whether any container of a pod asks for something that a control group gives. */
export function hasResources(pod: Pod): boolean {
  const isOfGroups = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
  return startedContainers(pod).some(({resources: {limits, requests}}) =>
    [...Object.keys(limits), ...Object.keys(requests)].some(isOfGroups),
  );
}

/** Source: kubernetes pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS, 1.36. */
export function qosClassOf(pod: Pod): QosClass {
  const containers = startedContainers(pod);
  const amounts = containers.flatMap((each) =>
    [cpu, memory].map((read) => ({request: read(each, 'requests') ?? 0, limit: read(each, 'limits') ?? 0})),
  );
  if (amounts.every(({request, limit}) => request === 0 && limit === 0)) return 'BestEffort';
  return amounts.every(({request, limit}) => limit > 0 && request === limit) ? 'Guaranteed' : 'Burstable';
}

/**
 * -997 of Guaranteed, 1000 of BestEffort; of Burstable the less the more of the node's memory the container asks for, 3 to 999.
 * Source: kubernetes pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust, 1.36.
 */
export function oomScoreAdjOf(pod: Pod, container: PodContainer, memoryCapacity: number): number {
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const score = 1000 - Math.floor((1000 * (memory(container, 'requests') ?? 0)) / memoryCapacity);
  return Math.min(999, Math.max(3, score));
}

/** Source: kubernetes pkg/kubelet/cm/helpers_linux.go MilliCPUToShares, MilliCPUToQuota, 1.36. */
function sharesOf(milliCpu: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milliCpu * 1024) / 1000)));
}

const period = 100_000;
function quotaOf(milliCpu: number): number {
  return Math.max(1000, Math.floor((milliCpu * period) / 1000));
}

/** `2MB` of `hugepages-2Mi`. Source: opencontainers/cgroups HugePageSizeUnitList. */
function hugepagesOf(containers: readonly PodContainer[]): HugepageLimit[] {
  const limits = new Map<string, number>();
  for (const container of containers) {
    for (const name of Object.keys(container.resources.limits)) {
      const size = /^hugepages-(.+)$/.exec(name)?.[1];
      const bytes = size === undefined ? undefined : parseQuantity(size);
      if (bytes === undefined) continue;
      const kib = Number(bytes / nano) / 1024;
      const [divisor, unit] = kib >= 1024 ** 2 ? [1024 ** 2, 'GB'] : kib >= 1024 ? [1024, 'MB'] : [1, 'KB'];
      const pageSize = `${kib / divisor}${unit}`;
      limits.set(pageSize, (limits.get(pageSize) ?? 0) + (amountOf(container, 'limits', name, nano) ?? 0));
    }
  }
  return [...limits].map(([pageSize, limit]) => ({pageSize, limit}));
}

/**
 * What CreateContainer is sent of resources. Of a pod that has none only the OOM score.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container_linux.go generateLinuxContainerResources, 1.36.
 */
export function containerResourcesOf(
  pod: Pod,
  container: PodContainer,
  node: () => NodeResources,
): LinuxContainerResources {
  if (!hasResources(pod)) return {oomScoreAdj: 1000};
  const {memoryCapacity, cgroupVersion} = node();
  const cpuLimit = cpu(container, 'limits') ?? 0;
  const memoryLimit = memory(container, 'limits') ?? 0;
  const hugepageLimits = hugepagesOf([container]);
  return {
    cpuShares: sharesOf(cpu(container, 'requests') ?? 0),
    ...(cpuLimit > 0 && {cpuPeriod: period, cpuQuota: quotaOf(cpuLimit)}),
    // NoSwap: memory and swap together are no more than memory.
    ...(memoryLimit > 0 && {memoryLimitInBytes: memoryLimit, memorySwapLimitInBytes: memoryLimit}),
    ...(hugepageLimits.length > 0 && {hugepageLimits}),
    // The whole container dies, not the largest of its processes.
    ...(cgroupVersion === 2 && {unified: {'memory.oom.group': '1'}}),
    oomScoreAdj: oomScoreAdjOf(pod, container, memoryCapacity),
  };
}

/** The larger of what runs together and each init container, which runs alone. */
function together(pod: Pod, read: (container: PodContainer) => number | undefined): number {
  const sum = pod.spec.containers.reduce((total, each) => total + (read(each) ?? 0), 0);
  return Math.max(sum, ...pod.spec.initContainers.map((each) => read(each) ?? 0));
}

/**
 * The limits of all containers of a pod together; undefined when it has none. A limit counts only where every container has one.
 * Source: kubernetes pkg/kubelet/cm/helpers_linux.go ResourceConfigForPod, 1.36.
 */
export function podResourcesOf(pod: Pod): LinuxContainerResources | undefined {
  if (!hasResources(pod)) return undefined;
  const containers = startedContainers(pod);
  const isLimited = (read: (container: PodContainer) => number | undefined) =>
    containers.every((each) => (read(each) ?? 0) > 0);
  const cpuLimit = (each: PodContainer) => cpu(each, 'limits');
  const memoryLimit = (each: PodContainer) => memory(each, 'limits');
  const hugepageLimits = hugepagesOf(containers);
  return {
    cpuShares: sharesOf(together(pod, (each) => cpu(each, 'requests'))),
    ...(isLimited(cpuLimit) && {cpuPeriod: period, cpuQuota: quotaOf(together(pod, cpuLimit))}),
    ...(isLimited(memoryLimit) && {memoryLimitInBytes: together(pod, memoryLimit)}),
    ...(hugepageLimits.length > 0 && {hugepageLimits}),
  };
}
