import test from 'ava';
import fc from 'fast-check';
import type {EnvironmentSources, NodeFacts, Pod} from '../../sim/index.ts';
import {
  containerConfigOf,
  environmentOf,
  parseManifests,
  parseQuantity,
  quantityIn,
  validatePod,
} from '../../sim/index.ts';

const objects = `
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {plain: one, 1digit: two, ref: "$(A)"}, binaryData: {bin: AAEC}}
---
{apiVersion: v1, kind: Secret, metadata: {name: sec}, stringData: {password: s3cret}, data: {bytes: /w==, nul: YQBi}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: cm, namespace: other}, data: {plain: elsewhere}}
`;
const node: NodeFacts = {
  name: 'box',
  hostIPs: ['192.0.2.7', '2001:db8::7'],
  capacity: {cpu: '4', memory: String(8 * 1024 ** 3), 'ephemeral-storage': '1000'},
};

function read(container: string, spec = '', metadata = 'labels: {app: web}, annotations: {example.com/a: b}') {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: p, uid: u-1, ${metadata}}, spec: {${spec} containers: [{name: c, image: host, ${container}}, {name: d, image: host, resources: {limits: {memory: 1Gi}}}]}}${objects}`;
  const manifests = parseManifests(text, {file: 'pod.yaml'});
  const [pod] = manifests.pods;
  const [first] = pod?.spec.containers ?? [];
  if (!pod || !first) throw new Error('no pod');
  return {...manifests, pod, container: first};
}
function env(container: string, more: Partial<EnvironmentSources> = {}, spec = '') {
  const {pod, container: first, objects} = read(container, spec);
  return Object.fromEntries(environmentOf(pod, first, {objects, node: () => node, ...more}));
}
const ref = (source: string) => env(`env: [{name: V, valueFrom: {${source}}}]`).V;
const field = (path: string) => ref(`fieldRef: {fieldPath: "${path}"}`);
const resource = (words: string, resources = '{}') =>
  env(`resources: ${resources}, env: [{name: V, valueFrom: {resourceFieldRef: {${words}}}}]`).V;

for (const [path, expected] of [
  ['metadata.name', 'p'],
  ['metadata.namespace', 'default'],
  ['metadata.uid', 'u-1'],
  ["metadata.labels['app']", 'web'],
  ["metadata.labels['none']", ''],
  ["metadata.annotations['example.com/a']", 'b'],
  ['spec.nodeName', 'box'],
  ['spec.serviceAccountName', 'default'],
  ['status.hostIP', '192.0.2.7'],
  ['status.hostIPs', '192.0.2.7,2001:db8::7'],
  ['status.podIP', '127.0.0.1'],
  ['status.podIPs', '127.0.0.1'],
] as const) {
  test(`fieldRef ${path} is "${expected}"`, (t) => {
    t.is(field(path), expected);
    const {pod} = read(`env: [{name: V, valueFrom: {fieldRef: {fieldPath: "${path}"}}}]`);
    t.deepEqual(validatePod(pod), []);
  });
}

test('a pod with a nodeName and an account says those', (t) => {
  const spec = 'nodeName: n1, serviceAccountName: robot,';
  const both =
    'env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}, {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}]';
  t.deepEqual(env(both, {}, spec), {NODE: 'n1', ACCOUNT: 'robot'});
});

for (const [words, resources, expected] of [
  ['resource: limits.cpu', '{limits: {cpu: 1500m}}', '2'],
  ['resource: limits.cpu, divisor: 1m', '{limits: {cpu: 1500m}}', '1500'],
  ['resource: limits.cpu, divisor: 1m', '{limits: {cpu: 0.5}}', '500'],
  ['resource: limits.cpu', '{}', '4'],
  ['resource: limits.memory, divisor: 1Mi', '{limits: {memory: 64Mi}}', '64'],
  ['resource: limits.memory, divisor: 1Mi', '{limits: {memory: 65M}}', '62'],
  ['resource: limits.memory', '{}', '8589934592'],
  ['resource: requests.memory, divisor: 1k', '{requests: {memory: 2500}}', '3'],
  ['resource: requests.cpu, divisor: 1m', '{limits: {cpu: 2}}', '2000'],
  ['resource: requests.cpu', '{}', '0'],
  ['resource: limits.ephemeral-storage', '{}', '1000'],
  ['resource: limits.hugepages-2Mi', '{limits: {hugepages-2Mi: 4Mi}}', '4194304'],
  ['resource: limits.memory, containerName: d, divisor: 1Gi', '{}', '1'],
  ['resource: limits.cpu, divisor: "0"', '{limits: {cpu: 3}}', '3'],
] as const) {
  test(`resourceFieldRef {${words}} of ${resources} is ${expected}`, (t) => {
    t.is(resource(words, resources), expected);
  });
}

test('a key of a ConfigMap or Secret of the pod’s own namespace', (t) => {
  t.is(ref('configMapKeyRef: {name: cm, key: plain}'), 'one');
  t.is(ref('secretKeyRef: {name: sec, key: password}'), 's3cret');
  t.is(ref('configMapKeyRef: {name: cm, key: ref}'), '$(A)');
});

test('an optional key or object that is not there leaves its variable out', (t) => {
  t.is(ref('configMapKeyRef: {name: cm, key: none, optional: true}'), undefined);
  t.is(ref('secretKeyRef: {name: none, key: x, optional: true}'), undefined);
  t.deepEqual(env('envFrom: [{secretRef: {name: none, optional: true}}]'), {});
});

test('what is missing is named, with where it is referred to and what there is', (t) => {
  t.throws(() => ref('configMapKeyRef: {name: none, key: x}'), {
    code: 'SUBROOT_OBJECT_MISSING',
    message: /configmap "none" not found: container c, variable V refers to ConfigMap default\/none/,
  });
  t.throws(() => ref('secretKeyRef: {name: sec, key: x}'), {
    code: 'SUBROOT_OBJECT_KEY_MISSING',
    message: /couldn't find key x in Secret default\/sec, .*password/,
  });
  t.throws(() => env('envFrom: [{configMapRef: {name: none}}]'), {
    code: 'SUBROOT_OBJECT_MISSING',
    message: /envFrom\[0\]/,
  });
});

test('bytes that are no text are refused, and the value is not shown', (t) => {
  const code = 'SUBROOT_POD_VARIABLE_BYTES';
  t.throws(() => ref('secretKeyRef: {name: sec, key: bytes}'), {code, message: /variable V .* is no UTF-8 text/});
  const error = t.throws(() => ref('secretKeyRef: {name: sec, key: nul}'), {code, message: /holds a NUL byte/});
  t.false(error?.message.includes('a\0b'));
});

test('envFrom comes first, env wins, and both are seen by references', (t) => {
  const container =
    'envFrom: [{prefix: CM_, configMapRef: {name: cm}}], command: ["$(CM_plain)"], ' +
    'env: [{name: A, value: "$(CM_plain)-$(LATER)"}, {name: LATER, value: x}, {name: CM_ref, value: own}, {name: B, value: "$(A)"}]';
  t.deepEqual(env(container), {
    ...{CM_plain: 'one', CM_1digit: 'two', CM_ref: 'own'},
    ...{A: 'one-$(LATER)', LATER: 'x', B: 'one-$(LATER)'},
  });
  const {pod, container: first, objects} = read(container);
  t.deepEqual(containerConfigOf(pod, first, undefined, {objects}).command, ['one']);
});

test('what comes from elsewhere is not expanded', (t) => {
  t.is(env('env: [{name: A, value: x}, {name: V, valueFrom: {configMapKeyRef: {name: cm, key: ref}}}]').V, '$(A)');
});

test('before 1.32 a key that is no name is left out with a word; from then on nearly all are names', (t) => {
  const told: string[] = [];
  const container = 'envFrom: [{configMapRef: {name: cm}}]';
  const old = env(container, {kubernetes: '1.31', onSkipped: (message) => told.push(message)});
  t.deepEqual(Object.keys(old), ['plain', 'ref']);
  t.deepEqual(told, [
    'Keys [1digit] from the EnvFrom configMap default/cm were skipped since they are considered invalid environment variable names.',
  ]);
  t.deepEqual(Object.keys(env(container, {kubernetes: '1.32'})), ['plain', '1digit', 'ref']);
});

test('fileKeyRef is refused', (t) => {
  t.throws(() => ref('fileKeyRef: {volumeName: v, path: p, key: k}'), {
    code: 'SUBROOT_MANIFEST_NOT_YET',
    message: /env\[0\]\.valueFrom\.fileKeyRef/,
  });
});

// ── what the API says

function complaints(container: string, kubernetes = '1.37'): string[] {
  return validatePod(read(container).pod as Pod, {kubernetes}).map(({text}) => text);
}
const at = 'spec.containers[0].env[0].valueFrom';
const from = (source: string, value = '') => `env: [{name: V, ${value} valueFrom: {${source}}}]`;

for (const [what, container, expected] of [
  [
    'no source',
    from(''),
    `${at}: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``,
  ],
  [
    'two sources',
    from('fieldRef: {fieldPath: metadata.name}, configMapKeyRef: {name: cm, key: k}'),
    `${at}: Invalid value: "": may not have more than one field specified at a time`,
  ],
  [
    'a value too',
    from('fieldRef: {fieldPath: metadata.name}', 'value: x,'),
    `${at}: Invalid value: "": may not be specified when \`value\` is not empty`,
  ],
  ['no field', from('fieldRef: {}'), `${at}.fieldRef.fieldPath: Required value`],
  [
    'a field that pods do not give',
    from('fieldRef: {fieldPath: spec.restartPolicy}'),
    `${at}.fieldRef.fieldPath: Invalid value: "spec.restartPolicy": error converting fieldPath: field label not supported: spec.restartPolicy`,
  ],
  [
    'all labels',
    from('fieldRef: {fieldPath: metadata.labels}'),
    `${at}.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
  ],
  [
    'a subscript elsewhere',
    from(`fieldRef: {fieldPath: "metadata.name['x']"}`),
    `${at}.fieldRef.fieldPath: Invalid value: "metadata.name['x']": does not support subscript`,
  ],
  [
    'no resource of that name',
    from('resourceFieldRef: {resource: limits.gpu}'),
    `${at}.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`,
  ],
  [
    'a divisor of another kind',
    from('resourceFieldRef: {resource: limits.cpu, divisor: 1Mi}'),
    `${at}.resourceFieldRef.divisor: Invalid value: "1Mi": only divisor's values 1m and 1 are supported with the cpu resource`,
  ],
  ['no key', from('secretKeyRef: {name: sec}'), `${at}.secretKeyRef.key: Required value`],
  ['no name', from('configMapKeyRef: {key: x}'), `${at}.configMapKeyRef.name: Required value`],
  [
    'envFrom without a source',
    'envFrom: [{prefix: A}]',
    'spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
  ],
  [
    'a prefix that is no name',
    'envFrom: [{prefix: "a=", secretRef: {name: sec}}]',
    `spec.containers[0].envFrom[0].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ],
] as const) {
  test(`the API refuses ${what}`, (t) => {
    t.deepEqual(complaints(container), [expected]);
  });
}

test('names of variables follow the version: strict before 1.32', (t) => {
  t.deepEqual(complaints('env: [{name: "1 a"}]', '1.37'), []);
  t.regex(
    complaints('env: [{name: "1 a"}]', '1.31')[0] ?? '',
    /env\[0\]\.name: Invalid value: "1 a": .*must not start with a digit/,
  );
  t.deepEqual(complaints(from('fieldRef: {fieldPath: status.hostIPs}'), '1.29'), []);
  t.is(complaints(from('fieldRef: {fieldPath: status.hostIPs}'), '1.28').length, 1);
});

// ── quantities

const BILLION = 1_000_000_000n;
for (const [text, billionths] of [
  ['0', 0n],
  ['1', BILLION],
  ['100m', BILLION / 10n],
  ['1.5Gi', 1_610_612_736n * BILLION],
  ['.5', BILLION / 2n],
  ['5.', 5n * BILLION],
  ['1e3', 1000n * BILLION],
  ['1E3', 1000n * BILLION],
  ['1E', 10n ** 18n * BILLION],
  ['2e-3', 2_000_000n],
  ['-1k', -1000n * BILLION],
  ['1n', 1n],
  ['0.1n', 1n],
] as const) {
  test(`the quantity ${text} is ${billionths} billionths`, (t) => {
    t.is(parseQuantity(text), billionths);
  });
}
for (const text of ['', '.', 'x', '1 Gi', '1GI', '1e', 'Mi', '1..2', '+', '0x10', '1e999']) {
  test(`"${text}" is no quantity`, (t) => {
    t.is(parseQuantity(text), undefined);
  });
}

test('a whole number of any unit by that unit is itself, and a little more is one more', (t) => {
  const units = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'm'];
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.constantFrom(...units), (count, unit) => {
      const [quantity, one] = [parseQuantity(`${count}${unit}`) ?? -1n, parseQuantity(`1${unit}`) ?? -1n];
      return quantityIn(quantity, one) === BigInt(count) && quantityIn(quantity + 1n, one) === BigInt(count) + 1n;
    }),
  );
  t.pass();
});

test('any text is a quantity or none, and none takes long', (t) => {
  fc.assert(
    fc.property(fc.string({maxLength: 200}), (text) => ['bigint', 'undefined'].includes(typeof parseQuantity(text))),
  );
  t.pass();
});
