import {createHash} from 'node:crypto';
import type {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Dispatcher, EnvHttpProxyAgent, request} from 'undici';
import {parseAuthChallenges} from '../../native-free/auth-challenge.ts';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {manifestTypes} from '../../native-free/oci-documents.ts';
import type {Credentials} from './registry-auth.ts';
import type {Endpoint} from './registry-config.ts';
import type {TlsFiles} from './registry-tls.ts';

/** Larger manifests no registry takes. Source: distribution-spec v1.1, "at least 4 megabytes". */
const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** A connection that is quiet for so long is given up; the next attempt goes on where it was. */
const QUIET_MS = 60_000;
const CONNECT_MS = 20_000;
const ATTEMPTS = 4;
const REDIRECTS = 5;

/** Names of this machine: plain HTTP reaches no network. */
function isLoopback(registry: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(registry);
}

const tlsCodes =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|INVALID_CA|PATH_LENGTH_EXCEEDED|ERR_OSSL_X509|HOSTNAME_MISMATCH)/;
/** A server that speaks HTTP where TLS was begun. */
const noTlsCodes = /^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|ECONNRESET|UND_ERR_SOCKET)/;

export interface Manifest {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface ClientOptions {
  readonly tls: TlsFiles;
  readonly credentials: Credentials;
  /** As the user wrote it, for messages. */
  readonly image: string;
  readonly signal?: AbortSignal;
}

type Answer = Dispatcher.ResponseData;

function codeOf(error: unknown): string {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const {code} = each as NodeJS.ErrnoException;
    if (code !== undefined && code !== 'UND_ERR_SOCKET') return code;
    const [first] = (each as AggregateError).errors ?? [];
    if (first !== undefined) return codeOf(first);
  }
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'failed';
}

