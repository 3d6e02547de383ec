import {type ChildProcess, spawn} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {Agent, request} from 'undici';
import {type BuiltImage, digestOf} from './image-builder.ts';

export interface RegistrySettings {
  /** Certificate and key, as files. */
  readonly tls?: {readonly certificate: string; readonly key: string};
  /** An htpasswd file. */
  readonly htpasswd?: string;
  readonly token?: {readonly realm: string; readonly service: string; readonly issuer: string; readonly bundle: string};
}

/** A registry of Debian's package docker-registry on the loopback interface, empty, gone at the end of the test. */
export class TestRegistry {
  readonly host: string;
  readonly folder: string;
  readonly #scheme: string;
  readonly #authorization: string | undefined;
  readonly #dispatcher = new Agent({connect: {rejectUnauthorized: false}});

  private constructor(host: string, folder: string, scheme: string, authorization: string | undefined) {
    this.host = host;
    this.folder = folder;
    this.#scheme = scheme;
    this.#authorization = authorization;
  }

  static async start(
    t: Pick<ExecutionContext, 'teardown'>,
    settings: RegistrySettings = {},
    authorization?: string,
  ): Promise<TestRegistry> {
    const folder = await dir({prefix: 'subroot-registry', unsafeCleanup: true});
    mkdirSync(join(folder.path, 'data'));
    // JSON is YAML.
    const config = {
      version: 0.1,
      log: {accesslog: {disabled: true}, level: 'info'},
      storage: {filesystem: {rootdirectory: join(folder.path, 'data')}, delete: {enabled: true}},
      http: {
        addr: '127.0.0.1:0',
        secret: 'test',
        ...(settings.tls ? {tls: {certificate: settings.tls.certificate, key: settings.tls.key}} : {}),
      },
      ...(settings.htpasswd ? {auth: {htpasswd: {realm: 'test', path: settings.htpasswd}}} : {}),
      ...(settings.token
        ? {
            auth: {
              token: {
                realm: settings.token.realm,
                service: settings.token.service,
                issuer: settings.token.issuer,
                rootcertbundle: settings.token.bundle,
              },
            },
          }
        : {}),
    };
    const file = join(folder.path, 'config.yml');
    writeFileSync(file, JSON.stringify(config));
    const child = spawn('docker-registry', ['serve', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Nothing of ours in its environment: labs know their processes by it.
      env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'},
    });
    const port = await portOf(child);
    t.teardown(async () => {
      child.kill('SIGKILL');
      await folder.cleanup();
    });
    return new TestRegistry(`127.0.0.1:${port}`, folder.path, settings.tls ? 'https' : 'http', authorization);
  }

  async #send(method: 'POST' | 'PUT' | 'GET' | 'DELETE', url: string, body?: Buffer, type?: string) {
    const answer = await request(url, {
      dispatcher: this.#dispatcher,
      method,
      headers: {
        ...(type ? {'content-type': type} : {}),
        ...(this.#authorization ? {authorization: this.#authorization} : {}),
      },
      ...(body ? {body} : {}),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${text}`);
    return answer;
  }

  async #pushBlob(name: string, bytes: Buffer): Promise<void> {
    const begun = await this.#send('POST', `${this.#scheme}://${this.host}/v2/${name}/blobs/uploads/`);
    const location = new URL(String(begun.headers.location), `${this.#scheme}://${this.host}`);
    location.searchParams.set('digest', digestOf(bytes));
    await this.#send('PUT', location.href, bytes, 'application/octet-stream');
  }

  /** Pushes an image under a tag. */
  async push(name: string, tag: string, image: BuiltImage): Promise<void> {
    for (const {blob} of image.layers) await this.#pushBlob(name, blob);
    await this.#pushBlob(name, image.config);
    const {mediaType} = JSON.parse(String(image.manifest)) as {mediaType: string};
    await this.pushManifest(name, tag, image.manifest, mediaType);
  }

  async pushManifest(name: string, tag: string, manifest: Buffer, type: string): Promise<void> {
    await this.#send('PUT', `${this.#scheme}://${this.host}/v2/${name}/manifests/${tag}`, manifest, type);
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let seen = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      seen += text;
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(seen)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`docker-registry ended with ${code}: ${seen.slice(-2000)}`)));
  });
}
