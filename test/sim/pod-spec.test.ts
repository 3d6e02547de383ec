import test from 'ava';
import fc from 'fast-check';
import {ApiObjects, MAX_MANIFEST_BYTES, parseManifests} from '../../sim/index.ts';

const file = 'pod.yaml';
const parse = (text: string) => parseManifests(text, {file, newUid: () => 'uid-1'});
const pod = (spec: string, metadata = 'name: web') =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  ${metadata}\nspec:\n${spec.replace(/^/gm, '  ')}`;
const container = 'containers:\n- {name: c, image: host}';
const only = (text: string) => {
  const [first] = parse(text).pods;
  if (!first) throw new Error('no pod');
  return first;
};

test("the task page's pod is read, with the API server's defaults", (t) => {
  const {pods, warnings} = parse(
    pod(
      `hostUsers: false\ncontainers:\n- name: shell\n  command: ["sleep", "infinity"]\n  image: debian`,
      'name: userns',
    ),
  );
  t.deepEqual(warnings, []);
  t.deepEqual(pods[0]?.metadata, {name: 'userns', namespace: 'default', uid: 'uid-1', labels: {}, annotations: {}});
  t.like(pods[0]?.spec, {
    hostUsers: false,
    hostNetwork: false,
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
  });
  t.like(pods[0]?.spec.containers[0], {
    name: 'shell',
    command: ['sleep', 'infinity'],
    args: [],
    stdin: false,
    tty: false,
  });
});

test('an absent hostUsers stays absent, and null is absent', (t) => {
  t.false('hostUsers' in only(pod(container)).spec);
  t.false('hostUsers' in only(pod(`hostUsers: null\n${container}`)).spec);
});

for (const [text, value] of [
  ['false', false],
  ['no', false],
  ['off', false],
  ['true', true],
  ['yes', true],
] as const) {
  test(`hostUsers: ${text} is ${value}, as to kubectl`, (t) => {
    t.is(only(pod(`hostUsers: ${text}\n${container}`)).spec.hostUsers, value);
  });
}

test('every field that subroot honours arrives', (t) => {
  const {spec, metadata} = only(
    pod(
      `hostUsers: false
hostname: box
shareProcessNamespace: true
restartPolicy: Never
terminationGracePeriodSeconds: 5
runtimeClassName: crun
os: {name: linux}
securityContext: {runAsUser: 7, runAsGroup: 8, runAsNonRoot: true, supplementalGroups: [9], fsGroup: 10, fsGroupChangePolicy: OnRootMismatch, sysctls: [{name: a.b, value: "1"}]}
dnsConfig: {nameservers: [1.1.1.1], searches: [x], options: [{name: ndots, value: "5"}, {name: edns0}]}
volumes:
- {name: scratch, emptyDir: {sizeLimit: 1Gi}}
- {name: data, hostPath: {path: /data, type: Directory}}
- name: plain
- name: all
  projected:
    defaultMode: 0400
    sources:
    - secret: {name: s, items: [{key: k, path: p, mode: 0440}], optional: true}
    - downwardAPI: {items: [{path: cpu, resourceFieldRef: {containerName: c, resource: limits.cpu, divisor: 1}}]}
