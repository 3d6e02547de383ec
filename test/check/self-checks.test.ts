import test from 'ava';
import {allCapabilities, defaultCapabilities} from '../../native-free/capability.ts';
import {selfChecks, selfFacts} from '../../src/check/self-checks.ts';
import {reportOnSelf} from '../../src/check/self-report.ts';
import {openSelf} from '../../src/check/targets/existing.ts';
import {type InsideView, viewFromInside} from '../../src/host/inside-view.ts';
import {hostTest} from '../helpers/host-test.ts';

/** A pod as it should be: every id is another one outside, and nothing of the host is in reach. */
const pod: InsideView = {
  namespaces: {user: 4_026_532_177, pid: 4_026_532_180, ipc: 4_026_532_181, uts: 4_026_532_182, cgroup: 4_026_532_183},
  uidMap: [{containerId: 0, hostId: 131_072, size: 65_536}],
  gidMap: [{containerId: 0, hostId: 131_072, size: 65_536}],
  uid: 0,
  effective: defaultCapabilities,
  bounding: defaultCapabilities,
  seccomp: 2,
  noNewPrivs: false,
  label: undefined,
  kernelFileOwner: 65_534,
  overflowUid: 65_534,
  writableKernelFiles: [],
  sockets: [],
  disks: [],
};

const outcomes = (view: InsideView) =>
  Object.fromEntries(selfFacts.map(({check, find}) => [check.id, find(view).outcome]));
const good = Object.fromEntries(selfChecks.map(({id}) => [id, id === 'self-seccomp' ? 'by-design' : 'works'] as const));

test('a pod with a user namespace passes every look from inside; seccomp is never a pass', (t) => {
  t.deepEqual(outcomes(pod), good);
});

const identity = [{containerId: 0, hostId: 0, size: 4_294_967_295}];
const cases: readonly (readonly [what: string, change: Partial<InsideView>, broken: readonly string[]])[] = [
  [
    'the initial user namespace and the identity map: the sample that is often taken for a pod',
    {namespaces: {...pod.namespaces, user: 4_026_531_837}, uidMap: identity, gidMap: identity},
    ['self-user-namespace', 'self-uid-map', 'self-gid-map'],
  ],
  ['a map of root to root', {uidMap: [{containerId: 0, hostId: 0, size: 1}]}, ['self-uid-map']],
  ["a file of the host's root that is shown as root's", {kernelFileOwner: 0}, ['self-host-root-is-nobody']],
  [
    'every capability over the host',
    {namespaces: {...pod.namespaces, user: 4_026_531_837}, effective: allCapabilities},
    ['self-user-namespace', 'self-capabilities'],
  ],
  [
    'a core_pattern that may be written',
    {writableKernelFiles: ['/proc/sys/kernel/core_pattern']},
    ['self-kernel-files'],
  ],
  ['a docker socket that may be used', {sockets: [{path: '/run/docker.sock', usable: true}]}, ['self-runtime-sockets']],
  ['a disk that may be read', {disks: ['vda']}, ['self-disks']],
  ["the host's processes", {namespaces: {...pod.namespaces, pid: 4_026_531_836}}, ['self-host-namespaces']],
];

for (const [what, change, broken] of cases)
  test(`seen from inside: ${what}`, (t) => {
    const seen = outcomes({...pod, ...change});
    t.deepEqual(seen, {...good, ...Object.fromEntries(broken.map((id) => [id, 'broken']))});
  });

test('a socket that is there and closed to us is no fault', (t) => {
  t.is(outcomes({...pod, sockets: [{path: '/run/docker.sock', usable: false}]})['self-runtime-sockets'], 'works');
});

hostTest('linux')('our own container is judged without any right, and nothing is made', (t) => {
  const view = viewFromInside();
  const report = reportOnSelf(openSelf());
  t.is(report.target.target, 'self');
  t.is(report.pods?.[0]?.userNamespace, view.namespaces.user);
  t.deepEqual(
    report.results.map(({id}) => id),
    selfChecks.map(({id}) => id),
  );
  t.is(
    report.results.find(({id}) => id === 'self-user-namespace')?.outcome,
    view.namespaces.user === 4_026_531_837 ? 'broken' : 'works',
  );
  t.deepEqual(
    reportOnSelf(openSelf(), ['self-disks']).results.map(({id}) => id),
    ['self-disks'],
  );
});

hostTest('linux', 'root')('a user without rights, who may not enter folders of runtimes, is answered too', (t) => {
  process.seteuid?.(54_321);
  try {
    t.is(reportOnSelf(openSelf()).results.length, selfChecks.length);
    t.deepEqual(viewFromInside().writableKernelFiles, []);
  } finally {
    process.seteuid?.(0);
  }
});