/**
 * One place where an image may be, by the distribution protocol: manifests and blobs with HTTPS, tokens and redirects. Source:
 * opencontainers/distribution-spec v1.1; distribution docs/spec/auth/token.md.
 */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #options: ClientOptions;
  readonly #dispatcher: Dispatcher;
  /** The host that answers for a registry's name. */
  readonly #host: string;
  #scheme: 'https' | 'http' = 'https';
  #authorization: string | undefined;

  constructor(endpoint: Endpoint, options: ClientOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#host = endpoint.registry === 'docker.io' ? 'registry-1.docker.io' : endpoint.registry;
    const connect = {...options.tls, rejectUnauthorized: !endpoint.insecure, timeout: CONNECT_MS};
    this.#dispatcher = new EnvHttpProxyAgent({
      connect,
      requestTls: connect,
      headersTimeout: QUIET_MS,
      bodyTimeout: QUIET_MS,
    });
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  get #mayBePlain(): boolean {
    return this.endpoint.insecure || isLoopback(this.endpoint.registry);
  }

  /** A manifest or index by tag or digest; what was asked by digest has it. Errors: SUBROOT_IMAGE_*, SUBROOT_REGISTRY_*. */
  async manifest(reference: string): Promise<Manifest> {
    const path = `/v2/${this.endpoint.repository}/manifests/${reference}`;
    const answer = await this.#get(path, {accept: manifestTypes.join(', ')}, 'its manifest');
    const bytes = await this.#readAll(answer, MANIFEST_LIMIT, 'its manifest');
    const algorithm = reference.startsWith('sha512:') ? 'sha512' : 'sha256';
    const digest = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
    const wanted = reference.includes(':') ? reference : headerOf(answer, 'docker-content-digest');
    if (wanted?.startsWith(`${algorithm}:`) && wanted !== digest) {
      throw subrootError('SUBROOT_IMAGE_DIGEST', {
        what: `the manifest of ${this.#options.image}`,
        wanted,
        found: digest,
      });
    }
    return {digest, bytes};
  }

  /** A blob's bytes from `offset` on; `offset` in the answer is where they begin, 0 when the registry gives only the whole. */
  async blob(digest: string, offset: number): Promise<{readonly body: Readable; readonly offset: number}> {
    const path = `/v2/${this.endpoint.repository}/blobs/${digest}`;
    const answer = await this.#get(path, offset > 0 ? {range: `bytes=${offset}-`} : {}, `the blob ${digest}`);
    const begin = /^bytes (\d+)-/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
    return {body: answer.body, offset: answer.statusCode === 206 ? Number(begin ?? offset) : 0};
  }

  async #readAll(answer: Answer, limit: number, what: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer.body) {
        size += (chunk as Buffer).length;
        if (size > limit) throw this.#failed(what, `it has more than ${limit} bytes`);
        chunks.push(chunk as Buffer);
      }
    } catch (error) {
      if (error instanceof SubrootError) throw error;
      this.#options.signal?.throwIfAborted();
      throw this.#failed(what, `the connection was lost (${codeOf(error)})`, error);
    }
    return Buffer.concat(chunks);
  }

  #failed(what: string, why: string, cause?: unknown): SubrootError {
    return subrootError('SUBROOT_REGISTRY_FAILED', {registry: this.endpoint.registry, what, why}, cause);
  }

  /** GET with everything around it: scheme, credentials, redirects, and further attempts when the registry is busy or was lost. */
  async #get(path: string, headers: Record<string, string>, what: string): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt === ATTEMPTS;
      let wait = 250 * 2 ** attempt;
      try {
        const answer = await this.#authorized(path, headers);
        if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
        const why = await this.#reason(answer);
        if (isLast || !(answer.statusCode === 429 || answer.statusCode >= 500)) {
          throw this.#refusal(answer.statusCode, what, why);
        }
        const after = Number(headerOf(answer, 'retry-after'));
        if (after > 0) wait = Math.min(after, 30) * 1000;
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (error instanceof SubrootError) throw error;
        const code = codeOf(error);
        const isRefusal =
          tlsCodes.test(code) || /^(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/.test(code);
        if (isLast || isRefusal) throw this.#unreachable(code, error);
      }
      await sleep(wait, undefined, this.#options.signal ? {signal: this.#options.signal} : {});
    }
  }

  #unreachable(code: string, cause: unknown): SubrootError {
    const {registry} = this.endpoint;
    if (tlsCodes.test(code)) return subrootError('SUBROOT_REGISTRY_TLS', {registry, why: code}, cause);
    const reasons: Record<string, string> = {
      ENOTFOUND: 'there is no host of that name',
      EAI_AGAIN: 'the name cannot be looked up now',
      ECONNREFUSED: 'nothing listens there',
      ENETUNREACH: 'there is no network',
      EHOSTUNREACH: 'there is no way to it',
      UND_ERR_CONNECT_TIMEOUT: 'nothing answers',
      EPROTO: 'it does not speak TLS',
    };
    const why = reasons[code] === undefined ? code : `${reasons[code]} (${code})`;
    return subrootError('SUBROOT_REGISTRY_UNREACHABLE', {registry, image: this.#options.image, why}, cause);
  }

  #refusal(status: number, what: string, why: string): SubrootError {
    const {registry} = this.endpoint;
    const {image, credentials} = this.#options;
    if (status === 404) return subrootError('SUBROOT_IMAGE_NOT_IN_REGISTRY', {registry, image, why});
    if (status === 401 || status === 403) return this.#denied(status, why);
    return subrootError('SUBROOT_REGISTRY_FAILED', {registry, what, why: `${status}: ${why}`}, credentials.source);
  }

  #denied(status: number, why: string): SubrootError {
    const {registry} = this.endpoint;
    const {image, credentials} = this.#options;
    const isSomebody = credentials.username ?? credentials.identityToken ?? credentials.registryToken;
    const who =
      isSomebody === undefined ? `credentials: ${credentials.source}` : `the credentials were ${credentials.source}`;
    return subrootError('SUBROOT_REGISTRY_DENIED', {registry, image, status, why, credentials: who});
  }

  /** What a registry says of its refusal, in one line. Source: distribution-spec, error codes. */
  async #reason(answer: Answer): Promise<string> {
    let text: string;
    try {
      text = (await this.#readAll(answer, 65_536, 'its refusal')).toString('utf8');
    } catch {
      return 'no reason given';
    }
    try {
      const value = JSON.parse(text) as {errors?: {code?: unknown; message?: unknown}[]; details?: unknown};
      const [first] = value.errors ?? [];
      const words = [first?.code, first?.message, value.details].filter((each) => typeof each === 'string');
      if (words.length > 0) return words.join(': ').slice(0, 300);
    } catch {
      // Not JSON: a proxy's page.
    }
    return (
      text
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim()
        .slice(0, 200) || 'no reason given'
    );
  }

  async #authorized(path: string, headers: Record<string, string>): Promise<Answer> {
    const first = await this.#send(path, headers);
    if (first.statusCode !== 401) return first;
    const challenges = parseAuthChallenges(headerOf(first, 'www-authenticate') ?? '');
    const {credentials} = this.#options;
    const bearer = challenges.find(({scheme}) => scheme === 'bearer');
    const before = this.#authorization;
    if (credentials.registryToken !== undefined) this.#authorization = `Bearer ${credentials.registryToken}`;
    else if (bearer) this.#authorization = `Bearer ${await this.#token(bearer.parameters)}`;
    else if (challenges.some(({scheme}) => scheme === 'basic') && credentials.username !== undefined)
      this.#authorization = basic(credentials);
    // The same again would be refused again.
    if (this.#authorization === before) return first;
    await first.body.dump();
    return await this.#send(path, headers);
  }

  /** A token for this repository. Errors: SUBROOT_REGISTRY_DENIED, SUBROOT_REGISTRY_FAILED. */
  async #token(parameters: Readonly<Record<string, string>>): Promise<string> {
    const {credentials} = this.#options;
    const {realm = '', service} = parameters;
    const scope = parameters.scope ?? `repository:${this.endpoint.repository}:pull`;
    let url: URL;
    try {
      url = new URL(realm);
    } catch {
      throw this.#failed('a token', `it names no address for tokens: ${realm}`);
    }
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (this.endpoint.insecure || isLoopback(url.host))))
      throw this.#failed('a token', `its address for tokens is not HTTPS: ${realm}`);
    let answer: Answer;
    if (credentials.identityToken !== undefined) {
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: credentials.identityToken,
        client_id: 'subroot',
        scope,
        ...(service === undefined ? {} : {service}),
      }).toString();
      answer = await this.#request(url.href, {'content-type': 'application/x-www-form-urlencoded'}, body);
    } else {
      if (service !== undefined) url.searchParams.set('service', service);
      for (const each of scope.split(' ')) url.searchParams.append('scope', each);
      const isUser = credentials.username !== undefined;
      if (isUser) url.searchParams.set('account', credentials.username ?? '');
      answer = await this.#request(url.href, isUser ? {authorization: basic(credentials)} : {});
    }
    if (answer.statusCode !== 200) {
      const why = await this.#reason(answer);
      if (answer.statusCode === 401 || answer.statusCode === 403) throw this.#denied(answer.statusCode, why);
      throw this.#failed('a token', `${url.host} answered ${answer.statusCode}: ${why}`);
    }
    const text = (await this.#readAll(answer, 1_048_576, 'a token')).toString('utf8');
    try {
      const {token, access_token: access} = JSON.parse(text) as {token?: unknown; access_token?: unknown};
      const found = token ?? access;
      if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return found;
    } catch {
      // Told below.
    }
    throw this.#failed('a token', `${url.host} answered without one`);
  }

  /** One GET, with redirects. Our authorization goes to the registry only. */
  async #send(path: string, headers: Record<string, string>): Promise<Answer> {
    const mirror = this.endpoint.isMirror ? `?ns=${encodeURIComponent(this.#options.image.split('/')[0] ?? '')}` : '';
    const ask = () => {
      const authorization = this.#authorization === undefined ? {} : {authorization: this.#authorization};
      return this.#request(`${this.#scheme}://${this.#host}${path}${mirror}`, {...headers, ...authorization});
    };
    let answer: Answer;
    try {
      answer = await ask();
    } catch (error) {
      if (this.#scheme === 'http' || !this.#mayBePlain || !noTlsCodes.test(codeOf(error))) throw error;
      this.#options.signal?.throwIfAborted();
      this.#scheme = 'http';
      answer = await ask();
    }
    let from = new URL(`${this.#scheme}://${this.#host}${path}`);
    for (let count = 0; [301, 302, 303, 307, 308].includes(answer.statusCode); count++) {
      const location = headerOf(answer, 'location');
      await answer.body.dump();
      if (location === undefined || count === REDIRECTS) throw this.#failed('an address', 'it redirects without end');
      const next = new URL(location, from);
      if (
        next.protocol !== 'https:' &&
        !(next.protocol === 'http:' && (this.endpoint.insecure || isLoopback(next.host)))
      )
        throw this.#failed('an address', `it redirects to ${next.protocol}//${next.host}, which is not HTTPS`);
      const same = next.host === this.#host && this.#authorization !== undefined;
      answer = await this.#request(next.href, same ? {...headers, authorization: this.#authorization ?? ''} : headers);
      from = next;
    }
    return answer;
  }

  #request(url: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    const {signal} = this.#options;
    return request(url, {
      dispatcher: this.#dispatcher,
      method: body === undefined ? 'GET' : 'POST',
      headers: {'user-agent': 'subroot', ...headers},
      ...(body === undefined ? {} : {body}),
      ...(signal ? {signal} : {}),
    });
  }
}

function basic({username = '', password = ''}: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function headerOf({headers}: Answer, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
