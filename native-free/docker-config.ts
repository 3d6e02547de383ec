import type {AuthConfig} from './cri.ts';

/** Keys under which a file of credentials may have those of a repository, the most exact first. Source: containers-auth.json(5). */
export function authKeys(registry: string, repository: string): string[] {
  const parts = repository.split('/');
  const own = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'));
  const older =
    registry === 'docker.io' ? ['index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'] : [];
  return [...own, registry, ...older, `https://${registry}`, `https://${registry}/v1/`, `https://${registry}/v2/`];
}

export type Auths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The `auths` of a file in the form of docker's config.json, or why it has none. `bare`: the older form, which is the auths alone. */
export function parseDockerConfig(text: string, bare = false): {readonly auths: Auths} | {readonly why: string} {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {why: 'it is no JSON'};
  }
  const isObject = (each: unknown): each is Record<string, unknown> =>
    typeof each === 'object' && each !== null && !Array.isArray(each);
  if (!isObject(value)) return {why: 'it is no object'};
  const auths = bare ? value : (value.auths ?? {});
  if (!isObject(auths) || !Object.values(auths).every(isObject)) return {why: 'its auths are no objects by registry'};
  return {auths: auths as Auths};
}

/** The entry of a repository and the key it has, or undefined; an entry that says nothing is none. */
export function findAuth(
  auths: Auths,
  registry: string,
  repository: string,
): {readonly key: string; readonly auth: AuthConfig} | undefined {
  for (const key of authKeys(registry, repository)) {
    const entry = Object.hasOwn(auths, key) ? auths[key] : undefined;
    if (entry === undefined) continue;
    const text = (name: string) => (typeof entry[name] === 'string' && entry[name] !== '' ? entry[name] : undefined);
    const [registryToken, identityToken, auth] = [text('registrytoken'), text('identitytoken'), text('auth')];
    const [username, password] = [text('username'), text('password')];
    if (registryToken !== undefined) return {key, auth: {registryToken}};
    if (identityToken !== undefined) return {key, auth: {identityToken}};
    if (auth !== undefined) return {key, auth: {auth}};
    if (username !== undefined) return {key, auth: {username, password: password ?? ''}};
  }
  return undefined;
}
