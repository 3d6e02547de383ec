import test from 'ava';
import {reviewCapabilities} from '../../../sim/lint/capability-review.ts';
import {canIdmap, fileSystemOfDriver} from '../../../sim/lint/idmap-file-systems.ts';
import {type LintManifestOptions, lintManifest, reviewManifest} from '../../../sim/lint/lint-manifest.ts';
import {readCluster} from '../../../sim/lint/node-versions.ts';
import {viewPod} from '../../../sim/lint/pod-view.ts';
import {findWorkloads} from '../../../sim/lint/workloads.ts';
import {parseTrees} from '../../../sim/manifest-tree.ts';

const modern = {kubernetes: '1.36', runtime: 'containerd:2.1', runc: '1.3', kernel: '6.8'};

function objectOf(spec: object, kind = 'Pod'): string {
  const pod = {containers: [{name: 'a', image: 'b'}], ...spec};
  return JSON.stringify({
    apiVersion: 'v1',
    kind,
    metadata: {name: 'web'},
    spec: kind === 'Pod' ? pod : {template: {spec: pod}},
  });
}

function review(spec: object, cluster: LintManifestOptions['cluster'] = modern, kind?: string) {
  const [found] = reviewManifest(objectOf(spec, kind), {file: 'a.json', cluster});
  if (!found) throw new Error('no workload');
  return found;
}

const containers = (securityContext: object) => ({containers: [{name: 'a', image: 'b', securityContext}]});

for (const [title, spec, outcome, verdict, cluster] of [
  ['nothing special', {}, 'honoured', 'ready', modern],
  ['hostPID', {hostPID: true}, 'rejected', 'blocked', modern],
  ['hostIPC', {hostIPC: true}, 'rejected', 'blocked', modern],
  ['hostNetwork', {hostNetwork: true}, 'rejected', 'blocked', modern],
  ['hostPID where the field is dropped first', {hostPID: true}, 'ignored', 'blocked', {kubernetes: '1.29'}],
  ['Windows', {os: {name: 'windows'}}, 'rejected', 'blocked', modern],
  [
    'raw devices on 1.36',
    {
      containers: [{name: 'a', image: 'b', volumeDevices: [{name: 'v', devicePath: '/dev/x'}]}],
      volumes: [{name: 'v', persistentVolumeClaim: {claimName: 'c'}}],
    },
    'rejected',
    'blocked',
    modern,
  ],
  [
    'raw devices on 1.33',
    {
      containers: [{name: 'a', image: 'b', volumeDevices: [{name: 'v', devicePath: '/dev/x'}]}],
      volumes: [{name: 'v', persistentVolumeClaim: {claimName: 'c'}}],
    },
    'honoured',
    'look',
    {...modern, kubernetes: '1.33'},
  ],
  ['NFS', {volumes: [{name: 'v', nfs: {}}]}, 'pending', 'blocked', modern],
  [
    'NFS on 1.27',
    {volumes: [{name: 'v', nfs: {}}]},
    'rejected',
    'blocked',
    {kubernetes: '1.27', gates: {UserNamespacesSupport: true}},
  ],
  ['CephFS on 6.6', {volumes: [{name: 'v', cephfs: {}}]}, 'pending', 'blocked', {...modern, kernel: '6.6'}],
  ['CephFS on 6.8', {volumes: [{name: 'v', cephfs: {}}]}, 'honoured', 'look', modern],
  ['a claim', {volumes: [{name: 'v', persistentVolumeClaim: {claimName: 'c'}}]}, 'honoured', 'look', modern],
  ['a hostPath', {volumes: [{name: 'v', hostPath: {path: '/x'}}]}, 'honoured', 'look', modern],
  ['a high id', {securityContext: {fsGroup: 65536}}, 'pending', 'blocked', modern],
  [
    'a high id in a larger block',
    {securityContext: {fsGroup: 65536}},
    'honoured',
    'ready',
    {...modern, idsPerPod: 131072},
  ],
  ['a capability that works', containers({capabilities: {add: ['NET_ADMIN']}}), 'honoured', 'ready', modern],
  ['a capability that is void', containers({capabilities: {add: ['SYS_MODULE']}}), 'honoured', 'look', modern],
  ['privileged', containers({privileged: true}), 'honoured', 'look', modern],
  ['procMount', containers({procMount: 'Unmasked'}), 'honoured', 'ready', modern],
  [
    'a GPU',
    {containers: [{name: 'a', image: 'b', resources: {limits: {'nvidia.com/gpu': 1}}}]},
    'honoured',
    'look',
    modern,
  ],
] as const) {
  test(`${title}: ${outcome}, ${verdict}`, (t) => {
    const given = review(spec, cluster);
    t.is(given.outcome, outcome, given.why);
    t.is(given.verdict, verdict);
    if (verdict === 'blocked') t.true((given.blockers[0]?.change ?? '') !== '');
    if (verdict === 'look') t.true(given.cautions.length > 0);
    // hostUsers: false in the manifest changes no verdict.
    t.is(review({...spec, hostUsers: false}, cluster).outcome, outcome);
  });

  test(`${title}: hostusers-unset is ${verdict === 'blocked' || title === 'a capability that is void' || title === 'raw devices on 1.33' ? 'silent' : 'told'}`, (t) => {
    const told = lintManifest(objectOf(spec), {file: 'a', cluster}).some(({rule}) => rule === 'hostusers-unset');
    t.is(told, !(verdict === 'blocked' || title === 'a capability that is void' || title === 'raw devices on 1.33'));
  });
}

