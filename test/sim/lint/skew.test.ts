import test from 'ava';
import fc from 'fast-check';
import {SubrootError} from '../../../native-free/errors.ts';
import type {ClusterWords} from '../../../sim/lint/node-versions.ts';
import {readCluster} from '../../../sim/lint/node-versions.ts';
import {type PodNeeds, predictUserns, type SkewLayer, type UsernsOutcome} from '../../../sim/lint/skew.ts';

const on = {UserNamespacesSupport: true};
const off = {UserNamespacesSupport: false};
const plain: PodNeeds = {tmpfs: true, hostNetwork: false};

const rows: readonly (readonly [
  title: string,
  cluster: ClusterWords,
  outcome: UsernsOutcome,
  layer: SkewLayer,
  needs?: PodNeeds,
])[] = [
  // The skew table of KEP-127, row by row.
  ['an API server before 1.25 drops the field', {kubernetes: '1.24', kubelet: '1.24'}, 'ignored', 'API server'],
  ['an API server whose gate is off drops the field', {kubernetes: '1.29'}, 'ignored', 'API server'],
  ['…whatever the kubelet could do', {kubernetes: '1.32', kubelet: '1.33'}, 'ignored', 'API server'],
  ['a kubelet before 1.25 ignores it', {kubernetes: '1.27', kubelet: '1.24', gates: on}, 'ignored', 'kubelet'],
  [
    'a kubelet of 1.25 whose gate is off ignores it',
    {kubernetes: '1.25', gates: on, kubeletGates: off},
    'ignored',
    'kubelet',
  ],
  [
    'a kubelet of 1.29 whose gate is off ignores it',
    {kubernetes: '1.29', gates: on, kubeletGates: off},
    'ignored',
    'kubelet',
  ],
  [
    'a kubelet of 1.25 with containerd 1.6',
    {kubernetes: '1.25', gates: on, runtime: 'containerd:1.6'},
    'ignored',
    'CRI runtime',
  ],
  [
    'a kubelet of 1.29 with containerd 1.6',
    {kubernetes: '1.29', gates: on, runtime: 'containerd:1.6'},
    'ignored',
    'CRI runtime',
  ],
  [
    'a kubelet of 1.27 with containerd 1.7',
    {kubernetes: '1.27', gates: on, runtime: 'containerd:1.7'},
    'pending',
    'CRI runtime',
  ],
  [
    'a kubelet of 1.29 with containerd 1.7',
    {kubernetes: '1.29', gates: on, runtime: 'containerd:1.7.20'},
    'pending',
    'CRI runtime',
  ],
  ['a kubelet of 1.30 whose gate is off', {kubernetes: '1.30', gates: on, kubeletGates: off}, 'pending', 'kubelet'],
  ['a kubelet of 1.35 whose gate is off', {kubernetes: '1.35', gates: on, kubeletGates: off}, 'pending', 'kubelet'],
  [
    'a kubelet of 1.30 with containerd 1.7',
    {kubernetes: '1.30', gates: on, runtime: 'containerd:1.7'},
    'pending',
    'CRI runtime',
  ],
  ['a kubelet of 1.37 with containerd 1.7', {runtime: 'containerd:1.7'}, 'pending', 'CRI runtime'],
  [
    'a kubelet of 1.30 with containerd 2.0',
    {kubernetes: '1.30', gates: on, runtime: 'containerd:2.0'},
    'honoured',
    'kubelet',
  ],
  // Defaults by version.
  ['1.33 has it on', {kubernetes: '1.33'}, 'honoured', 'kubelet'],
  ['1.37 has it on', {}, 'honoured', 'kubelet'],
  // The model of 1.25 and 1.26.
  [
    '1.26 with containerd 1.7, which changes owners',
    {kubernetes: '1.26', gates: on, runtime: 'containerd:1.7', kernel: '5.4'},
    'honoured',
    'kubelet',
  ],
  [
    '1.26 with CRI-O 1.26 and runc 1.1',
    {kubernetes: '1.26', gates: on, runtime: 'cri-o:1.26', runc: '1.1.4'},
    'honoured',
    'kubelet',
  ],
  ['1.26 with runc 1.0', {kubernetes: '1.26', gates: on, runc: '1.0.3'}, 'pending', 'OCI runtime'],
  ['1.26 with crun 1.4.2', {kubernetes: '1.26', gates: on, crun: '1.4.2'}, 'pending', 'OCI runtime'],
  // Other runtimes.
  ['cri-dockerd before 1.30', {kubernetes: '1.29', gates: on, runtime: 'cri-dockerd:0.3'}, 'ignored', 'CRI runtime'],
  ['cri-dockerd from 1.30 on', {kubernetes: '1.33', runtime: 'cri-dockerd:0.3'}, 'pending', 'CRI runtime'],
  ['CRI-O before 1.25', {kubernetes: '1.26', gates: on, runtime: 'cri-o:1.24'}, 'ignored', 'CRI runtime'],
  [
    'CRI-O 1.26 with a kubelet of 1.28',
    {kubernetes: '1.28', gates: on, runtime: 'cri-o:1.26'},
    'pending',
    'CRI runtime',
  ],
  ['CRI-O 1.28.0', {kubernetes: '1.28', gates: on, runtime: 'cri-o:1.28.0'}, 'pending', 'CRI runtime'],
  ['CRI-O 1.28.1', {kubernetes: '1.28', gates: on, runtime: 'cri-o:1.28.1'}, 'honoured', 'kubelet'],
  [
    'CRI-O 1.29 does not say so to a kubelet of 1.30',
    {kubernetes: '1.30', gates: on, runtime: 'cri-o:1.29'},
    'pending',
    'CRI runtime',
  ],
  ['CRI-O of the version of the kubelet', {kubernetes: '1.34', runtime: 'crio://1.34.1'}, 'honoured', 'kubelet'],
  // OCI runtimes.
  ['runc 1.1 with 1.33', {kubernetes: '1.33', runc: '1.1'}, 'pending', 'OCI runtime'],
  ['runc 1.2 with 1.33', {kubernetes: '1.33', runc: '1.2.0'}, 'honoured', 'kubelet'],
  ['crun 1.8 with 1.29', {kubernetes: '1.29', gates: on, crun: '1.8.7'}, 'pending', 'OCI runtime'],
  ['crun 1.9 with 1.29', {kubernetes: '1.29', gates: on, crun: '1.9'}, 'honoured', 'kubelet'],
  // Kernels.
  ['Linux 5.10', {kernel: '5.10.0-28-amd64'}, 'pending', 'kernel'],
  ['Linux 5.15', {kernel: '5.15.0-91-generic'}, 'pending', 'kernel'],
  ['Linux 6.1 and a tmpfs', {kernel: '6.1.0'}, 'pending', 'kernel'],
  ['Linux 6.1 without a tmpfs', {kernel: '6.1.0'}, 'honoured', 'kubelet', {...plain, tmpfs: false}],
  [
    'Linux 5.15 with CRI-O, without a tmpfs',
    {kernel: '5.15', runtime: 'cri-o:1.37'},
    'honoured',
    'kubelet',
    {...plain, tmpfs: false},
  ],
  ['Linux 6.3', {kernel: '6.3'}, 'honoured', 'kubelet'],
  // KEP-5607.
  [
    'host network with a runtime that has it not',
    {runtime: 'containerd:2.2'},
    'pending',
    'scheduler',
    {...plain, hostNetwork: true},
  ],
  [
    'host network with one that has it',
    {runtime: 'containerd:2.3'},
    'honoured',
    'kubelet',
    {...plain, hostNetwork: true},
  ],
];

