import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {ImageStore} from '../../src/images/image-store.ts';
import {type FetchOptions, fetchImage} from '../../src/images/pull.ts';
import {SubrootError} from '../../src/index.ts';
import {FakeRegistry, serve} from '../helpers/fake-registry.ts';
import {hostTest} from '../helpers/host-test.ts';
import {digestOf, imageOf, layerOf} from '../helpers/image-builder.ts';
import {TestRegistry} from '../helpers/image-registry.ts';

const registryTest = hostTest('docker-registry', 'openssl', 'htpasswd');

const small = async () => imageOf([await layerOf([{name: 'a', mode: 0o644, content: 'a\n'}])]);

/** A store and a home of the test's own: no file of this machine's users says who we are. */
async function world(t: ExecutionContext) {
  const folder = await dir({prefix: 'subroot-images', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const home = join(folder.path, 'home');
  mkdirSync(home);
  const env: NodeJS.ProcessEnv = {
    HOME: home,
    XDG_RUNTIME_DIR: join(folder.path, 'run'),
    CONTAINERS_REGISTRIES_CONF: join(home, 'registries.conf'),
    PATH: process.env.PATH,
  };
  writeFileSync(join(home, 'registries.conf'), '');
  const store = ImageStore.open(join(folder.path, 'images'));
  const write = (path: string, text: string) => {
    mkdirSync(join(home, path, '..'), {recursive: true});
    writeFileSync(join(home, path), text);
    return join(home, path);
  };
  return {
    store,
    home,
    write,
    fetch: (image: string, options: FetchOptions = {}) => fetchImage(store, image, {env, ...options}),
  };
}

const basic = (pair: string) => Buffer.from(pair).toString('base64');

/** A CA, and a certificate of it for 127.0.0.1. */
function makeCertificates(folder: string): {ca: string; certificate: string; key: string} {
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, {stdio: ['ignore', 'ignore', 'pipe']});
  const subject = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...subject,
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
    '-subj',
    '/CN=test CA',
    '-days',
    '2',
  );
  openssl('req', ...subject, '-keyout', path('key.pem'), '-out', path('request.pem'), '-subj', '/CN=127.0.0.1');
  writeFileSync(path('extensions'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    ...['x509', '-req', '-in', path('request.pem'), '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial'],
    ...['-days', '2', '-extfile', path('extensions'), '-out', path('certificate.pem')],
  );
  return {ca: path('ca.pem'), certificate: path('certificate.pem'), key: path('key.pem')};
}

registryTest(
  'a real registry with TLS and passwords: unknown CA, no login, wrong login, each way to log in',
  async (t) => {
    const {fetch, home, write} = await world(t);
    const {ca, certificate, key} = makeCertificates(home);
    const htpasswd = write('htpasswd', execFileSync('htpasswd', ['-nbB', 'anna', 'secret'], {encoding: 'utf8'}));
    const login = `Basic ${basic('anna:secret')}`;
    const registry = await TestRegistry.start(t, {tls: {certificate, key}, htpasswd}, login);
    await registry.push('team/app', '1', await small());
    const image = `${registry.host}/team/app:1`;
    await t.throwsAsync(fetch(image), {
      instanceOf: SubrootError,
      code: 'SUBROOT_REGISTRY_TLS',
      message: new RegExp(
        `the certificate of ${registry.host} is not trusted here: UNABLE_TO_VERIFY_LEAF_SIGNATURE.*certs\\.d/${registry.host}/ca\\.crt`,
        's',
      ),
    });
    write(`.config/containers/certs.d/${registry.host}/ca.crt`, execFileSync('cat', [ca], {encoding: 'utf8'}));
    await t.throwsAsync(fetch(image), {
      code: 'SUBROOT_REGISTRY_DENIED',
      // Which files were looked at, and that they are not there.
      message:
        /\(401\): UNAUTHORIZED.*credentials: none for it in .*run\/containers\/auth\.json \(not there\), .*\.docker\/config\.json \(not there\)/s,
    });
    const file = (user: string) => JSON.stringify({auths: {[registry.host]: {auth: basic(user)}}});
    write('.docker/config.json', file('anna:wrong'));
    await t.throwsAsync(fetch(image), {
      code: 'SUBROOT_REGISTRY_DENIED',
      message: new RegExp(`the credentials were of ${home}/\\.docker/config\\.json for ${registry.host}`),
    });
    // The more general file comes later.
    write('.config/containers/auth.json', file('anna:secret'));
    t.is((await fetch(image)).id, digestOf((await small()).config));
    // Not a word of a secret in any message.
    const error = await t.throwsAsync(fetch(image, {auth: {username: 'anna', password: 'hunter2'}}));
    t.false(error.message.includes('hunter2') || error.message.includes(basic('anna:hunter2')));
    await t.notThrowsAsync(fetch(image, {auth: {username: 'anna', password: 'secret'}}));
    await t.notThrowsAsync(fetch(image, {auth: {auth: basic('anna:secret')}}));
    await t.notThrowsAsync(fetch(image, {authFile: write('mine.json', file('anna:secret'))}));
    // Any certificate, when that is asked for.
    const other = await world(t);
    await t.notThrowsAsync(other.fetch(image, {tlsVerify: false, auth: {auth: basic('anna:secret')}}));
    await t.notThrowsAsync(
      other.fetch(image, {
        certDir: join(home, `.config/containers/certs.d/${registry.host}`),
        auth: {auth: basic('anna:secret')},
      }),
    );
  },
);

test('a token is fetched as the challenge says, with the login where there is one, and goes to the registry only', async (t) => {
  const {fetch, write} = await world(t);
  const tokens: {url: string; authorization: string | undefined; body: string}[] = [];
  const realm = await serve(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += String(chunk);
    });
    request.on('end', () => {
      tokens.push({url: request.url ?? '', authorization: request.headers.authorization, body});
      const who = request.headers.authorization ?? body;
      response.end(JSON.stringify(who.includes('refused') ? {} : {token: 't0ken'}));
    });
  });
  // Blobs are elsewhere, as they are for every big registry.
  const image = await small();
  const seenElsewhere: (string | undefined)[] = [];
  const elsewhere = await FakeRegistry.start(t, {'team/app:1': image}, (request) => {
    seenElsewhere.push(request.headers.authorization);
    return false;
  });
  const registry = await FakeRegistry.start(t, {'team/app:1': image}, (request, response) => {
    if (request.headers.authorization !== 'Bearer t0ken') {
      const scope = 'repository:team/app:pull';
      response.writeHead(401, {
        'www-authenticate': `Bearer realm="http://${realm}/token",service="reg",scope="${scope}"`,
      });
      response.end();
      return true;
    }
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(307, {location: `http://${elsewhere.host}${request.url}`});
    response.end();
    return true;
  });
  const name = `${registry.host}/team/app:1`;
  t.is((await fetch(name)).id, digestOf(image.config));
  t.deepEqual(tokens, [
    {url: '/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull', authorization: undefined, body: ''},
  ]);
  t.deepEqual([...new Set(seenElsewhere)], [undefined]);
  await fetch(name, {auth: {username: 'anna', password: 'secret'}});
  t.is(tokens.at(-1)?.authorization, `Basic ${basic('anna:secret')}`);
  t.regex(tokens.at(-1)?.url ?? '', /account=anna/);
  write('.docker/config.json', JSON.stringify({auths: {[registry.host]: {identitytoken: 'refresh'}}}));
  await fetch(name);
  t.regex(tokens.at(-1)?.body ?? '', /grant_type=refresh_token&refresh_token=refresh&.*scope=repository/);
  await fetch(name, {auth: {registryToken: 't0ken'}});
  await t.throwsAsync(fetch(name, {auth: {registryToken: 'other'}}), {
    code: 'SUBROOT_REGISTRY_DENIED',
    message: /\(401\)/,
  });
  await t.throwsAsync(fetch(name, {auth: {identityToken: 'refused'}}), {
    code: 'SUBROOT_REGISTRY_FAILED',
    message: /did not give a token: .* answered without one/,
  });
});