test('the steps are in the order in which they are done, and name this workload', (t) => {
  const {steps} = review({}, {kubernetes: '1.30', gates: {}}, 'Deployment');
  const index = (pattern: RegExp) => steps.findIndex(({title, command = ''}) => pattern.test(`${title} ${command}`));
  const order = [
    /find \/ -xdev/,
    /switch on the gate/,
    /kubectl patch deployment\/web .*"hostUsers":false/,
    /rollout status deployment\/web/,
    /uid_map/,
    /FailedCreatePodSandBox/,
    /rollout undo/,
  ].map(index);
  t.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  t.false(order.includes(-1), order.join());
  t.regex(JSON.stringify(review({}, modern, 'Pod').steps), /kubectl replace --force/);
  t.regex(JSON.stringify(review({}, modern).steps), /started_user_namespaced_pods_errors_total/);
});

test('a RuntimeClass is taken to support it, and that is said', (t) => {
  t.deepEqual(review({runtimeClassName: 'kata'}).assumed, [
    'the handler of RuntimeClass kata supports user namespaces',
  ]);
});

test('Pod Security is told as written and with the user namespace', (t) => {
  const root = containers({
    allowPrivilegeEscalation: false,
    seccompProfile: {type: 'RuntimeDefault'},
    capabilities: {drop: ['ALL']},
  });
  const {podSecurity} = review(root);
  t.like(podSecurity, {
    version: '1.36',
    level: 'baseline',
    levelWithUserns: 'restricted',
    failed: [],
    waived: ['runAsNonRoot'],
  });
});

function capabilitiesOf(securityContext: object) {
  const [workload] = findWorkloads(parseTrees(objectOf(containers(securityContext)), 'a', {ends: true})).workloads;
  const [container] = workload ? viewPod(workload).containers : [];
  if (!container) throw new Error('no container');
  return reviewCapabilities(container);
}

test('a container has the defaults, what it adds and not what it drops; a name that is dropped is dropped', (t) => {
  const names = (context: object) =>
    capabilitiesOf(context).map(({capability, from}) => `${capability.slice(4)} ${from}`);
  t.is(names({}).length, 14);
  t.deepEqual(names({capabilities: {drop: ['ALL']}}), []);
  t.deepEqual(names({capabilities: {drop: ['ALL'], add: ['net_admin']}}), ['NET_ADMIN added']);
  t.deepEqual(names({capabilities: {drop: ['ALL'], add: ['ALL']}}), []);
  t.false(names({capabilities: {add: ['ALL'], drop: ['SYS_TIME']}}).some((name) => name.startsWith('SYS_TIME')));
  t.is(names({capabilities: {add: ['ALL']}}).length, 41);
  t.true(names({privileged: true}).every((name) => name.endsWith(' privileged')));
});

test('what is void says so, with advice', (t) => {
  const [time] = capabilitiesOf({capabilities: {drop: ['ALL'], add: ['SYS_TIME']}});
  t.like(time, {capability: 'CAP_SYS_TIME', worth: 'void'});
  t.regex(time?.drop ?? '', /does nothing in a user namespace/);
});

for (const [name, kernel, can] of [
  ['tmpfs', '6.2', false],
  ['tmpfs', '6.3', true],
  ['tmpfs', undefined, undefined],
  ['hugetlbfs', '6.8', false],
  ['hugetlbfs', '6.9', true],
  ['fuse', '6.11', false],
  ['fuse', '6.12', true],
  ['ceph', '6.7', true],
  ['nfs', '6.18', false],
  ['nfs', undefined, false],
  ['unknown', '6.18', undefined],
] as const) {
  test(`${name} on Linux ${kernel ?? 'that is not known'}: ${can ?? 'not known'}`, (t) => {
    t.is(canIdmap(name, kernel === undefined ? undefined : readCluster({kernel}).kernel), can);
  });
}

test('drivers are known by name, and others are not guessed', (t) => {
  t.deepEqual(
    [
      'nfs.csi.k8s.io',
      'rook-ceph.cephfs.csi.ceph.com',
      'rook-ceph.rbd.csi.ceph.com',
      'ebs.csi.aws.com',
      'csi.example',
      'constructor',
    ].map(fileSystemOfDriver),
    ['nfs', 'ceph', 'ext4', 'ext4', 'unknown', 'unknown'],
  );
});
