import {createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {ExecutionContext} from 'ava';
import {type BuiltImage, digestOf} from './image-builder.ts';

/** Answers a request itself (true), or leaves it to the registry. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A server on the loopback interface until the end of the test. */
export async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A registry that does what a test wants of one: it knows images by `NAME:TAG`, and `intercept` comes before it. */
export class FakeRegistry {
  readonly host: string;
  /** `GET /v2/…`, and what they were authorized by. */
  readonly requests: {
    readonly path: string;
    readonly authorization: string | undefined;
    readonly range: string | undefined;
  }[];

  private constructor(host: string, requests: FakeRegistry['requests']) {
    this.host = host;
    this.requests = requests;
  }

  static async start(
    t: ExecutionContext,
    images: Readonly<Record<string, BuiltImage>>,
    intercept: Intercept = () => false,
  ): Promise<FakeRegistry> {
    const requests: FakeRegistry['requests'] = [];
    const all = Object.values(images);
    const blobs = new Map(
      all.flatMap(({config, layers}) =>
        [config, ...layers.map(({blob}) => blob)].map((bytes) => [digestOf(bytes), bytes] as const),
      ),
    );
    const host = await serve(t, (request, response) => {
      const path = request.url ?? '';
      const {authorization, range} = request.headers;
      requests.push({path, authorization, range});
      if (intercept(request, response)) return;
      const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^?]+)/.exec(path) ?? [];
      const bytes =
        kind === 'blobs'
          ? blobs.get(reference)
          : (images[`${name}:${reference}`] ?? all.find(({manifest}) => digestOf(manifest) === reference))?.manifest;
      if (!bytes) {
        response.writeHead(404, {'content-type': 'application/json'});
        response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
        return;
      }
      const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': bytes.length - from,
        ...(from > 0 ? {'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`} : {}),
      });
      response.end(bytes.subarray(from));
    });
    return new FakeRegistry(host, requests);
  }
}