initContainers:
- {name: init, image: host}
containers:
- name: c
  image: host
  command: [a]
  args: [b]
  workingDir: /w
  stdin: true
  stdinOnce: true
  tty: true
  env: [{name: A, value: x}, {name: B}]
  ports: [{containerPort: 80}]
  lifecycle: {stopSignal: SIGUSR1}
  volumeMounts: [{name: data, mountPath: /d, readOnly: true, subPath: s}, {name: scratch, mountPath: /s, mountPropagation: HostToContainer, subPathExpr: $(A)}]
  securityContext:
    runAsUser: 1
    capabilities: {add: [NET_ADMIN], drop: [ALL]}
    privileged: true
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: true
    procMount: Unmasked
    seccompProfile: {type: Unconfined}`,
      'name: web\n  namespace: ns\n  uid: u\n  labels: {app: x}\n  annotations: {note: "1"}',
    ),
  );
  t.deepEqual(metadata, {name: 'web', namespace: 'ns', uid: 'u', labels: {app: 'x'}, annotations: {note: '1'}});
  t.deepEqual(spec.volumes, [
    {name: 'scratch', kind: 'emptyDir', medium: '', sizeLimit: '1Gi'},
    {name: 'data', kind: 'hostPath', path: '/data', type: 'Directory'},
    {name: 'plain', kind: 'emptyDir', medium: ''},
    {
      name: 'all',
      kind: 'projected',
      defaultMode: 0o400,
      sources: [
        {kind: 'secret', name: 's', items: [{key: 'k', path: 'p', mode: 0o440}], optional: true},
        {
          kind: 'downwardAPI',
          items: [
            {path: 'cpu', sources: 1, source: {kind: 'resource', container: 'c', resource: 'limits.cpu', divisor: '1'}},
          ],
        },
      ],
    },
  ]);
  t.deepEqual(spec.dnsConfig, {servers: ['1.1.1.1'], searches: ['x'], options: ['ndots:5', 'edns0']});
  t.deepEqual(spec.securityContext, {
    runAsUser: 7,
    runAsGroup: 8,
    runAsNonRoot: true,
    supplementalGroups: [9],
    fsGroup: 10,
    fsGroupChangePolicy: 'OnRootMismatch',
    sysctls: {'a.b': '1'},
  });
  t.like(spec, {
    hostname: 'box',
    shareProcessNamespace: true,
    restartPolicy: 'Never',
    runtimeClassName: 'crun',
    os: {name: 'linux'},
  });
  const [c] = spec.containers;
  t.deepEqual(c?.env, [
    {name: 'A', value: 'x'},
    {name: 'B', value: ''},
  ]);
  t.deepEqual(c?.volumeMounts, [
    {
      name: 'data',
      mountPath: '/d',
      readOnly: true,
      mountPropagation: 'None',
      recursiveReadOnly: 'Disabled',
      subPath: 's',
    },
    {
      name: 'scratch',
      mountPath: '/s',
      readOnly: false,
      mountPropagation: 'HostToContainer',
      recursiveReadOnly: 'Disabled',
      subPathExpr: '$(A)',
    },
  ]);
  t.like(c, {workingDir: '/w', stdin: true, stdinOnce: true, tty: true, stopSignal: 'SIGUSR1'});
  t.deepEqual(c?.securityContext, {
    runAsUser: 1,
    capabilities: {add: ['NET_ADMIN'], drop: ['ALL']},
    privileged: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: true,
    procMount: 'Unmasked',
    seccompProfile: {type: 'Unconfined'},
  });
  t.is(spec.initContainers[0]?.name, 'init');
});

test('several documents, empty ones, lists and nested lists give pods in order, other objects apart', (t) => {
  const one = pod(container, 'name: one');
  const asJson = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: 'two'},
    spec: {containers: [{name: 'c', image: 'host'}]},
  });
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${asJson}\n- {apiVersion: v1, kind: List, items: [${asJson.replace('two', 'three')}]}\n- {apiVersion: v1, kind: List}`;
  const others =
    'apiVersion: v1\nkind: Service\nmetadata: {name: cm}\ndata: {__proto__: x}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: s}';
  const {pods, others: found} = parse(['# only a comment', one, '', list, others, '~', '---'].join('\n---\n'));
  t.deepEqual(
    pods.map(({metadata}) => metadata.name),
    ['one', 'two', 'three'],
  );
  t.deepEqual(
    found.map(({kind, name}) => [kind, name]),
    [
      ['Service', 'cm'],
      ['Namespace', 's'],
    ],
  );
  t.is(JSON.stringify(found[0]?.object).slice(-25), '"data":{"__proto__":"x"}}');
});

test('JSON with tabs and a byte order mark is read', (t) => {
  const json = JSON.stringify(
    {apiVersion: 'v1', kind: 'Pod', metadata: {name: 'j'}, spec: {containers: [{name: 'c', image: 'host'}]}},
    undefined,
    '\t',
  );
  t.is(only(`\uFEFF${json}`).metadata.name, 'j');
});

test('a file of nothing gives nothing', (t) => {
  for (const text of ['', '---\n---\n', '# comment\n', 'null\n'])
    t.deepEqual(parse(text), {pods: [], objects: ApiObjects.none, others: [], warnings: []});
});

test('an unknown field is named with path, line, column and the field that was meant', (t) => {
  const {warnings} = parse(pod(`hostUser: false\n${container}`));
  t.deepEqual(warnings, [
    {
      kind: 'unknown-field',
      file,
      line: 6,
      column: 3,
      path: 'spec.hostUser',
      text: 'spec.hostUser: unknown field, did you mean hostUsers?',
    },
  ]);
});

