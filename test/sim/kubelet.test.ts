import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import type {ContainerConfigOptions, ImageUser, Pod} from '../../sim/index.ts';
import {
  containerConfigOf,
  expandReferences,
  hostnameOf,
  namespacesOf,
  parseManifests,
  removePod,
  sandboxConfigOf,
  startPod,
  stopPod,
} from '../../sim/index.ts';
import {FakeRuntime} from './fake-runtime.ts';
import {assertWhole, newRoot, openLedger} from './ledger-world.ts';

function podOf(spec: string, metadata = 'name: web', notYet: 'refuse' | 'keep' = 'refuse'): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: {${metadata}, uid: uid-1}, spec: {${spec}}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml', notYet}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const plain = 'containers: [{name: c, image: host}]';
const block = {hostId: 131_072, size: 65_536};
const mapping = [{hostId: 131_072, containerId: 0, length: 65_536}];
function configOf(spec: string, options?: ContainerConfigOptions) {
  const pod = podOf(spec);
  const [container] = pod.spec.containers;
  if (!container) throw new Error('no container');
  return containerConfigOf(pod, container, pod.spec.hostUsers === false ? block : undefined, options);
}
const secured = (spec: string, options?: ContainerConfigOptions) => configOf(spec, options).linux?.securityContext;

test("K1 a default pod has its own network and ipc, each container its own pid, and the node's user namespace", (t) => {
  t.deepEqual(namespacesOf(podOf(plain), undefined), {
    network: 'POD',
    pid: 'CONTAINER',
    ipc: 'POD',
    usernsOptions: {mode: 'NODE', uids: [], gids: []},
  });
});

test("K2 hostIPC, hostNetwork and hostPID are the node's", (t) => {
  t.like(namespacesOf(podOf(`hostIPC: true, hostNetwork: true, hostPID: true, ${plain}`), undefined), {
    network: 'NODE',
    pid: 'NODE',
    ipc: 'NODE',
  });
});

test("K3 shareProcessNamespace makes pid the pod's", (t) => {
  t.is(namespacesOf(podOf(`shareProcessNamespace: true, ${plain}`), undefined).pid, 'POD');
  t.is(namespacesOf(podOf(`shareProcessNamespace: false, ${plain}`), undefined).pid, 'CONTAINER');
});

test('K4 hostUsers false is mode POD with one mapping, the same in sandbox and containers', (t) => {
  const pod = podOf(`hostUsers: false, ${plain}`);
  const expected = {mode: 'POD', uids: mapping, gids: mapping};
  t.deepEqual(sandboxConfigOf(pod, block).linux?.securityContext?.namespaceOptions?.usernsOptions, expected);
  t.deepEqual(secured(`hostUsers: false, ${plain}`)?.namespaceOptions?.usernsOptions, expected);
});

test('a block without hostUsers false, and hostUsers false without a block, is our bug', (t) => {
  t.throws(() => namespacesOf(podOf(plain), block), {
    code: 'SUBROOT_INTERNAL',
    message: /shares the node user namespace/,
  });
  t.throws(() => namespacesOf(podOf(`hostUsers: false, ${plain}`), undefined), {
    code: 'SUBROOT_INTERNAL',
    message: /given no id block/,
  });
});

test("the sandbox has the kubelet's labels over the pod's, its annotations and its log folder", (t) => {
  const pod = podOf(
    plain,
    'name: web, namespace: ns, labels: {app: x, io.kubernetes.pod.name: lie}, annotations: {a: b}',
  );
  const config = sandboxConfigOf(pod, undefined, {attempt: 2, logRoot: '/logs', cgroupParent: '/kubepods/pod1'});
  t.deepEqual(config.metadata, {name: 'web', namespace: 'ns', uid: 'uid-1', attempt: 2});
  t.deepEqual(config.labels, {
    app: 'x',
    'io.kubernetes.pod.name': 'web',
    'io.kubernetes.pod.namespace': 'ns',
    'io.kubernetes.pod.uid': 'uid-1',
  });
  t.deepEqual(config.annotations, {a: 'b'});
  t.is(config.logDirectory, '/logs/ns_web_uid-1');
  t.is(config.linux?.cgroupParent, '/kubepods/pod1');
  t.is(sandboxConfigOf(pod, undefined).logDirectory, '/var/log/pods/ns_web_uid-1');
});