for (const [title, words, outcome, layer, needs] of rows) {
  test(`${title}: ${outcome}`, (t) => {
    const answer = predictUserns(readCluster(words), needs ?? plain);
    const [first] = answer.reasons;
    t.is(answer.outcome, outcome, first?.why);
    t.is(first?.layer, layer);
    for (const {why, change} of answer.reasons) {
      t.regex(why, /\S{2}.*[^.\s]$/);
      t.regex(change, /\S{2}.*[^.\s]$/);
    }
  });
}

test('what was not told is named as taken to be so', (t) => {
  t.is(predictUserns(readCluster()).assumed.length, 3);
  t.deepEqual(predictUserns(readCluster({runtime: 'containerd:2.0', runc: '1.2', kernel: '6.8'})).assumed, []);
});

test('doing what the reason says changes the outcome', (t) => {
  const bad: ClusterWords = {kubernetes: '1.33', runtime: 'containerd:1.7', runc: '1.1', kernel: '5.15'};
  const {reasons} = predictUserns(readCluster(bad));
  t.deepEqual(
    reasons.map(({layer}) => layer),
    ['CRI runtime', 'OCI runtime', 'kernel', 'kernel'],
  );
  const mended = {...bad, runtime: 'containerd:2.0', runc: '1.2', kernel: '6.3'};
  t.is(predictUserns(readCluster(mended)).outcome, 'honoured');
});