test('a field of another object or of no object is unknown, without a wrong hint', (t) => {
  const {warnings} = parse(
    pod('securityContext: {userns: "true"}\ncontainers: [{name: c, image: host, hostUsers: false, zzz: 1}]'),
  );
  t.deepEqual(
    warnings.map(({text}) => text),
    [
      'spec.securityContext.userns: unknown field',
      'spec.containers[0].hostUsers: unknown field',
      'spec.containers[0].zzz: unknown field',
    ],
  );
});

test('a field that Kubernetes honours and subroot does not is named apart', (t) => {
  const {warnings} = parse(
    pod('nodeSelector: {}\ncontainers: [{name: c, image: host, resources: {}, resizePolicy: []}]'),
  );
  t.deepEqual(warnings.map(({kind, text}) => [kind, text]).sort(), [
    ['not-honoured', 'known to Kubernetes, not yet honoured by subroot: spec.containers[0].resizePolicy'],
    ['not-honoured', 'known to Kubernetes, not yet honoured by subroot: spec.nodeSelector'],
  ]);
});

for (const [what, spec, path] of [
  ['an NFS volume', `volumes: [{name: v, nfs: {}}]\n${container}`, /volumes\[0\]\.nfs \(.*NFS has no idmapped mounts/],
  ['a CSI volume', `volumes: [{name: v, csi: {}}]\n${container}`, /volumes\[0\]\.csi \(.*no CSI driver runs here/],
  ['a claim', `volumes: [{name: v, persistentVolumeClaim: {}}]\n${container}`, /no API server here that binds a claim/],
  ['a raw disk', `volumes: [{name: v, iscsi: {}}]\n${container}`, /block device would have to be attached/],
  ['a huge page emptyDir', `volumes: [{name: v, emptyDir: {medium: HugePages}}]\n${container}`, /emptyDir\.medium/],
  [
    'a token of the API server',
    `volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]\n${container}`,
    /sources\[0\]\.serviceAccountToken \(.*no API server here that would sign a token/,
  ],
  [
    'a trust bundle',
    `volumes: [{name: v, projected: {sources: [{clusterTrustBundle: {path: t}}]}}]\n${container}`,
    /clusterTrustBundle/,
  ],
  [
    'a pod certificate',
    `volumes: [{name: v, projected: {sources: [{podCertificate: {}}]}}]\n${container}`,
    /podCertificate/,
  ],
  [
    'a hostPort',
    'containers: [{name: c, image: host, ports: [{containerPort: 1, hostPort: 2}]}]',
    /ports\[0\]\.hostPort/,
  ],
  [
    'volumeDevices',
    'containers: [{name: c, image: host, volumeDevices: [{name: d, devicePath: /dev/x}]}]',
    /volumeDevices/,
  ],
  [
    'a tcpSocket hook',
    'containers: [{name: c, image: host, lifecycle: {preStop: {tcpSocket: {port: 1}}}}]',
    /lifecycle\.preStop\.tcpSocket/,
  ],
  [
    'a subPath of what the machine is to see',
    `volumes: [{name: v}]\ncontainers: [{name: c, image: host, volumeMounts: [{name: v, mountPath: /v, subPath: a, mountPropagation: Bidirectional}]}]`,
    /mountPropagation/,
  ],
] as const) {
  test(`${what} cannot be left out in silence`, (t) => {
    t.throws(() => parse(pod(spec)), {code: 'SUBROOT_MANIFEST_NOT_YET', message: path});
    const {pods} = parseManifests(pod(spec), {file, notYet: 'keep'});
    t.is(pods[0]?.notYet.length, 1);
  });
}

test('confinement is read as it is written, of the pod and of each container', (t) => {
  const {spec} = only(
    pod(`securityContext:
  seccompProfile: {type: Localhost, localhostProfile: team/p.json}
  appArmorProfile: {type: RuntimeDefault}
  seLinuxOptions: {level: s0}
  supplementalGroupsPolicy: Strict
  sysctls: [{name: net.a, value: "1"}, {name: net.a, value: "2"}]
containers: [{name: c, image: host, securityContext: {seccompProfile: {}, seLinuxOptions: {type: t, user: u, role: r}}}]`),
  );
  t.deepEqual(spec.securityContext, {
    seccompProfile: {type: 'Localhost', localhostProfile: 'team/p.json'},
    appArmorProfile: {type: 'RuntimeDefault'},
    seLinuxOptions: {level: 's0'},
    supplementalGroupsPolicy: 'Strict',
    supplementalGroups: [],
    sysctls: {'net.a': '2'},
    repeatedSysctls: ['net.a'],
  });
  t.like(spec.containers[0]?.securityContext, {
    seccompProfile: {type: ''},
    seLinuxOptions: {type: 't', user: 'u', role: 'r'},
  });
});

for (const [what, text, message] of [
  ['a duplicate key', 'a: 1\nb: 2\na: 3', /pod\.yaml:3:1: .*the key "a" is set twice/],
  ['a tab as indentation', 'a:\n\tb: 1', /pod\.yaml:2:1: .*Tabs are not allowed/],
  ['an unclosed bracket', 'a: [1, 2', /pod\.yaml:1:\d+/],
  ['a mapping in a plain line', 'a: b: c', /pod\.yaml:1:4/],
  ['an unknown tag', 'a: !foo 1', /Unresolved tag/],
  ['an alias without anchor', 'a: *x', /pod\.yaml:1:4/],
  ['an alias in itself', 'a: &x [*x]', /contains itself/],
  ['a list as a key', '? [a]\n: 1', /a key must be plain text/],
  ['a merge of text', '<<: x', /merge key/],
] as const) {
  test(`${what} is a syntax error with its place`, (t) => {
    t.throws(() => parse(text), {code: 'SUBROOT_MANIFEST_SYNTAX', message});
  });
}

test('anchors, aliases and merge keys work, own keys win', (t) => {
  const text = pod('containers:\n- &base {name: a, image: host, tty: true}\n- {<<: *base, name: b}');
  t.deepEqual(
    only(text).spec.containers.map(({name, tty}) => [name, tty]),
    [
      ['a', true],
      ['b', true],
    ],
  );
});

test('an alias bomb is refused', (t) => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 10; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  t.throws(() => parse(lines.join('\n')), {code: 'SUBROOT_MANIFEST_ALIASES', message: /more than 200000 values/});
});

test('a manifest of 1 MiB is read, one byte more is not', (t) => {
  const text = `${pod(container)}\n#`;
  t.notThrows(() => parse(text.padEnd(MAX_MANIFEST_BYTES, 'x')));
  t.throws(() => parse(text.padEnd(MAX_MANIFEST_BYTES + 1, 'x')), {
    code: 'SUBROOT_MANIFEST_TOO_BIG',
    message: /1048577 bytes; a manifest may have 1048576/,
  });
  t.throws(() => parse(text.padEnd(MAX_MANIFEST_BYTES - 1, 'ä')), {code: 'SUBROOT_MANIFEST_TOO_BIG'});
});

for (const text of [
  '['.repeat(1 << 20),
  '{a: '.repeat(1 << 18),
  '- '.repeat(1 << 19),
  '? '.repeat(1 << 19),
  Array.from({length: 1400}, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
]) {
  test(`a depth bomb of ${JSON.stringify(text.slice(0, 6))} is refused in no time`, (t) => {
    const start = performance.now();
    t.throws(() => parse(text), {code: 'SUBROOT_MANIFEST_TOO_DEEP', message: /deeper than 64 levels/});
    t.true(performance.now() - start < 2000);
  });
}

for (const [what, text, message] of [
  [
    'a number as a name',
    pod(container, 'name: 123'),
    /metadata\.name: expected text, got number 123; put it in quotes/,
  ],
  ['true as a name', pod(container, 'name: yes'), /expected text, got boolean true; put it in quotes/],
  [
    'text as hostUsers',
    pod(`hostUsers: "false"\n${container}`),
    /spec\.hostUsers: expected true or false, got the text "false"/,
  ],
  [
    'a list as spec',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: []',
    /spec: expected a mapping, got a list/,
  ],
  ['no spec', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}', /spec: is required/],
  ['a mapping as containers', pod('containers: {}'), /spec\.containers: expected a list, got a mapping/],
  [
    'a fraction as an id',
    pod(`securityContext: {runAsUser: 1.5}\n${container}`),
    /runAsUser: expected a whole number, got number 1\.5/,
  ],
  [
    'numbers in args',
    pod('containers: [{name: c, image: host, args: [1, a]}]'),
    /args\[0\]: expected text, got number 1/,
  ],
  ['a label that is a number', pod(container, 'name: a\n  labels: {x: 1}'), /metadata\.labels\[x\]: expected text/],
  [
    'two volume types',
    pod(`volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]\n${container}`),
    /may not specify more than 1 volume type/,
  ],
  ['a list as document', '- 1', /expected a mapping, got a list/],
] as const) {
  test(`${what} is refused with its path`, (t) => {
    t.throws(() => parse(text), {code: 'SUBROOT_MANIFEST_FIELD', message});
  });
}

test('all wrong fields of a file are named at once', (t) => {
  t.throws(() => parse(pod('hostPID: 1\nhostIPC: x\ncontainers: [{name: 1, image: 2}]')), {
    message: /pod\.yaml:6:12: spec\.hostPID.*; .*spec\.hostIPC.*; .*containers\[0\]\.name.*; .*containers\[0\]\.image/,
  });
});

for (const [kind, message] of [
  [
    'Deployment',
    /pod\.yaml:1:1: Deployment: only v1\/Pod is run, not what makes pods\nTo mend: write a Pod from its spec\.template/,
  ],
  ['CronJob', /spec\.jobTemplate\.spec\.template/],
  ['Pood', /did you mean kind Pod\?/],
  ['Frobnicator', /begin the document with/],
] as const) {
  test(`kind ${kind} is refused with a mend`, (t) => {
    t.throws(() => parse(`apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: x}`), {
      code: 'SUBROOT_MANIFEST_KIND',
      message,
    });
  });
}

test('a pod of another apiVersion, an object without kind or apiVersion are refused', (t) => {
  const code = 'SUBROOT_MANIFEST_KIND';
  t.throws(() => parse('apiVersion: v2\nkind: Pod'), {code, message: /apiVersion "v2" is not v1/});
  t.throws(() => parse('apiVersion: v1\nname: x'), {code, message: /kind is not set/});
  t.throws(() => parse('kind: Pod'), {code, message: /apiVersion is not set/});
});

for (const [metadata, message] of [
  [
    'name: Web',
    /The Pod "Web" is invalid: metadata\.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of/,
  ],
  ['name: ""', /metadata\.name: Required value: name or generateName is required/],
  [`name: ${'a'.repeat(254)}`, /must be no more than 253 characters/],
  ['name: ../../etc', /metadata\.name: Invalid value/],
  ['name: a\n  namespace: a.b', /metadata\.namespace: Invalid value: "a\.b": must not contain dots/],
  ['name: a\n  uid: ../x', /metadata\.uid: Invalid value/],
] as const) {
  test(`${JSON.stringify(metadata.slice(0, 30))} is no name`, (t) => {
    t.throws(() => parse(pod(container, metadata)), {code: 'SUBROOT_POD_INVALID', message});
  });
}

test("names of containers and volumes are held to the API's rules, together", (t) => {
  const text = pod(
    'volumes: [{name: v}, {name: v}]\ncontainers: [{name: a/b, image: x}, {name: c, image: x, volumeMounts: [{name: w, mountPath: /w}]}, {name: c, image: x}]',
  );
  t.throws(() => parse(text), {
    code: 'SUBROOT_POD_INVALID',
    message:
      /invalid: \[spec\.volumes\[1\]\.name: Duplicate value: "v", spec\.containers\[0\]\.name: Invalid value: "a\/b": .*, spec\.containers\[1\]\.volumeMounts\[0\]\.name: Not found: "w", spec\.containers\[2\]\.name: Duplicate value: "c"\]/,
  });
});

test('control characters of a manifest are escaped in messages', (t) => {
  const error = t.throws(() => parse(pod(container, 'name: "a\\e[31m"')));
  t.false(error?.message.includes('\u001b'));
});

test('whatever the text, the answer is manifests or an error of ours', (t) => {
  const start = pod(container);
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .tuple(fc.nat(start.length), fc.string({maxLength: 6}))
      .map(([at, added]) => start.slice(0, at) + added + start.slice(at + added.length)),
  );
  fc.assert(
    fc.property(text, (value) => {
      try {
        parse(value);
        return true;
      } catch (error) {
        return String((error as {code?: string}).code).startsWith('SUBROOT_');
      }
    }),
    {numRuns: 2000},
  );
  t.pass();
});