test('credentials never go to a place that is not HTTPS, nor does a registry lead there', async (t) => {
  const {fetch} = await world(t);
  const image = await small();
  const tokenElsewhere = await FakeRegistry.start(t, {'a:1': image}, (_, response) => {
    response.writeHead(401, {'www-authenticate': 'Bearer realm="http://auth.example/token"'});
    response.end();
    return true;
  });
  await t.throwsAsync(fetch(`${tokenElsewhere.host}/a:1`, {auth: {username: 'anna', password: 'secret'}}), {
    code: 'SUBROOT_REGISTRY_FAILED',
    message: /its address for tokens is not HTTPS: http:\/\/auth\.example\/token/,
  });
  const redirects = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(302, {location: 'http://169.254.169.254/latest/meta-data'});
    response.end();
    return true;
  });
  await t.throwsAsync(fetch(`${redirects.host}/a:1`), {
    code: 'SUBROOT_REGISTRY_FAILED',
    message: /redirects to http:\/\/169\.254\.169\.254, which is not HTTPS/,
  });
  const circle = await FakeRegistry.start(t, {}, (request, response) => {
    response.writeHead(302, {location: request.url ?? ''});
    response.end();
    return true;
  });
  await t.throwsAsync(fetch(`${circle.host}/a:1`), {message: /redirects without end/});
});

