import test from 'ava';
import fc from 'fast-check';
import {parseAuthChallenges} from '../../native-free/auth-challenge.ts';
import {findAuth, parseDockerConfig} from '../../native-free/docker-config.ts';
import {choosePlatform, type Descriptor, parseImageConfig, parseManifest} from '../../native-free/oci-documents.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const config = {mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('a'), size: 2};

test('a manifest is read whole or refused with the field', (t) => {
  const layers = [{mediaType: 'x', digest: digest('b'), size: 3}];
  const good = parseManifest(JSON.stringify({schemaVersion: 2, config, layers}));
  t.like(good, {ok: true, value: {kind: 'manifest', layers: [{digest: digest('b'), size: 3}]}});
  const rows: readonly (readonly [value: unknown, why: RegExp])[] = [
    [{schemaVersion: 1}, /schema 1/],
    [{}, /schemaVersion is not 2/],
    [[], /the manifest is no object/],
    [{schemaVersion: 2, config: {...config, digest: 'sha256:xyz'}}, /config\.digest is no digest/],
    [{schemaVersion: 2, config: {...config, digest: '../../../etc/passwd'}}, /config\.digest is no digest/],
    [{schemaVersion: 2, config: {...config, size: -1}}, /config\.size is no size/],
    [{schemaVersion: 2, config: {...config, size: '2'}}, /config\.size is no size/],
    [{schemaVersion: 2, config, layers: [{digest: 1}]}, /layers\[0\]\.digest is no text/],
    [{schemaVersion: 2, config, layers: Array.from({length: 501}, () => layers[0])}, /501 layers/],
    [
      {schemaVersion: 2, config: {...config, mediaType: 'application/vnd.cncf.helm.config.v1+json'}, layers},
      /no image but application\/vnd\.cncf\.helm/,
    ],
  ];
  for (const [value, why] of rows) {
    const parsed = parseManifest(JSON.stringify(value));
    t.false(parsed.ok);
    if (!parsed.ok) t.regex(parsed.why, why);
  }
});

test('an index gives the entry of this platform: its variant, then none, then any; attestations are none', (t) => {
  const entry = (digit: string, platform?: Descriptor['platform']) => ({
    mediaType: '',
    digest: digest(digit),
    size: 1,
    ...(platform ? {platform} : {}),
  });
  const arm = (variant?: string) => ({os: 'linux', architecture: 'arm64', ...(variant ? {variant} : {})});
  const choose = (manifests: Descriptor[], variant?: string) =>
    choosePlatform({kind: 'index', manifests}, arm(variant))?.digest;
  t.is(choose([entry('1', arm('v9')), entry('2', arm('v8'))], 'v8'), digest('2'));
  t.is(choose([entry('1', arm('v9')), entry('2', arm())], 'v8'), digest('2'));
  t.is(choose([entry('1', arm('v8'))]), digest('1'));
  t.is(choose([entry('1', {os: 'unknown', architecture: 'unknown'})]), undefined);
  t.is(choose([entry('1', {os: 'windows', architecture: 'arm64'})]), undefined);
  t.is(choose([entry('1')]), digest('1'));
  t.is(choose([entry('1'), entry('2')]), undefined);
});

test('a configuration with a field of the wrong type is refused, since a container would start as another one', (t) => {
  const base = {os: 'linux', architecture: 'amd64', rootfs: {diff_ids: [digest('c')]}};
  t.like(parseImageConfig(JSON.stringify({...base, config: {Entrypoint: null, Cmd: ['a'], User: '7'}})), {
    ok: true,
    value: {entrypoint: [], cmd: ['a'], user: '7', diffIds: [digest('c')]},
  });
  for (const [value, why] of [
    [{...base, config: {Entrypoint: 'sh'}}, /Entrypoint is no list/],
    [{...base, config: {Cmd: [1]}}, /Cmd has something that is no text/],
    [{...base, config: {User: 0}}, /User is no text/],
    [{...base, rootfs: {diff_ids: ['../x']}}, /which is no digest/],
  ] as const) {
    const parsed = parseImageConfig(JSON.stringify(value));
    t.false(parsed.ok);
    if (!parsed.ok) t.regex(parsed.why, why);
  }
});

test('no text makes the parsers throw', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((json) => `{"schemaVersion":2,"config":${json},"manifests":${json}}`),
  );
  fc.assert(
    fc.property(text, (each) => {
      for (const parse of [parseManifest, parseImageConfig]) t.is(typeof parse(each).ok, 'boolean');
      t.true(Array.isArray(parseAuthChallenges(each)));
      t.is(typeof parseDockerConfig(each), 'object');
    }),
    {numRuns: 1000},
  );
});

test('the challenges of registries are understood', (t) => {
  t.deepEqual(
    parseAuthChallenges('Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"'),
    [
      {
        scheme: 'bearer',
        parameters: {realm: 'https://auth.example/token', service: 'reg', scope: 'repository:a/b:pull,push'},
      },
    ],
  );
  t.deepEqual(parseAuthChallenges(String.raw`Basic realm="a \"b\", c" , Negotiate, bearer Realm = x`), [
    {scheme: 'basic', parameters: {realm: 'a "b", c'}},
    {scheme: 'negotiate', parameters: {}},
    {scheme: 'bearer', parameters: {realm: 'x'}},
  ]);
  t.deepEqual(parseAuthChallenges('Basic realm="not closed'), [{scheme: 'basic', parameters: {}}]);
});

test('the most exact credentials are taken, and a name like a field of every object is none', (t) => {
  const auths = {
    'r.example': {auth: 'aG9zdDp4'},
    'r.example/team': {auth: 'dGVhbTp4'},
    'r.example/team/app': {identitytoken: 'token'},
    'https://index.docker.io/v1/': {username: 'anna', password: 'secret'},
  };
  t.deepEqual(findAuth(auths, 'r.example', 'team/app')?.auth, {identityToken: 'token'});
  t.deepEqual(findAuth(auths, 'r.example', 'team/other')?.auth, {auth: 'dGVhbTp4'});
  t.deepEqual(findAuth(auths, 'r.example', 'x')?.auth, {auth: 'aG9zdDp4'});
  t.deepEqual(findAuth(auths, 'docker.io', 'library/debian')?.auth, {username: 'anna', password: 'secret'});
  t.is(findAuth(auths, 'other.example', 'x'), undefined);
  t.is(findAuth(auths, 'constructor', 'x'), undefined);
  t.is(findAuth({'r.example': {auth: ''}}, 'r.example', 'x'), undefined);
});