for (const [what, metadata, spec, expected] of [
  ["the pod's name", 'name: web', plain, 'web'],
  ['the hostname field', 'name: web', `hostname: box, ${plain}`, 'box'],
  ['63 characters of a long name', `name: ${'a'.repeat(80)}`, plain, 'a'.repeat(63)],
  ['62 when the 63rd is a dash', `name: ${'a'.repeat(62)}-b`, plain, 'a'.repeat(62)],
  ['without the dot that ends it', `name: ${'a'.repeat(62)}.b`, plain, 'a'.repeat(62)],
  ['nothing on the host network', 'name: web', `hostNetwork: true, ${plain}`, ''],
] as const) {
  test(`the host name is ${what}`, (t) => {
    t.is(hostnameOf(podOf(spec, metadata)), expected);
  });
}

test('a privileged container, an init one too, makes the sandbox privileged', (t) => {
  const init = 'initContainers: [{name: i, image: host, securityContext: {privileged: true}}]';
  t.true(sandboxConfigOf(podOf(`${init}, ${plain}`), undefined).linux?.securityContext?.privileged);
  t.false(sandboxConfigOf(podOf(plain), undefined).linux?.securityContext?.privileged);
});

test("a container has name, image, streams, log path and the kubelet's annotations", (t) => {
  const config = configOf(
    'terminationGracePeriodSeconds: 7, containers: [{name: c, image: /img, stdin: true, stdinOnce: true, tty: true, workingDir: /w, lifecycle: {stopSignal: SIGINT}}]',
    {attempt: 3},
  );
  t.like(config, {
    metadata: {name: 'c', attempt: 3},
    image: {image: '/img', userSpecifiedImage: '/img'},
    ...{stdin: true, stdinOnce: true, tty: true, workingDir: '/w', logPath: 'c/3.log', stopSignal: 'INT'},
  });
  t.is(config.labels?.['io.kubernetes.container.name'], 'c');
  t.like(config.annotations, {
    'io.kubernetes.container.restartCount': '3',
    'io.kubernetes.pod.terminationGracePeriod': '7',
    'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
  });
  t.regex(config.annotations?.['io.kubernetes.container.hash'] ?? '', /^[0-9a-f]{8}$/);
});

test('variables refer to earlier ones, command and args to all', (t) => {
  const config = configOf(
    'containers: [{name: c, image: host, command: ["$(A)", "$(B)"], args: ["$$(A)", "$(NO)", "$(C)$"], env: [{name: A, value: "1$(B)"}, {name: B, value: "2$(A)"}, {name: A, value: "3"}, {name: C, value: "$(B)!"}]}]',
  );
  t.deepEqual(config.envs, [
    {key: 'A', value: '3'},
    {key: 'B', value: '21$(B)'},
    {key: 'C', value: '21$(B)!'},
  ]);
  t.deepEqual(config.command, ['3', '21$(B)']);
  t.deepEqual(config.args, ['$(A)', '$(NO)', '21$(B)!$']);
});

for (const [text, expected] of [
  ['$(V)', 'v'],
  ['$$(V)', '$(V)'],
  ['$$$(V)', '$v'],
  ['$V', '$V'],
  ['$(V', '$(V'],
  ['$', '$'],
  ['$$', '$'],
  ['a$(V)b$(V)', 'avbv'],
  ['$(W)', '$(W)'],
  ['', ''],
] as const) {
  test(`"${text}" expands to "${expected}"`, (t) => {
    t.is(
      expandReferences(text, (name) => (name === 'V' ? 'v' : undefined)),
      expected,
    );
  });
}

test('text without a dollar stays as it is', (t) => {
  fc.assert(fc.property(fc.string(), (text) => text.includes('$') || expandReferences(text, () => 'x') === text));
  t.pass();
});

