import type {IncomingMessage} from 'node:http';
import {isIP} from 'node:net';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import {setTimeout as delay} from 'node:timers/promises';
import {type HttpRequest, POD_IP, type PodNetwork} from '../../sim/index.ts';
import {type Dialed, planDial, startDial} from '../host/dial.ts';
import {prepareOnce} from '../host/once.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';
import {hopOf} from './hop.ts';

/** As kubelets say; programs look for the first part. */
const USER_AGENT = 'kube-probe/1.37';
/** Characters of a body that are kept. Source: kubernetes pkg/probe/http/http.go maxRespBodyLength. */
const MAX_BODY = 10 * 1024;
const MAX_REDIRECTS = 10;

/** Requests to the programs of a pod, made inside its network namespace by a process of this machine. Plans travel below `root`. */
export function networkOf(root: string, record: SandboxRecord): PodNetwork {
  const dial = (host: string, port: number, mode: 'only' | 'relay'): Dialed => {
    const {holder} = record;
    if (!holder) throw new Error('the pod does not run');
    const options = {in: `${holder.pid}:${holder.startTime}`, ...hopOf(record)};
    return startDial(prepareOnce(join(root, 'plans'), options, planDial(addressOf(host), port, mode)));
  };
  return {
    async connect(host, port, signal) {
      const dialed = dial(host, port, 'only');
      const why = await untilAbort(dialed.ended, signal, dialed);
      if (why !== undefined) throw new Error(`dial tcp ${shownAddress(host, port)}: ${why}`);
    },
    async http(request, signal) {
      let current = request;
      for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
        const answer = await requestOnce(dial, current, signal);
        const next = nextRequest(current, answer);
        if (!next) return answer;
        current = next;
      }
      throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    },
    async grpcHealth(port, service, signal) {
      const dialed = dial('', port, 'relay');
      return await withReason(dialed, signal, shownAddress('', port), () => checkHealth(dialed.stream, port, service));
    },
  };
}

type Dial = (host: string, port: number, mode: 'only' | 'relay') => Dialed;

/** A pod has its loopback only: there are no names but the loopback's. */
function addressOf(host: string): string {
  const name = host.replace(/^\[(.*)\]$/, '$1');
  if (name === '' || name === 'localhost') return POD_IP;
  if (isIP(name) !== 0) return name;
  throw new Error(`lookup ${host}: no such host in the network of the pod, which has its loopback only`);
}

function shownAddress(host: string, port: number): string {
  const address = addressOf(host);
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

async function untilAbort<Result>(promise: Promise<Result>, signal: AbortSignal, dialed: Dialed): Promise<Result> {
  const close = () => dialed.close();
  signal.addEventListener('abort', close, {once: true});
  if (signal.aborted) close();
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', close);
  }
}