for (const [title, words, code] of [
  ['a runtime that there is not', {runtime: 'docker:20'}, 'SUBROOT_USAGE'],
  ['a runtime without a version', {runtime: 'containerd'}, 'SUBROOT_USAGE'],
  ['a kernel that is no version', {kernel: 'new'}, 'SUBROOT_USAGE'],
  ['runc and crun at once', {runc: '1.2', crun: '1.9'}, 'SUBROOT_USAGE'],
  ['a version of Kubernetes that is not known', {kubernetes: '1.99'}, 'SUBROOT_KUBERNETES_VERSION'],
  ['a kubelet of a version that is not known', {kubelet: '2.0'}, 'SUBROOT_KUBERNETES_VERSION'],
  ['a gate that is locked', {gates: off}, 'SUBROOT_USAGE'],
  [
    'a gate that the version does not know',
    {kubernetes: '1.30', gates: {UserNamespacesHostNetworkSupport: true}},
    'SUBROOT_USAGE',
  ],
] as const) {
  test(`${title} is refused`, (t) => {
    t.throws(() => readCluster(words), {instanceOf: SubrootError, code});
  });
}

test('a newer runtime, kernel or kubelet never makes it worse, once the API server keeps the field', (t) => {
  const rank: Readonly<Record<UsernsOutcome, number>> = {rejected: 0, ignored: 0, pending: 1, honoured: 2};
  const minor = fc.integer({min: 27, max: 35});
  const containerd = fc.constantFrom('1.5', '1.6', '1.7', '2.0', '2.1');
  const kernel = fc.constantFrom('5.4', '5.12', '5.19', '6.1', '6.3', '6.12');
  const runc = fc.constantFrom('1.0', '1.1', '1.2', '1.3');
  fc.assert(
    fc.property(minor, minor, containerd, containerd, kernel, kernel, runc, runc, (a, b, c, d, e, f, g, h) => {
      const sorted = (...pair: [string, string]) =>
        [...pair].sort((x, y) => x.localeCompare(y, 'en', {numeric: true})) as [string, string];
      const [[low, high], [oldC, newC], [oldK, newK], [oldR, newR]] = [
        sorted(`1.${a}`, `1.${b}`),
        sorted(c, d),
        sorted(e, f),
        sorted(g, h),
      ];
      const of = (kubelet: string, runtime: string, linux: string, oci: string) =>
        predictUserns(
          readCluster({
            kubernetes: '1.35',
            kubelet,
            gates: on,
            kubeletGates: on,
            runtime: `containerd:${runtime}`,
            kernel: linux,
            runc: oci,
          }),
        ).outcome;
      t.true(rank[of(low, oldC, oldK, oldR)] <= rank[of(high, newC, newK, newR)]);
    }),
  );
});
