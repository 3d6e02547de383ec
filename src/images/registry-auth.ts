import {readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import type {AuthConfig} from '../../native-free/cri.ts';
import {findAuth, parseDockerConfig} from '../../native-free/docker-config.ts';
import {subrootError} from '../../native-free/errors.ts';
import {errnoOf} from '../host/state-files.ts';
import {runTool} from '../host/tool.ts';
import {userConfigFolder} from './registry-config.ts';

/** Who we are to a registry; nobody when it is empty. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token, of OAuth 2. */
  readonly identityToken?: string;
  /** A bearer token that is given as it is. */
  readonly registryToken?: string;
  /** For messages: where they came from, or where they were looked for. Never a secret. */
  readonly source: string;
}

/**
 * Where credentials are looked for, in order. With `--authfile` or $REGISTRY_AUTH_FILE only there.
 * Source: containers-auth.json(5); docker's config.json.
 */
export function authFiles(explicit?: string, env: NodeJS.ProcessEnv = process.env): string[] {
  const given = explicit || env.REGISTRY_AUTH_FILE;
  if (given) return [given];
  const runtime = env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`;
  const home = env.HOME || homedir();
  return [
    env.XDG_RUNTIME_DIR ? join(runtime, 'containers/auth.json') : join(runtime, 'auth.json'),
    join(userConfigFolder(env), 'auth.json'),
    join(env.DOCKER_CONFIG || join(home, '.docker'), 'config.json'),
  ];
}

/** Credentials that were given with the request, in whichever of CRI's forms; undefined when there are none. */
export function givenCredentials(auth: AuthConfig | undefined, source: string): Credentials | undefined {
  if (!auth) return undefined;
  if (auth.registryToken) return {registryToken: auth.registryToken, source};
  if (auth.identityToken) return {identityToken: auth.identityToken, source};
  if (auth.username) return {username: auth.username, password: auth.password ?? '', source};
  return auth.auth ? {...splitBasic(auth.auth, source), source} : undefined;
}

function splitBasic(encoded: string, file: string): {username: string; password: string} {
  const pair = Buffer.from(encoded, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  if (colon <= 0) {
    throw subrootError('SUBROOT_REGISTRY_CONFIG', {file, why: 'an auth is no base64 of USER:PASSWORD'});
  }
  return {username: pair.slice(0, colon), password: pair.slice(colon + 1)};
}

interface Helpers {
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: unknown;
}

/** The part of docker's config.json that names helpers. The text is JSON of an object by now. */
function helpersOf(content: string): Helpers {
  const {credHelpers, credsStore} = JSON.parse(content) as Record<string, unknown>;
  const isObject = typeof credHelpers === 'object' && credHelpers !== null;
  return {credHelpers: isObject ? (credHelpers as Record<string, unknown>) : {}, credsStore};
}

/** What `docker-credential-NAME get` answers for a registry; undefined when it has nothing. Errors: SUBROOT_REGISTRY_CONFIG. */
async function askHelper(name: string, server: string, file: string): Promise<Credentials | undefined> {
  const refuse = (why: string) => subrootError('SUBROOT_REGISTRY_CONFIG', {file, why});
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) throw refuse(`${name} is no name of a credential helper`);
  const program = `docker-credential-${name}`;
  const result = await runTool(program, ['get'], {input: server});
  if (result.missing) throw refuse(`it names the credential helper ${program}, which is not installed`);
  if (result.exitCode !== 0) {
    if (/credentials not found/i.test(result.stdout + result.stderr)) return undefined;
    throw refuse(`${program} failed with exit code ${result.exitCode}`);
  }
  let answer: {Username?: unknown; Secret?: unknown};
  try {
    answer = JSON.parse(result.stdout);
  } catch {
    throw refuse(`${program} did not answer JSON`);
  }
  const {Username: username, Secret: secret} = answer;
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw refuse(`${program} did not answer a name and a secret`);
  const source = `of ${program} (${file})`;
  return username === '<token>' ? {identityToken: secret, source} : {username, password: secret, source};
}

/** Credentials for a repository from the usual files; without any, `source` says where they were looked for. Errors: SUBROOT_REGISTRY_CONFIG. */
export async function findCredentials(
  registry: string,
  repository: string,
  options: {readonly authFile?: string | undefined; readonly env?: NodeJS.ProcessEnv} = {},
): Promise<Credentials> {
  const looked: string[] = [];
  for (const file of authFiles(options.authFile, options.env)) {
    let content: string;
    try {
      content = readFileSync(file, 'utf8');
      looked.push(file);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR')
        throw subrootError('SUBROOT_REGISTRY_CONFIG', {file, why: `it cannot be read (${errnoOf(error)})`}, error);
      looked.push(`${file} (not there)`);
      continue;
    }
    const parsed = parseDockerConfig(content);
    if ('why' in parsed) throw subrootError('SUBROOT_REGISTRY_CONFIG', {file, why: parsed.why});
    const {credHelpers, credsStore} = helpersOf(content);
    const helper = credHelpers[registry];
    if (typeof helper === 'string') {
      const helped = await askHelper(helper, registry, file);
      if (helped) return helped;
    }
    const entry = findAuth(parsed.auths, registry, repository);
    const found = entry && givenCredentials(entry.auth, `of ${file} for ${entry.key}`);
    if (found) return found;
    if (typeof credsStore === 'string' && credsStore !== '') {
      const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
      const stored = await askHelper(credsStore, server, file);
      if (stored) return stored;
    }
  }
  return {source: `none for it in ${looked.join(', ')}`};
}
