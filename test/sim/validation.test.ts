import test from 'ava';
import type {Pod, ValidationOptions} from '../../sim/index.ts';
import {
  decideUserns,
  declaresHostNetworkUserns,
  dropDisabledFields,
  gateState,
  handlerSupportsUserns,
  isGateOn,
  parseManifests,
  requireUserns,
  requireValidPod,
  validatePod,
} from '../../sim/index.ts';

function podOf(spec: string, name = 'x'): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {containers: [{name: c, image: host}], ${spec}}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml', notYet: 'keep'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const texts = (pod: Pod, options?: ValidationOptions) => validatePod(pod, options).map(({text}) => text);
const versions = Array.from({length: 13}, (_, i) => `1.${25 + i}`);
const on = {gates: {UserNamespacesSupport: true}};
/** The gate is switched on where it can be. */
const enabled = (kubernetes: string): ValidationOptions => ({kubernetes, ...(Number(kubernetes.slice(2)) < 36 && on)});

for (const spec of ['', 'hostUsers: true', 'hostUsers: false']) {
  test(`L1 "${spec || 'empty spec'}" alone is valid in every version`, (t) => {
    for (const version of versions) t.deepEqual(texts(podOf(spec), enabled(version)), [], version);
  });
}

const stateless =
  'volumes: [{name: a, configMap: {name: x}}, {name: b, secret: {secretName: x}}, {name: c, downwardAPI: {}}, {name: d, projected: {}}, {name: e, emptyDir: {}}]';
test('L2 the five stateless volume types are valid in every version', (t) => {
  for (const version of versions)
    t.deepEqual(texts(podOf(`hostUsers: false, ${stateless}`), enabled(version)), [], version);
});

test('L2 a hostPath volume is valid from 1.28 on, and before it only without a user namespace', (t) => {
  const volumes = 'volumes: [{name: ok, emptyDir: {}}, {name: h, hostPath: {path: /}}, {name: far, nfs: {}}]';
  for (const version of versions) {
    t.deepEqual(texts(podOf(`hostUsers: true, ${volumes}`), enabled(version)), []);
    const errors = texts(podOf(`hostUsers: false, ${volumes}`), enabled(version));
    const old = ['spec.volumes[1]', 'spec.volumes[2]'].map(
      (path) => `${path}: Forbidden: when \`pod.Spec.HostUsers\` is false`,
    );
    t.deepEqual(errors, Number(version.slice(2)) <= 27 ? old : [], version);
  }
});

for (const [field, path] of [
  ['hostNetwork', 'spec.hostNetwork'],
  ['hostPID', 'spec.HostPID'],
  ['hostIPC', 'spec.HostIPC'],
] as const) {
  test(`L3 hostUsers false with ${field} is forbidden at ${path}, in the words of each version`, (t) => {
    for (const version of versions) {
      const words = Number(version.slice(2)) <= 33 ? '`pod.Spec.HostUsers`' : '`hostUsers`';
      t.deepEqual(texts(podOf(`hostUsers: false, ${field}: true`), enabled(version)), [
        `${path}: Forbidden: when ${words} is false`,
      ]);
      for (const hostUsers of ['', 'hostUsers: true,'])
        t.deepEqual(texts(podOf(`${hostUsers} ${field}: true`), enabled(version)), []);
    }
  });
}

const devices =
  'hostUsers: false, initContainers: [{name: i, image: host, volumeDevices: [{name: d, devicePath: /dev/d}]}], ephemeralContainers: [{name: e, image: host, volumeDevices: [{name: d, devicePath: /d}, {name: e, devicePath: /e}]}]';
test('L4 volumeDevices are forbidden from 1.34 on, one error per container', (t) => {
  for (const version of versions) {
    const paths = ['spec.initContainers[0].volumeDevices', 'spec.ephemeralContainers[0].volumeDevices'];
    const errors = validatePod(podOf(devices), enabled(version)).map(({path}) => path);
    t.deepEqual(errors, Number(version.slice(2)) >= 34 ? paths : [], version);
  }
});

test('L5 volumeDevices stay allowed for a pod that had them, and for no other', (t) => {
  t.deepEqual(texts(podOf(devices), {oldPod: podOf(devices)}), []);
  t.is(texts(podOf(devices), {oldPod: podOf('hostUsers: false')}).length, 2);
  t.is(texts(podOf(devices), {oldPod: podOf(devices.replace('false', 'true'))}).length, 2);
});

test('hostNetwork is allowed by its alpha gate from 1.35 on, or when the old pod had both', (t) => {
  const pod = podOf('hostUsers: false, hostNetwork: true');
  const gates = {UserNamespacesHostNetworkSupport: true};
  for (const kubernetes of ['1.35', '1.36', '1.37']) t.deepEqual(texts(pod, {kubernetes, gates}), []);
  t.deepEqual(texts(pod, {oldPod: pod}), []);
  t.is(texts(pod, {oldPod: podOf('hostUsers: false')}).length, 1);
  t.throws(() => texts(pod, {kubernetes: '1.34', gates}), {
    code: 'SUBROOT_USAGE',
    message: /unrecognized feature gate: UserNamespacesHostNetworkSupport \(Kubernetes 1\.34\)/,
  });
});