test('a transfer that breaks off goes on where it was, and a busy registry is asked again', async (t) => {
  const {fetch} = await world(t);
  const image = imageOf([await layerOf([{name: 'a', mode: 0o644, content: Buffer.alloc(600_000, 'x')}], 'plain')]);
  const [layer] = image.layers;
  const whole = layer?.blob ?? Buffer.alloc(0);
  let busy = 2;
  const cuts: number[] = [];
  const registry = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (request.url?.includes('/manifests/') && busy-- > 0) {
      response.writeHead(busy === 1 ? 429 : 503);
      response.end();
      return true;
    }
    if (!request.url?.endsWith(digestOf(whole)) || cuts.length >= 2) return false;
    const from = Number(/(\d+)/.exec(request.headers.range ?? '0')?.[1]);
    cuts.push(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': whole.length - from,
      ...(from > 0 ? {'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}`} : {}),
    });
    response.write(whole.subarray(from, from + 200_000), () => setImmediate(() => response.destroy()));
    return true;
  });
  const fetched = await fetch(`${registry.host}/a:1`);
  t.is(fetched.manifest.layers[0]?.digest, digestOf(whole));
  const ranges = registry.requests.filter(({path}) => path.endsWith(digestOf(whole))).map(({range}) => range);
  t.is(ranges.length, 3);
  t.is(ranges[0], undefined);
  t.regex(ranges[1] ?? '', /^bytes=[1-9]\d*-$/);
});

test('what is not what its digest says is refused with both digests, and nothing of it is kept', async (t) => {
  const {fetch, store} = await world(t);
  const image = await small();
  const wanted = digestOf(image.layers[0]?.blob ?? Buffer.alloc(0));
  const other = Buffer.alloc(image.layers[0]?.blob.length ?? 0, 'y');
  const lies = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (!request.url?.endsWith(wanted)) return false;
    response.end(other);
    return true;
  });
  await t.throwsAsync(fetch(`${lies.host}/a:1`), {
    code: 'SUBROOT_IMAGE_DIGEST',
    message: new RegExp(`wanted ${wanted}, got ${digestOf(other)}; nothing of it was kept`),
  });
  t.is(store.blobSize(wanted), undefined);
  const more = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (!request.url?.endsWith(wanted)) return false;
    response.end(Buffer.concat([image.layers[0]?.blob ?? Buffer.alloc(0), Buffer.alloc(10)]));
    return true;
  });
  await t.throwsAsync(fetch(`${more.host}/a:1`), {code: 'SUBROOT_IMAGE_DIGEST', message: /got more bytes/});
  const manifest = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (!request.url?.includes('/manifests/')) return false;
    response.end('{"schemaVersion":2}');
    return true;
  });
  await t.throwsAsync(fetch(`${manifest.host}/a@${digestOf(image.manifest)}`), {
    code: 'SUBROOT_IMAGE_DIGEST',
    message: new RegExp(`wanted ${digestOf(image.manifest)}`),
  });
  // A registry that says one digest and gives another.
  const header = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (request.url?.includes('/manifests/')) response.setHeader('docker-content-digest', wanted);
    return false;
  });
  await t.throwsAsync(fetch(`${header.host}/a:1`), {code: 'SUBROOT_IMAGE_DIGEST'});
});