test("every mount carries the pod's mapping, and none without a user namespace", (t) => {
  const volumes =
    'volumes: [{name: v, hostPath: {path: /data}}], containers: [{name: c, image: host, volumeMounts: [{name: v, mountPath: /d, readOnly: true}]}]';
  const options = {sourceOf: () => ({hostPath: '/data', shifted: true, readOnly: true})};
  const mount = {containerPath: '/d', hostPath: '/data', readonly: true, propagation: 'PROPAGATION_PRIVATE'} as const;
  t.deepEqual(configOf(`hostUsers: false, ${volumes}`, options).mounts, [
    {...mount, uidMappings: mapping, gidMappings: mapping},
  ]);
  t.deepEqual(configOf(volumes, options).mounts, [mount]);
});

test("the container's security context goes over the pod's", (t) => {
  const shared = 'securityContext: {runAsUser: 5, runAsGroup: 6, supplementalGroups: [7]}';
  t.like(secured(`${shared}, ${plain}`), {
    runAsUser: {value: 5},
    runAsGroup: {value: 6},
    supplementalGroups: [7],
    noNewPrivs: false,
  });
  const own =
    'containers: [{name: c, image: host, securityContext: {runAsUser: 1, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {add: [NET_ADMIN], drop: [ALL]}}}]';
  t.like(secured(`${shared}, ${own}`), {
    runAsUser: {value: 1},
    runAsGroup: {value: 6},
    noNewPrivs: true,
    readonlyRootfs: true,
    capabilities: {addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL']},
  });
  t.false('runAsUser' in (secured(plain) ?? {}));
});

test("the kubelet's masks, one more per CPU, and none for procMount Unmasked", (t) => {
  t.is(secured(plain)?.maskedPaths?.length, 12);
  t.is(secured(plain, {cpuCount: 2})?.maskedPaths?.at(-1), '/sys/devices/system/cpu/cpu1/thermal_throttle');
  t.deepEqual(secured(plain)?.readonlyPaths, [
    '/proc/bus',
    '/proc/fs',
    '/proc/irq',
    '/proc/sys',
    '/proc/sysrq-trigger',
  ]);
  const unmasked = secured(
    'hostUsers: false, containers: [{name: c, image: host, securityContext: {procMount: Unmasked}}]',
  );
  t.deepEqual([unmasked?.maskedPaths, unmasked?.readonlyPaths], [[], []]);
});

test('runAsNonRoot refuses a container that would be root', (t) => {
  const code = 'SUBROOT_POD_NON_ROOT';
  t.throws(() => configOf(`securityContext: {runAsNonRoot: true}, ${plain}`), {
    code,
    message: /container c of pod web .* container has runAsNonRoot and image will run as root/,
  });
  const spec = `securityContext: {runAsNonRoot: true}, ${plain}`;
  const withUser = (user: ImageUser) => configOf(spec, {imageUserOf: () => user});
  t.throws(() => withUser({uid: 0}), {code, message: /image will run as root/});
  t.throws(() => withUser({username: 'anna'}), {
    code,
    message: /image has non-numeric user \(anna\), cannot verify user is non-root/,
  });
  t.notThrows(() => withUser({uid: 1000}));
  t.throws(() => configOf(`securityContext: {runAsNonRoot: true, runAsUser: 0}, ${plain}`), {
    code,
    message: /runAsUser is 0/,
  });
  t.notThrows(() => configOf(`securityContext: {runAsNonRoot: true, runAsUser: 1}, ${plain}`));
});

test('a pod with a bad name or with fields that cannot be dropped is not planned', (t) => {
  const pod = podOf(plain);
  const evil = {...pod, metadata: {...pod.metadata, namespace: '../../etc'}};
  t.throws(() => sandboxConfigOf(evil, undefined), {code: 'SUBROOT_POD_INVALID', message: /metadata\.namespace/});
  const nfs = podOf(`volumes: [{name: v, nfs: {}}], ${plain}`, 'name: web', 'keep');
  t.throws(() => sandboxConfigOf(nfs, undefined), {code: 'SUBROOT_MANIFEST_NOT_YET', message: /volumes\[0\]\.nfs/});
});

// ── starting and undoing

const two =
  'hostUsers: false, volumes: [{name: v, emptyDir: {}}], initContainers: [{name: init, image: host}], ' +
  'containers: [{name: a, image: host, volumeMounts: [{name: v, mountPath: /v}]}, {name: b, image: host}]';

function nodeFor(root: string) {
  const runtime = new FakeRuntime();
  runtime.exitCodes = {init: 0};
  return {runtime, ledger: openLedger(root, 1)};
}

test('a pod is started in order, stopped and removed, its block last', async (t) => {
  const root = newRoot(t);
  const node = nodeFor(root);
  const started = await startPod(node.runtime, podOf(`runtimeClassName: crun, ${two}`), {
    ledger: node.ledger,
    pollMs: 1,
  });
  t.deepEqual(node.runtime.calls, [
    'runPodSandbox web crun',
    'createContainer init',
    'startContainer init',
    'containerStatus init',
    'containerStatus init',
    'createContainer a',
    'startContainer a',
    'createContainer b',
    'startContainer b',
  ]);
  t.deepEqual(started.block, node.ledger.getOrCreate('uid-1'));
  t.deepEqual(
    started.containers.map(({name}) => name),
    ['a', 'b'],
  );
  t.deepEqual([...node.runtime.sandboxes.values()][0]?.config, started.sandboxConfig);
  await stopPod(node.runtime, started);
  t.true(node.runtime.calls.includes('stopContainer a 30'));
  node.runtime.calls.length = 0;
  node.runtime.onCall = () => t.is(node.ledger.list().length, 1, 'the block is still held');
  await removePod(node.runtime, started, node);
  t.deepEqual(node.runtime.calls, [
    'removeContainer b',
    'removeContainer a',
    'removeContainer init',
    'removePodSandbox sandbox0',
  ]);
  t.deepEqual(node.ledger.list(), []);
  t.deepEqual(readdirSync(join(root, 'pods')), []);
});

test('a pod without hostUsers false takes no block, and leaves no folder', async (t) => {
  const root = newRoot(t);
  const node = nodeFor(root);
  const started = await startPod(node.runtime, podOf(`volumes: [{name: v}], ${plain}`), {ledger: node.ledger});
  t.false('block' in started);
  t.deepEqual(node.ledger.list(), []);
  await stopPod(node.runtime, started, {gracePeriod: 0});
  await removePod(node.runtime, started, node);
  t.deepEqual(readdirSync(join(root, 'pods')), []);
});

for (const leaves of [false, true]) {
  test(`a failure of any call ${leaves ? 'that had its effect ' : ''}is undone: nothing half-made stays`, async (t) => {
    let failed = true;
    for (let at = 1; failed; at++) {
      const root = newRoot(t);
      const node = nodeFor(root);
      Object.assign(node.runtime, {failAt: at, leaves});
      failed = false;
      try {
        await startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1});
      } catch (error) {
        failed = true;
        const orphan = leaves && at === 1;
        t.like(error, {code: orphan ? 'SUBROOT_POD_UNDO_INCOMPLETE' : 'SUBROOT_INTERNAL'}, `call ${at}`);
        // A sandbox that the runtime failed to make and did not remove keeps its block: something may run in it.
        t.is(node.runtime.sandboxes.size, orphan ? 1 : 0, `call ${at}`);
        t.is(node.runtime.containers.size, 0, `call ${at}`);
        t.is(node.ledger.list().length, orphan ? 1 : 0, `call ${at}`);
        if (!orphan) t.deepEqual(readdirSync(join(root, 'pods')), [], `call ${at}`);
        assertWhole(t, root, [1], `call ${at}`);
      }
    }
  });
}

