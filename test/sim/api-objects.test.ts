import test from 'ava';
import fc from 'fast-check';
import {SubrootError} from '../../native-free/errors.ts';
import {decodeBase64, objectKeyErrors} from '../../sim/api-object-fields.ts';
import {ApiObjects, bytesOf, manifestsOf, objectKeyMissing, objectMissing, parseManifests} from '../../sim/index.ts';

const file = 'pod.yaml';
const parse = (text: string) => parseManifests(text, {file});
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('utf8');
const refused = (object: unknown): string => {
  try {
    manifestsOf(object, {file});
  } catch (error) {
    if (error instanceof SubrootError && error.code === 'SUBROOT_MANIFEST_FIELD') return error.message;
    throw error;
  }
  return '';
};

test('a ConfigMap and a Secret of the input are found by namespace and name', (t) => {
  const {objects, others, pods} = parse(
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: blue, empty: }\nbinaryData: {raw: /wA=}',
      'apiVersion: v1\nkind: Secret\nmetadata: {name: settings, namespace: other}\nimmutable: true\ndata: {a: YWJj, b: eA==}\nstringData: {b: wins, c: plain}',
      'apiVersion: v1\nkind: Service\nmetadata: {name: web}',
    ].join('\n---\n'),
  );
  t.deepEqual(pods, []);
  t.deepEqual(
    others.map(({kind}) => kind),
    ['Service'],
  );
  const map = objects.configMap('default', 'settings');
  t.deepEqual(
    [...(map?.data ?? [])],
    [
      ['color', 'blue'],
      ['empty', ''],
    ],
  );
  t.deepEqual([...(map?.binaryData ?? [])], [['raw', Uint8Array.of(255, 0)]]);
  t.deepEqual(map && [...bytesOf(map).keys()], ['color', 'empty', 'raw']);
  const secret = objects.secret('other', 'settings');
  t.deepEqual(
    [...(secret?.data ?? [])].map(([key, bytes]) => [key, text(bytes)]),
    [
      ['a', 'abc'],
      ['b', 'wins'],
      ['c', 'plain'],
    ],
  );
  t.is(secret?.type, 'Opaque');
  t.is(objects.secret('default', 'settings'), undefined, 'a pod sees its own namespace only');
  t.is(objects.configMap('other', 'settings'), undefined);
});

test('lists of kubectl are read, and objects of runPod come before those of the node', (t) => {
  const list = (kind: string, color: string) => ({
    apiVersion: 'v1',
    kind: `${kind}List`,
    items: [{apiVersion: 'v1', kind, metadata: {name: 'a'}, data: {color}}],
  });
  const {objects: first} = manifestsOf(list('ConfigMap', 'red'), {file});
  const {objects: second} = manifestsOf(list('ConfigMap', 'blue'), {file});
  t.is(first.over(second).configMap('default', 'a')?.data.get('color'), 'red');
  t.is(ApiObjects.none.over(second).configMap('default', 'a')?.data.get('color'), 'blue');
  t.is(manifestsOf(list('Secret', 'YQ=='), {file}).objects.all.length, 1);
});

const configMap = (fields: object) => ({apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, ...fields});
const secret = (fields: object) => ({apiVersion: 'v1', kind: 'Secret', metadata: {name: 'a'}, ...fields});
for (const [what, object, message] of [
  ['a key with a slash', configMap({data: {'a/b': ''}}), /data\[a\/b\]: a valid config key must consist of/],
  ['the key ..', configMap({data: {'..': ''}}), /data\[\.\.\]: must not be '\.\.'/],
  ['a key that begins with ..', secret({stringData: {'..data': ''}}), /must not start with '\.\.'/],
  ['a key of 254 letters', configMap({data: {['k'.repeat(254)]: ''}}), /must be no more than 253 characters/],
  [
    'one key in both bags',
    configMap({data: {k: ''}, binaryData: {k: ''}}),
    /data\[k\]: duplicate of key present in binaryData/,
  ],
  [
    'data that is no base64',
    secret({data: {k: 'plain text'}}),
    /data\[k\]: illegal base64 data at input byte 5; plain text goes into stringData/,
  ],
  [
    'base64 without padding',
    configMap({binaryData: {k: 'YQ'}}),
    /binaryData\[k\]: illegal base64 data at input byte 2$/m,
  ],
  [
    'more than a mebibyte',
    configMap({data: {k: 'x'.repeat(1_048_577)}}),
    /Too long: may not be more than 1048576 bytes, and has 1048577/,
  ],
  ['no name', {apiVersion: 'v1', kind: 'Secret', metadata: {}}, /metadata\.name: name or generateName is required/],
  ['no metadata', {apiVersion: 'v1', kind: 'Secret'}, /metadata: is required/],
  [
    'a name with capitals',
    {apiVersion: 'v1', kind: 'Secret', metadata: {name: 'A'}},
    /metadata\.name: a lowercase RFC 1123 subdomain/,
  ],
  [
    'a TLS secret without its key',
    secret({type: 'kubernetes.io/tls', data: {'tls.crt': ''}}),
    /data\[tls\.key\]: is required with type kubernetes\.io\/tls/,
  ],
  ['a list for data', secret({data: ['a']}), /data: expected a mapping of texts/],
] as const) {
  test(`${what} is refused in the words of the API server`, (t) => t.regex(refused(object), message));
}