test("the API's whole text is given, one error alone and several in brackets", (t) => {
  t.throws(() => requireValidPod(podOf('hostUsers: false, hostNetwork: true')), {
    code: 'SUBROOT_POD_INVALID',
    message: /^The Pod "x" is invalid: spec\.hostNetwork: Forbidden: when `hostUsers` is false\n/,
  });
  t.throws(
    () =>
      requireValidPod(podOf('hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true'), {kubernetes: '1.33'}),
    {
      message:
        /^The Pod "x" is invalid: \[spec\.hostNetwork: Forbidden: when `pod\.Spec\.HostUsers` is false, spec\.HostPID: .*, spec\.HostIPC: .*\]\n/,
    },
  );
  t.notThrows(() => requireValidPod(podOf('hostUsers: false')));
});

test('procMount Unmasked wants hostUsers false', (t) => {
  const spec = (hostUsers: string) =>
    podOf(`${hostUsers} initContainers: [{name: i, image: host, securityContext: {procMount: Unmasked}}]`);
  const text =
    'spec.initContainers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`';
  t.deepEqual(texts(spec('hostUsers: false,')), []);
  t.deepEqual(texts(spec('')), [text]);
  t.deepEqual(texts(spec('hostUsers: true,')), [text]);
  t.regex(
    texts(podOf('initContainers: [{name: i, image: host, securityContext: {procMount: Odd}}]'))[0] ?? '',
    /Unsupported value: "Odd": supported values: "Default", "Unmasked"/,
  );
});

test('hostUsers cannot be set for a windows pod, whatever its value', (t) => {
  for (const value of ['true', 'false']) {
    t.deepEqual(texts(podOf(`os: {name: windows}, hostUsers: ${value}`)), [
      'spec.hostUsers: Forbidden: cannot be set for a windows pod',
    ]);
  }
  t.deepEqual(texts(podOf('os: {name: windows}')), []);
});

test('privileged, capabilities and runAsUser are valid with hostUsers false', (t) => {
  t.deepEqual(
    texts(
      podOf(
        'hostUsers: false, securityContext: {runAsUser: 0}, initContainers: [{name: i, image: host, securityContext: {privileged: true, capabilities: {add: [SYS_ADMIN]}}}]',
      ),
    ),
    [],
  );
});

for (const [spec, text] of [
  [
    'restartPolicy: Sometimes',
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
  ],
  [
    'terminationGracePeriodSeconds: -1',
    'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'shareProcessNamespace: true, hostPID: true',
    'spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
  ],
  [
    'securityContext: {runAsUser: 2147483648}',
    'spec.securityContext.runAsUser: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive',
  ],
  [
    'volumes: [{name: v, hostPath: {path: /a/../b}}]',
    'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
  ],
  ['initContainers: [{name: i}]', 'spec.initContainers[0].image: Required value'],
] as const) {
  test(`{${spec}} is invalid`, (t) => {
    t.deepEqual(texts(podOf(spec)), [text]);
  });
}

for (const version of ['1.24', '1.38', '2.0', '', 'v1', '1.36.x', 'latest']) {
  test(`"${version}" is no known version, and the range is named`, (t) => {
    t.throws(() => validatePod(podOf(''), {kubernetes: version}), {
      code: 'SUBROOT_KUBERNETES_VERSION',
      message: /subroot knows 1\.25 to 1\.37/,
    });
  });
}
test('v1.36 and 1.36.2 are 1.36', (t) => {
  for (const kubernetes of ['v1.36', '1.36.2']) t.deepEqual(texts(podOf(''), {kubernetes}), []);
});

for (const old of [undefined, 'hostUsers: true', 'hostUsers: false']) {
  for (const fresh of ['hostUsers: true', 'hostUsers: false']) {
    test(`M1 gate on, old pod ${old ?? 'absent'}, new pod ${fresh}: both stay as they are`, (t) => {
      const oldPod = old === undefined ? undefined : podOf(old);
      const pod = podOf(fresh);
      const before = structuredClone([oldPod, pod]);
      t.is(dropDisabledFields(pod, {kubernetes: '1.34', ...(oldPod && {oldPod})}), pod);
      t.deepEqual([oldPod, pod], before);
    });
  }
}

test('gate off: hostUsers is dropped in silence, unless the old pod had it with any value', (t) => {
  const pod = podOf('hostUsers: false, hostNetwork: true');
  for (const kubernetes of ['1.25', '1.30', '1.32']) {
    t.false('hostUsers' in dropDisabledFields(pod, {kubernetes}).spec);
    t.deepEqual(texts(pod, {kubernetes}), []);
    t.is(dropDisabledFields(pod, {kubernetes, oldPod: podOf('hostUsers: true')}).spec.hostUsers, false);
    t.false('hostUsers' in dropDisabledFields(pod, {kubernetes, oldPod: podOf('')}).spec);
  }
  t.is(pod.spec.hostUsers, false, 'the object that was handed in stays');
  t.false('hostUsers' in dropDisabledFields(pod, {kubernetes: '1.35', gates: {UserNamespacesSupport: false}}).spec);
});