test('an abort at any call is undone and named, also one before the first', async (t) => {
  for (let at = 0; at <= 9; at++) {
    const root = newRoot(t);
    const node = nodeFor(root);
    const controller = new AbortController();
    if (at === 0) controller.abort(new Error('enough'));
    let calls = 0;
    node.runtime.onCall = () => {
      calls += 1;
      if (calls === at) controller.abort(new Error('enough'));
    };
    await t.throwsAsync(
      () => startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1, signal: controller.signal}),
      {
        code: 'SUBROOT_POD_ABORTED',
        message: /starting pod web was aborted before/,
      },
    );
    t.is(node.runtime.sandboxes.size + node.runtime.containers.size + node.ledger.list().length, 0, `call ${at}`);
    if (at === 0) t.deepEqual(node.runtime.calls, []);
  }
});

test('what cannot be undone is named, and its block stays reserved', async (t) => {
  const root = newRoot(t);
  const node = nodeFor(root);
  Object.assign(node.runtime, {failAt: 7, broken: 'removePodSandbox'});
  const error = await t.throwsAsync(() => startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1}), {
    code: 'SUBROOT_POD_UNDO_INCOMPLETE',
    message:
      /pod web failed \(.*injected failure of startContainer a.*\) and could not be undone: sandbox sandbox0, volumes, id block/,
  });
  t.true(error?.cause instanceof AggregateError);
  t.is(node.ledger.list().length, 1);
});