test('a number is refused without being shown: it may be a password', (t) => {
  const message = refused(secret({stringData: {pin: 837_261}}));
  t.regex(message, /stringData\[pin\]: expected text, got a number; put it in quotes/);
  t.notRegex(message, /837261/);
});

test('two objects of one name are refused with the place of the second', (t) => {
  const one = 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n';
  t.throws(() => parse(`${one}---\n${one}`), {message: /^pod\.yaml:5:1: document: Secret default\/a is written twice/});
  t.notThrows(() => parse(`${one}---\n${one.replace('name: a', 'name: a, namespace: b')}`));
});

test('a ConfigMap of another API version is refused', (t) => {
  t.throws(() => parse('apiVersion: v2\nkind: ConfigMap\nmetadata: {name: a}'), {message: /apiVersion "v2" is not v1/});
});

test('a missing object or key is named with who refers to it, and what there is', (t) => {
  t.like(objectMissing('ConfigMap', 'default', 'a', 'spec.volumes[0].configMap'), {
    code: 'SUBROOT_OBJECT_MISSING',
    shortMessage:
      'configmap "a" not found: spec.volumes[0].configMap refers to ConfigMap default/a, and there is no API server to ask for it',
  });
  const {objects} = manifestsOf(secret({stringData: {one: '1', two: '2'}}), {file});
  const [object] = objects.all;
  t.like(object && objectKeyMissing(object, 'three', 'spec.containers[0].env[0]'), {
    code: 'SUBROOT_OBJECT_KEY_MISSING',
    shortMessage:
      "couldn't find key three in Secret default/a, which spec.containers[0].env[0] refers to: it has one, two",
  });
});

test('base64 gives back every bytes that were encoded, with line breaks anywhere', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.nat(400)), (bytes, breaks) => {
      let encoded = Buffer.from(bytes).toString('base64');
      for (const at of breaks) encoded = `${encoded.slice(0, at)}\n${encoded.slice(at)}`;
      t.deepEqual(decodeBase64(encoded), {ok: true, bytes});
    }),
  );
});

test('base64 is taken exactly when it is groups of four letters, the last one padded', (t) => {
  const strict = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  const letters = fc.string({unit: fc.constantFrom('A', 'b', '+', '/', '=', '\n', '-', ' '), maxLength: 14});
  fc.assert(
    fc.property(letters, (encoded) => {
      t.is(decodeBase64(encoded).ok, strict.test(encoded.replaceAll('\n', '')), JSON.stringify(encoded));
    }),
    {numRuns: 2000},
  );
});

test('whatever is written as an object, it is read or refused with a place, and no key can leave its folder', (t) => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.base64String(), fc.array(fc.string()));
  const bag = fc.oneof(
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('..', '.', 'a/b', '__proto__')), value),
    value,
  );
  fc.assert(
    fc.property(fc.constantFrom('ConfigMap', 'Secret'), bag, bag, bag, (kind, data, binaryData, stringData) => {
      try {
        const {objects} = manifestsOf(
          {apiVersion: 'v1', kind, metadata: {name: 'a'}, data, binaryData, stringData},
          {file},
        );
        for (const object of objects.all) {
          const keys = object.kind === 'ConfigMap' ? [...bytesOf(object).keys()] : [...object.data.keys()];
          for (const key of keys) t.true(/^[-._a-zA-Z0-9]+$/.test(key) && !key.startsWith('..') && key !== '.');
        }
      } catch (error) {
        if (!(error instanceof SubrootError)) throw error;
        t.is(error.code, 'SUBROOT_MANIFEST_FIELD');
        t.regex(error.message, /pod\.yaml:1:1: /);
      }
    }),
  );
});

test('keys that the API takes have no complaint', (t) => {
  for (const key of ['a', '.hidden', 'A_b-c.d', '0', '...'.slice(0, 1).concat('x'), 'k'.repeat(253)])
    t.deepEqual(objectKeyErrors(key), [], key);
});
