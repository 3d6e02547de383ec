import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {lookAtCgroups, parseHierarchies} from '../../src/host/cgroups.ts';
import {enforceable, mergeResources} from '../../src/runtime/container-cgroup.ts';

const mount = (id: number, root: string, point: string, type: string, options = '') =>
  `${id} 30 0:${id} ${root} ${point} rw,relatime shared:1 - ${type} ${type} rw${options && `,${options}`}`;

test('the hierarchies of a machine with v1, with v2, and with both are found, at our own place in each', (t) => {
  const v1 = [
    mount(1, '/', '/c/cpu', 'cgroup', 'cpu,cpuacct'),
    mount(2, '/', '/c/memory', 'cgroup', 'memory'),
    mount(3, '/', '/c/systemd', 'cgroup', 'name=systemd'),
    mount(4, '/', '/c/unified', 'cgroup2'),
  ].join('\n');
  t.deepEqual(parseHierarchies(v1, '4:cpuacct,cpu:/a\n3:memory:/a/b\n1:name=systemd:/x\n0::/u\n'), [
    {version: 1, controllers: ['cpu', 'cpuacct'], mount: '/c/cpu', own: '/a'},
    {version: 1, controllers: ['memory'], mount: '/c/memory', own: '/a/b'},
    {version: 2, controllers: [], mount: '/c/unified', own: '/u'},
  ]);
  t.deepEqual(parseHierarchies(mount(1, '/', '/sys/fs/cgroup', 'cgroup2', 'nsdelegate'), '0::/user.slice/x\n'), [
    {version: 2, controllers: [], mount: '/sys/fs/cgroup', own: '/user.slice/x'},
  ]);
  // In a container: the mount shows the hierarchy from the container's group on.
  t.deepEqual(
    parseHierarchies(mount(1, '/docker/abc', '/c\\040d/memory', 'cgroup', 'memory'), '3:memory:/docker/abc/in\n'),
    [{version: 1, controllers: ['memory'], mount: '/c d/memory', own: '/in'}],
  );
  t.deepEqual(parseHierarchies('', ''), []);
  t.deepEqual(parseHierarchies('nonsense\n\n1 2 3', 'nonsense'), []);
});

/** A folder that looks like a v2 hierarchy; the groups are by path, with what they give and whether they have a process. */
async function v2(
  t: ExecutionContext,
  groups: Record<string, {controllers: string; gives?: string; processes?: string}>,
) {
  const folder = await dir({prefix: 'subroot-cgroup2', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  for (const [path, {controllers, gives = '', processes = ''}] of Object.entries(groups)) {
    const at = join(folder.path, path);
    mkdirSync(at, {recursive: true});
    writeFileSync(join(at, 'cgroup.controllers'), controllers);
    writeFileSync(join(at, 'cgroup.subtree_control'), gives);
    writeFileSync(join(at, 'cgroup.procs'), processes);
    if (path !== '/') writeFileSync(join(at, 'cgroup.type'), 'domain');
  }
  return folder.path;
}

test('root makes groups at the top of v2, and has what the machine has', async (t) => {
  const folder = await v2(t, {'/': {controllers: 'cpu memory pids'}, '/me': {controllers: '', processes: '1'}});
  const host = lookAtCgroups(mount(1, '/', folder, 'cgroup2'), '0::/me\n');
  t.is(host.version, 2);
  t.deepEqual(host.bases, [{hierarchy: 2, controllers: ['cpu', 'memory', 'pids'], folder}]);
  t.deepEqual(Object.keys(host.missing).sort(), ['cpuset', 'hugetlb']);
  t.regex(host.missing.cpuset ?? '', /has no cpuset controller to give/);
});

test('a machine without any hierarchy lacks all of them, and says so', (t) => {
  const host = lookAtCgroups('', '');
  t.deepEqual(host.bases, []);
  t.is(host.version, 2);
  t.deepEqual(Object.keys(host.missing).sort(), ['cpu', 'cpuset', 'hugetlb', 'memory', 'pids']);
  for (const why of Object.values(host.missing))
    t.regex(why, /no hierarchy of control groups with this controller is mounted/);
});

test('an update leaves what it does not name', (t) => {
  const before = {
    cpuShares: 5,
    memoryLimitInBytes: 10,
    unified: {'pids.max': '1'},
    hugepageLimits: [{pageSize: '2MB', limit: 1}],
  };
  t.deepEqual(mergeResources(before, {}), before);
  t.deepEqual(mergeResources(before, {cpuShares: 0, memoryLimitInBytes: 20, cpusetCpus: ''}), {
    ...before,
    memoryLimitInBytes: 20,
  });
  t.deepEqual(mergeResources(before, {unified: {'memory.high': '2'}, hugepageLimits: [{pageSize: '2MB', limit: 3}]}), {
    ...before,
    unified: {'pids.max': '1', 'memory.high': '2'},
    hugepageLimits: [{pageSize: '2MB', limit: 3}],
  });
  t.deepEqual(enforceable({oomScoreAdj: 5}), {oomScoreAdj: 5});
});