test('refusals say who refused and why', async (t) => {
  const {fetch} = await world(t);
  const registry = await FakeRegistry.start(t, {}, (request, response) => {
    if (request.url?.includes('/forbidden/')) {
      response.writeHead(403);
      response.end('{"errors":[{"code":"DENIED","message":"not for you"}]}');
      return true;
    }
    if (request.url?.includes('/page/')) {
      response.writeHead(400, {'content-type': 'text/html'});
      response.end('<html><h1>Bad</h1>\u001b[31m gateway</html>');
      return true;
    }
    if (request.url?.includes('/old/')) {
      response.end('{"schemaVersion":1}');
      return true;
    }
    return false;
  });
  const rows: readonly (readonly [name: string, code: string, message: RegExp])[] = [
    ['nothing:1', 'SUBROOT_IMAGE_NOT_IN_REGISTRY', /has no .*\/nothing:1: MANIFEST_UNKNOWN: manifest unknown/],
    ['forbidden/x:1', 'SUBROOT_REGISTRY_DENIED', /\(403\): DENIED: not for you; credentials: none for it in/],
    // What a registry wrote cannot steer a terminal.
    ['page/x:1', 'SUBROOT_REGISTRY_FAILED', /400: Bad \\x1b\[31m gateway/],
    ['old/x:1', 'SUBROOT_IMAGE_INVALID', /old form \(schema 1\)/],
  ];
  for (const [name, code, message] of rows) await t.throwsAsync(fetch(`${registry.host}/${name}`), {code, message});
});

test('mirrors come first, a mirror that has it not is no reason, and a blocked registry is not asked', async (t) => {
  const {fetch, write} = await world(t);
  const image = await small();
  const mirror = await FakeRegistry.start(t, {'copies/team/app:1': image});
  const registry = await FakeRegistry.start(t, {'team/app:1': image, 'team/other:1': image});
  const gone = '127.0.0.1:1';
  write(
    'registries.conf',
    `[[registry]]
prefix = "images.example/team"
location = "${registry.host}/team"
[[registry.mirror]]
location = "${gone}/x"
[[registry.mirror]]
location = "${mirror.host}/copies/team"
[[registry]]
prefix = "images.example/team/secret"
blocked = true
`,
  );
  const fetched = await fetch('images.example/team/app:1');
  t.is(fetched.id, digestOf(image.config));
  // The name is the one that was asked for.
  t.deepEqual(fetched.refs.map(({reference}) => reference)[0], 'images.example/team/app:1');
  t.is(registry.requests.length, 0);
  t.true(mirror.requests.every(({path}) => path.endsWith('?ns=images.example')));
  await fetch('images.example/team/other:1');
  t.true(registry.requests.length > 0);
  await t.throwsAsync(fetch('images.example/team/secret:1'), {
    code: 'SUBROOT_REGISTRY_BLOCKED',
    message: /images\.example\/team\/secret:1 is blocked by .*registries\.conf/,
  });
  write('registries.conf', '[[registry]\n');
  await t.throwsAsync(fetch('images.example/team/app:1'), {
    code: 'SUBROOT_REGISTRY_CONFIG',
    message: /registries\.conf cannot be used: /,
  });
});

test('a credential helper is asked, and one that is missing is named', async (t) => {
  const {fetch, write, home} = await world(t);
  const image = await small();
  const registry = await FakeRegistry.start(t, {'a:1': image}, (request, response) => {
    if (request.headers.authorization === `Basic ${basic('anna:kept')}`) return false;
    response.writeHead(401, {'www-authenticate': 'Basic realm="x"'});
    response.end();
    return true;
  });
  write('.docker/config.json', JSON.stringify({credHelpers: {[registry.host]: 'subroot-test'}}));
  await t.throwsAsync(fetch(`${registry.host}/a:1`), {
    code: 'SUBROOT_REGISTRY_CONFIG',
    message: /names the credential helper docker-credential-subroot-test, which is not installed/,
  });
  const helper = write(
    'bin/docker-credential-subroot-test',
    '#!/bin/sh\nread server; echo "{\\"Username\\":\\"anna\\",\\"Secret\\":\\"kept\\"}"\n',
  );
  chmodSync(helper, 0o755);
  const {PATH} = process.env;
  process.env.PATH = `${join(home, 'bin')}:${PATH}`;
  try {
    await t.notThrowsAsync(fetch(`${registry.host}/a:1`));
  } finally {
    process.env.PATH = PATH;
  }
  for (const text of ['{', '[]', '{"auths": []}', '{"auths": {"x": 1}}', '{"credHelpers": {"x": "../evil"}}']) {
    write('.docker/config.json', text.replace('"x"', `"${registry.host}"`));
    await t.throwsAsync(fetch(`${registry.host}/a:1`), {
      code: 'SUBROOT_REGISTRY_CONFIG',
      message: /\.docker\/config\.json/,
    });
  }
});

test('a pull that is cancelled ends at once', async (t) => {
  const {fetch} = await world(t);
  const silent = await FakeRegistry.start(t, {}, () => true);
  const controller = new AbortController();
  const pulling = fetch(`${silent.host}/a:1`, {signal: controller.signal});
  setTimeout(() => controller.abort(new Error('enough')), 50);
  await t.throwsAsync(pulling, {message: 'enough'});
});
