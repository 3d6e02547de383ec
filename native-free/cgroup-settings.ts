import type {LinuxContainerResources} from './cri.ts';
import {subrootError} from './errors.ts';

/** One write into a control group: which controller it needs, the file in its folder, and the text. */
export interface CgroupSetting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Left out where the kernel has no such file: swap is not counted everywhere. */
  readonly optional?: boolean;
}

const defaultPeriod = 100_000;

/** Whether a request asks for anything that a control group enforces; an OOM score is no such thing. */
export function asksForCgroup(resources: LinuxContainerResources | undefined): boolean {
  if (!resources) return false;
  const {oomScoreAdj: _, hugepageLimits = [], unified = {}, ...rest} = resources;
  return hugepageLimits.length > 0 || Object.keys(unified).length > 0 || Object.values(rest).some(Boolean);
}

/**
 * The writes that a request stands for, in the order in which the kernel takes them. Zero and empty fields mean "leave it".
 * Throws SUBROOT_CONFIG_INVALID for values that mean nothing.
 * Source: opencontainers/cgroups fs and fs2, 0.0.5; Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, 6.18.
 */
export function cgroupSettings(resources: LinuxContainerResources, version: 1 | 2): readonly CgroupSetting[] {
  requireNumbers(resources);
  return [
    ...(version === 1 ? settingsOfV1(resources) : settingsOfV2(resources)),
    ...hugepages(resources, version),
    ...unified(resources, version),
  ];
}

function settingsOfV1(resources: LinuxContainerResources): CgroupSetting[] {
  const {cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes: memory, memorySwapLimitInBytes: swap} = resources;
  return [
    ...one(cpuShares, 'cpu', 'cpu.shares'),
    ...one(cpuQuota ? (cpuPeriod ?? 0) || defaultPeriod : cpuPeriod, 'cpu', 'cpu.cfs_period_us'),
    ...one(cpuQuota, 'cpu', 'cpu.cfs_quota_us'),
    ...one(memory, 'memory', 'memory.limit_in_bytes'),
    ...one(swap, 'memory', 'memory.memsw.limit_in_bytes').map((setting) => ({...setting, optional: true})),
    ...cpuset(resources),
  ];
}

function settingsOfV2(resources: LinuxContainerResources): CgroupSetting[] {
  const {cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes: memory, memorySwapLimitInBytes: swap} = resources;
  const settings: CgroupSetting[] = [];
  if (cpuShares) settings.push({controller: 'cpu', file: 'cpu.weight', value: String(cpuWeightOf(cpuShares))});
  if (cpuQuota || cpuPeriod) {
    const quota = cpuQuota && cpuQuota > 0 ? String(cpuQuota) : 'max';
    settings.push({controller: 'cpu', file: 'cpu.max', value: `${quota} ${cpuPeriod || defaultPeriod}`});
  }
  if (memory) settings.push({controller: 'memory', file: 'memory.max', value: memory < 0 ? 'max' : String(memory)});
  if (swap) {
    // v1 counts memory and swap together, and that is what the field says.
    const value = swap < 0 ? 'max' : String(Math.max(0, swap - Math.max(0, memory ?? 0)));
    settings.push({controller: 'memory', file: 'memory.swap.max', value, optional: true});
  }
  return [...settings, ...cpuset(resources)];
}

/**
 * cpu.weight (1 to 10000) of cpu.shares (2 to 262144): 1024 shares are weight 100, the default of both.
 * Source: opencontainers/cgroups utils.go ConvertCPUSharesToCgroupV2Value, 0.0.5.
 */
export function cpuWeightOf(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

function cpuset({cpusetCpus, cpusetMems}: LinuxContainerResources): CgroupSetting[] {
  const list = (value: string | undefined, file: string): CgroupSetting[] => {
    if (!value) return [];
    if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(value)) throw bad(file.replace('.', '_'), `${value} is no list like 0-3,7`);
    return [{controller: 'cpuset', file, value}];
  };
  return [...list(cpusetCpus, 'cpuset.cpus'), ...list(cpusetMems, 'cpuset.mems')];
}

function hugepages({hugepageLimits = []}: LinuxContainerResources, version: 1 | 2): CgroupSetting[] {
  return hugepageLimits.map(({pageSize, limit}) => {
    if (!/^\d+[KMG]B$/.test(pageSize)) throw bad('hugepage_limits', `${pageSize} is no size like 2MB`);
    const file = `hugetlb.${pageSize}.${version === 1 ? 'limit_in_bytes' : 'max'}`;
    return {controller: 'hugetlb', file, value: String(limit)};
  });
}

/** The kernel's own file names, of v2; of v1 only the limit of processes has the same one. */
function unified({unified: files = {}}: LinuxContainerResources, version: 1 | 2): CgroupSetting[] {
  return Object.entries(files).map(([file, value]) => {
    const field = `unified[${file}]`;
    const controller = /^([a-z0-9]+)\.[A-Za-z0-9_.]+$/.exec(file)?.[1];
    if (controller === undefined || file.includes('..')) throw bad(field, 'it is no file name like memory.high');
    if (controller === 'cgroup') throw bad(field, 'files of the group itself are the runtime’s');
    if (version === 1 && file !== 'pids.max') throw bad(field, 'this machine has cgroup v1, which has no such file');
    return {controller, file, value};
  });
}

function one(value: number | undefined, controller: string, file: string): CgroupSetting[] {
  return value ? [{controller, file, value: String(value)}] : [];
}

const limits: readonly (readonly [field: keyof LinuxContainerResources & string, least: number, name: string])[] = [
  ['cpuPeriod', 0, 'cpu_period'],
  ['cpuQuota', -1, 'cpu_quota'],
  ['cpuShares', 0, 'cpu_shares'],
  ['memoryLimitInBytes', -1, 'memory_limit_in_bytes'],
  ['memorySwapLimitInBytes', -1, 'memory_swap_limit_in_bytes'],
  ['oomScoreAdj', -1000, 'oom_score_adj'],
];

function requireNumbers(resources: LinuxContainerResources): void {
  for (const [field, least, name] of limits) {
    const value = resources[field] ?? 0;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) throw bad(name, `${value} is none`);
  }
  const {oomScoreAdj = 0, memoryLimitInBytes: memory = 0, memorySwapLimitInBytes: swap = 0} = resources;
  if (oomScoreAdj > 1000) throw bad('oom_score_adj', `${oomScoreAdj} is above 1000`);
  if (swap > 0 && swap < memory)
    throw bad('memory_swap_limit_in_bytes', `${swap} is less than the limit of memory, which it contains (${memory})`);
}

function bad(field: string, why: string): Error {
  return subrootError('SUBROOT_CONFIG_INVALID', {field: `resources.${field}`, why});
}
