import test from 'ava';
import fc from 'fast-check';
import {asksForCgroup, cgroupSettings, cpuWeightOf} from '../../native-free/cgroup-settings.ts';
import type {LinuxContainerResources} from '../../native-free/cri.ts';
import {SubrootError} from '../../native-free/errors.ts';

const written = (resources: LinuxContainerResources, version: 1 | 2) =>
  cgroupSettings(resources, version).map(({controller, file, value}) => `${controller}: ${file} = ${value}`);

test('a request is the files of v1 and those of v2', (t) => {
  const resources: LinuxContainerResources = {
    cpuShares: 512,
    cpuQuota: 50_000,
    memoryLimitInBytes: 1000,
    memorySwapLimitInBytes: 1500,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{pageSize: '2MB', limit: 4096}],
    unified: {'pids.max': '7'},
    oomScoreAdj: 5,
  };
  t.deepEqual(written(resources, 1), [
    'cpu: cpu.shares = 512',
    'cpu: cpu.cfs_period_us = 100000',
    'cpu: cpu.cfs_quota_us = 50000',
    'memory: memory.limit_in_bytes = 1000',
    'memory: memory.memsw.limit_in_bytes = 1500',
    'cpuset: cpuset.cpus = 0-1',
    'cpuset: cpuset.mems = 0',
    'hugetlb: hugetlb.2MB.limit_in_bytes = 4096',
    'pids: pids.max = 7',
  ]);
  t.deepEqual(written(resources, 2), [
    'cpu: cpu.weight = 59',
    'cpu: cpu.max = 50000 100000',
    'memory: memory.max = 1000',
    'memory: memory.swap.max = 500',
    'cpuset: cpuset.cpus = 0-1',
    'cpuset: cpuset.mems = 0',
    'hugetlb: hugetlb.2MB.max = 4096',
    'pids: pids.max = 7',
  ]);
  t.deepEqual(written({cpuQuota: -1, memoryLimitInBytes: -1}, 2), [
    'cpu: cpu.max = max 100000',
    'memory: memory.max = max',
  ]);
  t.deepEqual(written({unified: {'memory.high': '9', 'io.max': '8:0 rbps=1'}}, 2), [
    'memory: memory.high = 9',
    'io: io.max = 8:0 rbps=1',
  ]);
});

test('zero and empty fields ask for nothing, and an OOM score needs no group', (t) => {
  const nothing: LinuxContainerResources = {
    cpuShares: 0,
    cpuQuota: 0,
    cpuPeriod: 0,
    memoryLimitInBytes: 0,
    cpusetCpus: '',
    hugepageLimits: [],
    unified: {},
    oomScoreAdj: 1000,
  };
  t.false(asksForCgroup(nothing));
  t.false(asksForCgroup(undefined));
  for (const version of [1, 2] as const) t.deepEqual(written(nothing, version), []);
  for (const some of [{cpuShares: 2}, {unified: {'pids.max': '1'}}, {hugepageLimits: [{pageSize: '2MB', limit: 0}]}])
    t.true(asksForCgroup(some));
});

test('shares are weights that keep the order, 1024 is 100, and the ends are the ends', (t) => {
  t.deepEqual([2, 1024, 262_144].map(cpuWeightOf), [1, 100, 10_000]);
  fc.assert(
    fc.property(fc.integer({min: 2, max: 262_144}), fc.integer({min: 2, max: 262_144}), (a, b) => {
      const [low, high] = [cpuWeightOf(Math.min(a, b)), cpuWeightOf(Math.max(a, b))];
      if (!(low >= 1 && high <= 10_000 && low <= high)) throw new Error(`${a} ${b}: ${low} ${high}`);
    }),
  );
});

const refusals: readonly (readonly [LinuxContainerResources, 1 | 2, RegExp])[] = [
  [{cpuQuota: -2}, 2, /resources\.cpu_quota: -2 is none/],
  [{memoryLimitInBytes: 1.5}, 2, /resources\.memory_limit_in_bytes: 1\.5 is none/],
  [{oomScoreAdj: -1001}, 2, /oom_score_adj: -1001 is none/],
  [{cpusetCpus: 'all'}, 2, /cpuset_cpus: all is no list like 0-3,7/],
  [{hugepageLimits: [{pageSize: '2Mi', limit: 1}]}, 2, /hugepage_limits: 2Mi is no size like 2MB/],
  [{unified: {'memory.high': '1'}}, 1, /unified\[memory\.high\]: this machine has cgroup v1/],
  [{unified: {'memory/../x': '1'}}, 2, /it is no file name like memory\.high/],
  [{unified: {'memory..x': '1'}}, 2, /it is no file name/],
  [{unified: {'cgroup.kill': '1'}}, 2, /files of the group itself/],
];

for (const [resources, version, message] of refusals) {
  test(`${JSON.stringify(resources)} cannot be meant on v${version}`, (t) => {
    t.throws(() => cgroupSettings(resources, version), {
      instanceOf: SubrootError,
      code: 'SUBROOT_CONFIG_INVALID',
      message,
    });
  });
}

test('no request writes anywhere but in files of a group', (t) => {
  const anything = fc.record(
    {
      cpuShares: fc.integer(),
      cpuQuota: fc.integer(),
      memoryLimitInBytes: fc.integer(),
      cpusetCpus: fc.string(),
      cpusetMems: fc.string(),
      hugepageLimits: fc.array(fc.record({pageSize: fc.string(), limit: fc.nat()})),
      unified: fc.dictionary(fc.oneof(fc.string(), fc.stringMatching(/^[a-z./]{1,12}$/)), fc.string()),
    },
    {requiredKeys: []},
  );
  fc.assert(
    fc.property(anything, fc.constantFrom(1 as const, 2 as const), (resources, version) => {
      try {
        for (const {file} of cgroupSettings(resources, version))
          if (!/^[a-z0-9]+\.[A-Za-z0-9_.]+$/.test(file) || file.includes('..')) throw new Error(file);
      } catch (error) {
        if (!(error instanceof SubrootError)) throw error;
      }
    }),
    {numRuns: 1000},
  );
  t.pass();
});