test('the gates have the history of the releases', (t) => {
  const history = versions.map((version) => {
    const state = gateState('UserNamespacesSupport', version);
    return `${state?.stage} ${state?.enabled ? 'on' : 'off'}${state?.locked ? ' locked' : ''}`;
  });
  t.deepEqual(history, [
    ...Array(5).fill('alpha off'),
    ...Array(3).fill('beta off'),
    ...Array(3).fill('beta on'),
    'ga on locked',
    'ga on locked',
  ]);
  const pss = versions.map((version) => gateState('UserNamespacesPodSecurityStandards', version) !== undefined);
  t.deepEqual(
    versions.filter((_, i) => pss[i]),
    ['1.29', '1.30', '1.31', '1.32', '1.33', '1.34'],
  );
  t.is(gateState('UserNamespacesHostNetworkSupport', '1.34'), undefined);
  t.true(isGateOn('KubeletInUserNamespace', '1.37'));
  t.false(isGateOn('KubeletInUserNamespace', '1.36'));
});

test('a locked gate cannot be switched off', (t) => {
  t.throws(() => isGateOn('UserNamespacesSupport', '1.36', {UserNamespacesSupport: false}), {
    code: 'SUBROOT_USAGE',
    message: /locked to true/,
  });
  t.true(isGateOn('UserNamespacesSupport', '1.36', {UserNamespacesSupport: true}));
});

// ── the kubelet's side

const handlers = [
  {name: 'has-support', userNamespaces: true},
  {name: 'has-no-support', userNamespaces: false},
  {name: '', userNamespaces: true},
];

test('R1 support is answered per handler, and an unknown handler says so', (t) => {
  t.deepEqual(handlerSupportsUserns(handlers, 'has-support'), {kind: 'supported'});
  t.deepEqual(handlerSupportsUserns(handlers, 'has-no-support'), {kind: 'unsupported'});
  t.deepEqual(handlerSupportsUserns(handlers, 'unknown'), {
    kind: 'unsupported',
    cause: 'the handler "unknown" is not known',
  });
  t.deepEqual(handlerSupportsUserns([], ''), {kind: 'unsupported'});
});

test("D1–D3 H2 no pod, an empty pod and hostUsers true: the node's namespace, or nothing while the gate is off", (t) => {
  for (const pod of [undefined, podOf('')]) {
    t.deepEqual(decideUserns(pod, {handlers: []}), {kind: 'node'});
    t.deepEqual(decideUserns(pod, {handlers: [], kubernetes: '1.30'}), {kind: 'absent'});
  }
  t.deepEqual(decideUserns(podOf('hostUsers: true'), {handlers: []}), {kind: 'node'});
});

test('D4 K4 hostUsers false on a handler with support: a namespace of its own', (t) => {
  t.deepEqual(decideUserns(podOf('hostUsers: false'), {handlers}), {kind: 'pod'});
});

for (const [id, spec, known, why] of [
  [
    'K6 an empty handler list',
    '',
    [],
    /^can't set `spec\.hostUsers: false`, runtime does not support user namespaces$/,
  ],
  [
    'D5 a handler without support',
    'runtimeClassName: has-no-support,',
    handlers,
    /RuntimeClass handler "has-no-support" does not support user namespaces$/,
  ],
  [
    'an unknown handler',
    'runtimeClassName: nope,',
    handlers,
    /RuntimeClass handler "nope" does not support user namespaces: the handler "nope" is not known$/,
  ],
] as const) {
  test(`${id} rejects the pod from 1.30 on, and before it is silent`, (t) => {
    const pod = podOf(`${spec} hostUsers: false`);
    const now = decideUserns(pod, {handlers: known});
    t.is(now.kind, 'rejected');
    t.regex(now.kind === 'rejected' ? now.why : '', why);
    t.is(decideUserns(pod, {handlers: known, kubernetes: '1.29', ...on}).kind, 'silent-node');
    t.throws(() => requireUserns(pod, {handlers: known}), {
      code: 'SUBROOT_POD_REJECTED',
      message: /stays Pending \(FailedCreatePodSandBox\)/,
    });
  });
}

test('H3 K5 gate off: any hostUsers is an error from 1.30 on', (t) => {
  for (const value of ['true', 'false']) {
    const decision = decideUserns(podOf(`hostUsers: ${value}`), {handlers, kubernetes: '1.32'});
    t.like(decision, {
      kind: 'rejected',
      why: 'the feature gate "UserNamespacesSupport" is disabled: can\'t set spec.HostUsers',
    });
  }
  t.is(decideUserns(podOf('hostUsers: false'), {handlers, kubernetes: '1.28'}).kind, 'silent-node');
  t.is(decideUserns(podOf('hostUsers: true'), {handlers, kubernetes: '1.28'}).kind, 'absent');
});

test('N1 N2 host network with user namespaces is declared when gate and runtime agree', (t) => {
  t.deepEqual(
    [
      [false, true],
      [true, false],
      [true, true],
    ].map(([gate = false, flag = false]) => declaresHostNetworkUserns(gate, flag)),
    [false, false, true],
  );
});
