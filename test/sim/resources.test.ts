import test from 'ava';
import {
  containerConfigOf,
  containerResourcesOf,
  hasResources,
  oomScoreAdjOf,
  type Pod,
  parseManifests,
  podResourcesOf,
  qosClassOf,
  sandboxConfigOf,
  validatePod,
} from '../../sim/index.ts';

function podOf(...containers: readonly string[]): Pod {
  const list = containers.map((resources, i) => `{name: c${i}, image: host, resources: ${resources}}`).join(', ');
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [${list}]}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml', notYet: 'keep'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

const classes: readonly (readonly [class_: string, score: number, containers: readonly string[]])[] = [
  ['BestEffort', 1000, ['{}']],
  ['BestEffort', 1000, ['{requests: {cpu: 0, memory: "0"}}']],
  ['Guaranteed', -997, ['{limits: {cpu: 1, memory: 1Gi}}']],
  ['Guaranteed', -997, ['{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1024Mi}}']],
  ['Burstable', 1000 - 125, ['{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}']],
  ['Burstable', 999, ['{requests: {cpu: 1}}']],
  ['Burstable', 500, ['{requests: {memory: 4Gi}}']],
  ['Burstable', 3, ['{requests: {memory: 8Gi}}']],
  ['Burstable', 999, ['{requests: {memory: 1Mi}}']],
  ['Burstable', 875, ['{limits: {cpu: 1, memory: 1Gi}}', '{}']],
];

for (const [name, score, containers] of classes) {
  test(`${containers.join(' and ')} is ${name}, with OOM score ${score} on 8 GiB`, (t) => {
    const pod = podOf(...containers);
    t.is(qosClassOf(pod), name as never);
    const [first] = pod.spec.containers;
    if (first) t.is(oomScoreAdjOf(pod, first, 8 * GiB), score);
  });
}

test('the runtime is sent shares, quota, memory without swap, and huge pages', (t) => {
  const pod = podOf(
    '{requests: {cpu: 250m}, limits: {cpu: 1500m, memory: 64Mi, hugepages-2Mi: 4Mi, hugepages-1Gi: 1Gi}}',
    '{}',
  );
  const node = (cgroupVersion: 1 | 2) => () => ({memoryCapacity: 8 * GiB, cgroupVersion});
  const [first, second] = pod.spec.containers;
  if (!first || !second) throw new Error('two containers');
  t.deepEqual(containerResourcesOf(pod, first, node(1)), {
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 150_000,
    memoryLimitInBytes: 64 * MiB,
    memorySwapLimitInBytes: 64 * MiB,
    hugepageLimits: [
      {pageSize: '2MB', limit: 4 * MiB},
      {pageSize: '1GB', limit: GiB},
    ],
    oomScoreAdj: 993,
  });
  t.deepEqual(containerResourcesOf(pod, second, node(2)), {
    cpuShares: 2,
    unified: {'memory.oom.group': '1'},
    oomScoreAdj: 999,
  });
  t.like(podResourcesOf(pod), {cpuShares: 256});
  t.is(podResourcesOf(pod)?.cpuQuota, undefined, 'not every container has a limit');
  t.deepEqual(podResourcesOf(podOf('{limits: {cpu: 1, memory: 1Gi}}', '{limits: {cpu: 500m, memory: 1Gi}}')), {
    cpuShares: 1536,
    cpuPeriod: 100_000,
    cpuQuota: 150_000,
    memoryLimitInBytes: 2 * GiB,
  });
  t.is(containerConfigOf(pod, first, undefined).linux?.resources?.cpuQuota, 150_000);
  t.is(sandboxConfigOf(pod, undefined).linux?.resources?.cpuShares, 256);
});

test('of a pod without resources only the score is sent, and nobody asks about the node', (t) => {
  const pod = podOf('{}');
  const [first] = pod.spec.containers;
  if (!first) throw new Error('a container');
  t.false(hasResources(pod));
  t.deepEqual(
    containerResourcesOf(pod, first, () => {
      throw new Error('asked');
    }),
    {oomScoreAdj: 1000},
  );
  t.is(podResourcesOf(pod), undefined);
  t.true(hasResources(podOf('{}', '{requests: {memory: 1Mi}}')));
  t.false(hasResources(podOf('{limits: {ephemeral-storage: 1Gi}}')));
});

const at = 'spec.containers[0].resources';
const refusals: readonly (readonly [string, readonly string[]])[] = [
  ['{limits: {cpu: 1}, requests: {cpu: 1}}', []],
  [
    '{requests: {cpu: 2}, limits: {cpu: 1}}',
    [`${at}.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`],
  ],
  ['{limits: {memory: -1Mi}}', [`${at}.limits[memory]: Invalid value: "-1Mi": must be greater than or equal to 0`]],
  ['{limits: {cpus: 1}}', [`${at}.limits[cpus]: Invalid value: "cpus": must be a standard resource for containers`]],
  [
    '{requests: {hugepages-2Mi: 2Mi, cpu: 1}, limits: {hugepages-2Mi: 4Mi}}',
    [`${at}.requests: Invalid value: "2Mi": must be equal to hugepages-2Mi limit of 4Mi`],
  ],
  [
    '{requests: {hugepages-2Mi: 2Mi, cpu: 1}}',
    [`${at}.limits: Required value: Limit must be set for non overcommitable resources`],
  ],
  ['{limits: {hugepages-2Mi: 2Mi}}', [`${at}: Forbidden: HugePages require cpu or memory`]],
];

for (const [resources, expected] of refusals) {
  test(`the API ${expected.length === 0 ? 'takes' : 'refuses'} resources ${resources}`, (t) => {
    t.deepEqual(
      validatePod(podOf(resources)).map(({text}) => text),
      expected,
    );
  });
}

test('a device is refused, and storage that nothing counts is a warning', (t) => {
  const text = (limits: string) =>
    `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: host, resources: {limits: ${limits}}}]}}`;
  t.throws(() => parseManifests(text('{nvidia.com/gpu: 1}'), {file: 'pod.yaml'}), {
    code: 'SUBROOT_MANIFEST_NOT_YET',
    message: /limits\[nvidia\.com\/gpu\].*would miss its devices/,
  });
  const {warnings} = parseManifests(text('{ephemeral-storage: 1Gi, memory: 1Mi}'), {file: 'pod.yaml'});
  t.deepEqual(
    warnings.map(({text: warning}) => warning),
    [
      "known to Kubernetes, not yet honoured by subroot: spec.containers[0].resources.limits[ephemeral-storage] (nothing counts a container's files)",
    ],
  );
});