/** Runs a conversation over a connection; when it fails because there was no connection, says so. */
async function withReason<Result>(
  dialed: Dialed,
  signal: AbortSignal,
  address: string,
  talk: () => Promise<Result>,
): Promise<Result> {
  try {
    return await untilAbort(talk(), signal, dialed);
  } catch (error) {
    // Its process is over by then, or the talk failed for another reason.
    const why = await Promise.race([dialed.ended, delay(1000, undefined, {ref: false})]);
    throw why === undefined ? error : new Error(`dial tcp ${address}: ${why}`);
  } finally {
    dialed.close();
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly location: string | undefined;
}

async function requestOnce(dial: Dial, request: HttpRequest, signal: AbortSignal): Promise<Answer> {
  const {request: httpRequest} = await import('node:http');
  const {host, port, path, scheme, headers} = request;
  const dialed = dial(host, port, 'relay');
  return await withReason(dialed, signal, shownAddress(host, port), async () => {
    const stream = scheme === 'HTTPS' ? await secured(dialed.stream, host) : dialed.stream;
    return await new Promise<Answer>((resolve, reject) => {
      const given: Record<string, string[]> = {};
      for (const {name, value} of headers) {
        const key = Object.keys(given).find((each) => each.toLowerCase() === name.toLowerCase()) ?? name;
        given[key] = [...(given[key] ?? []), value];
      }
      const names = Object.keys(given).map((name) => name.toLowerCase());
      const defaults = {'User-Agent': USER_AGENT, Accept: '*/*', Host: shownAddress(host, port)};
      const missing = Object.entries(defaults).filter(([name]) => !names.includes(name.toLowerCase()));
      const asked = httpRequest({
        createConnection: () => stream as never,
        path,
        headers: {...Object.fromEntries(missing), ...given, Connection: 'close'},
        setHost: false,
      });
      asked.on('response', (response) => readAnswer(response).then(resolve, reject));
      asked.on('error', reject);
      asked.end();
    });
  });
}

/** TLS as kubelets do it: whoever answers is believed. */
async function secured(stream: Duplex, host: string): Promise<Duplex> {
  const {connect} = await import('node:tls');
  return await new Promise((resolve, reject) => {
    const isName = host !== '' && isIP(host) === 0;
    const socket = connect({socket: stream, rejectUnauthorized: false, ...(isName && {servername: host})}, () =>
      resolve(socket),
    );
    socket.on('error', reject);
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    body += chunk as string;
    if (body.length >= MAX_BODY) break;
  }
  return {status: response.statusCode ?? 0, body: body.slice(0, MAX_BODY), location: response.headers.location};
}

/** Where a redirect leads, if it stays on the same host; another host's word is good as it is. Source: kubernetes pkg/probe/http/http.go RedirectChecker. */
function nextRequest(request: HttpRequest, {status, location}: Answer): HttpRequest | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const from = new URL(`${request.scheme.toLowerCase()}://${shownAddress(request.host, request.port)}${request.path}`);
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to?.hostname !== from.hostname || !['http:', 'https:'].includes(to.protocol)) return undefined;
  const scheme = to.protocol === 'https:' ? 'HTTPS' : 'HTTP';
  const port = Number(to.port) || (scheme === 'HTTPS' ? 443 : 80);
  return {...request, scheme, port, path: `${to.pathname}${to.search}`};
}

const servingStatus = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** One call of grpc.health.v1.Health/Check over HTTP/2. Source: grpc-proto health.proto, PROTOCOL-HTTP2.md. */
async function checkHealth(stream: Duplex, port: number, service: string): Promise<string> {
  const {connect} = await import('node:http2');
  const name = Buffer.from(service);
  // HealthCheckRequest: field 1, a text.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const session = connect(`http://${POD_IP}:${port}`, {createConnection: () => stream});
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const call = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': USER_AGENT,
      });
      const chunks: Buffer[] = [];
      let [code, text] = ['', ''];
      const note = (headers: Readonly<Record<string, unknown>>) => {
        code = String(headers['grpc-status'] ?? code);
        text = String(headers['grpc-message'] ?? text);
      };
      call.on('response', note);
      call.on('trailers', note);
      call.on('data', (chunk: Buffer) => {
        if (chunks.reduce((sum, each) => sum + each.length, chunk.length) <= MAX_BODY) chunks.push(chunk);
      });
      call.on('error', reject);
      call.on('close', () => {
        if (code === '0') resolve(statusIn(Buffer.concat(chunks)));
        else if (code === '12')
          reject(new Error('this server does not implement the grpc health protocol (grpc.health.v1.Health)'));
        else
          reject(new Error(code === '' ? 'no answer of gRPC' : `health rpc probe failed: ${text || `code ${code}`}`));
      });
      call.end(Buffer.concat([head, message]));
    });
  } finally {
    session.destroy();
  }
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

/** HealthCheckResponse: field 1, a number; absent means 0. */
function statusIn(frame: Buffer): string {
  const message = frame.subarray(5);
  const value = message[0] === 0x08 ? (message[1] ?? 0) : 0;
  return servingStatus[value] ?? `status ${value}`;
}