test("a second start of a running pod does not take the first one's block or volumes when it fails", async (t) => {
  const root = newRoot(t);
  const node = nodeFor(root);
  const first = await startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1});
  node.runtime.broken = 'runPodSandbox';
  await t.throwsAsync(() => startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1}), {
    code: 'SUBROOT_INTERNAL',
  });
  t.deepEqual(
    node.ledger.list().map(({hostId}) => hostId),
    [first.block?.hostId],
  );
  t.true(existsSync(join(root, 'pods', 'uid-1', 'volumes', 'kubernetes.io~empty-dir', 'v')));
});

test('a failed init container ends the start, with its exit code and its log', async (t) => {
  const root = newRoot(t);
  const node = nodeFor(root);
  node.runtime.exitCodes = {init: 3};
  await t.throwsAsync(() => startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1}), {
    code: 'SUBROOT_INIT_CONTAINER_FAILED',
    message: /init container init of pod web ended with exit code 3 \(Error\)[\s\S]*\/logs\/init\/0\.log/,
  });
  t.is(node.ledger.list().length, 0);
  t.false(node.runtime.calls.includes('createContainer a'));
});

test('a mistake in the last container starts nothing', async (t) => {
  const node = nodeFor(newRoot(t));
  const spec =
    'hostUsers: false, containers: [{name: a, image: host}, {name: b, image: host, securityContext: {runAsNonRoot: true}}]';
  await t.throwsAsync(() => startPod(node.runtime, podOf(spec), {ledger: node.ledger}), {code: 'SUBROOT_POD_NON_ROOT'});
  t.deepEqual(node.runtime.calls, ['listPodSandbox']);
  t.deepEqual(node.ledger.list(), []);
});

test('D5 a runtime without support is refused before a block is taken', async (t) => {
  const node = nodeFor(newRoot(t));
  await t.throwsAsync(
    () =>
      startPod(node.runtime, podOf(two), {
        ledger: node.ledger,
        kubelet: {handlers: [{name: '', userNamespaces: false}]},
      }),
    {
      code: 'SUBROOT_POD_REJECTED',
      message: /runtime does not support user namespaces/,
    },
  );
  t.deepEqual(node.runtime.calls, []);
  t.deepEqual(node.ledger.list(), []);
});

test('a removal that fails keeps the block, and a second one ends it', async (t) => {
  const node = nodeFor(newRoot(t));
  const started = await startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1});
  await stopPod(node.runtime, started);
  node.runtime.broken = 'removePodSandbox';
  await t.throwsAsync(() => removePod(node.runtime, started, node), {code: 'SUBROOT_INTERNAL'});
  t.is(node.ledger.list().length, 1);
  node.runtime.broken = undefined;
  await removePod(node.runtime, started, node);
  t.is(node.ledger.list().length, 0);
});

test('one container that cannot be stopped does not keep the others running', async (t) => {
  const node = nodeFor(newRoot(t));
  const started = await startPod(node.runtime, podOf(two), {ledger: node.ledger, pollMs: 1});
  node.runtime.broken = 'stopContainer a';
  await t.throwsAsync(() => stopPod(node.runtime, started), {message: /injected failure of stopContainer a/});
  t.true(node.runtime.calls.includes('stopContainer b 30'));
  t.true(node.runtime.calls.some((call) => call.startsWith('stopPodSandbox')));
});
