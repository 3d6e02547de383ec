import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {parse as parseToml} from 'smol-toml';
import {subrootError} from '../../native-free/errors.ts';
import {formatReference, type ImageReference, repositoryName} from '../../native-free/image-reference.ts';
import {errnoOf} from '../host/state-files.ts';

/** Where an image is asked for: the registry itself, or a mirror of it. */
export interface Endpoint {
  readonly registry: string;
  readonly repository: string;
  /** Any certificate will do, and plain HTTP where there is no TLS. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly takes: 'all' | 'digest-only' | 'tag-only';
}

interface Rule {
  readonly file: string;
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

/** The folder of a user's configuration of containers. */
export function userConfigFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'containers');
}

/**
 * The files that say where registries are, the most general first: $CONTAINERS_REGISTRIES_CONF, else the user's registries.conf, else
 * /etc/containers/registries.conf; then the files of the registries.conf.d folders. Source: containers-registries.conf(5).
 */
export function registryFiles(env: NodeJS.ProcessEnv = process.env): string[] {
  const explicit = env.CONTAINERS_REGISTRIES_CONF;
  if (explicit) return [explicit];
  const user = userConfigFolder(env);
  const main = [join(user, 'registries.conf'), '/etc/containers/registries.conf'].find((path) => existsSync(path));
  const more = ['/etc/containers/registries.conf.d', join(user, 'registries.conf.d')].flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => name.endsWith('.conf'))
        .sort()
        .map((name) => join(folder, name));
    } catch {
      return [];
    }
  });
  return [...(main === undefined ? [] : [main]), ...more];
}

function fail(file: string, why: string, cause?: unknown): never {
  throw subrootError('SUBROOT_REGISTRY_CONFIG', {file, why}, cause);
}

function text(file: string, table: Record<string, unknown>, key: string): string {
  const value = table[key] ?? '';
  if (typeof value !== 'string') fail(file, `${key} is no text`);
  return value;
}

function flag(file: string, table: Record<string, unknown>, key: string): boolean {
  const value = table[key] ?? false;
  if (typeof value !== 'boolean') fail(file, `${key} is neither true nor false`);
  return value;
}

function tables(file: string, value: unknown, key: string): Record<string, unknown>[] {
  if (value === undefined) return [];
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'object' && each !== null);
  if (!isList) fail(file, `${key} is no list of tables; write [[${key}]]`);
  return value as Record<string, unknown>[];
}

/** The `[[registry]]` tables of one file. Errors: SUBROOT_REGISTRY_CONFIG. */
export function parseRegistryRules(content: string, file: string): Rule[] {
  let document: Record<string, unknown>;
  try {
    document = parseToml(content);
  } catch (error) {
    return fail(file, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
  return tables(file, document.registry, 'registry').map((table) => {
    const location = text(file, table, 'location');
    const prefix = text(file, table, 'prefix') || location;
    if (prefix === '') fail(file, 'a [[registry]] has neither prefix nor location');
    const byDigestOnly = flag(file, table, 'mirror-by-digest-only');
    return {
      file,
      prefix,
      location: location || prefix,
      insecure: flag(file, table, 'insecure'),
      blocked: flag(file, table, 'blocked'),
      mirrors: tables(file, table.mirror, 'registry.mirror').map((mirror) => {
        const takes = text(file, mirror, 'pull-from-mirror') || (byDigestOnly ? 'digest-only' : 'all');
        if (takes !== 'all' && takes !== 'digest-only' && takes !== 'tag-only')
          fail(file, `pull-from-mirror is ${takes}; there is all, digest-only and tag-only`);
        const where = text(file, mirror, 'location');
        if (where === '') fail(file, 'a [[registry.mirror]] has no location');
        return {location: where, insecure: flag(file, mirror, 'insecure'), takes};
      }),
    };
  });
}

function fits(rule: Rule, name: string): boolean {
  const {prefix} = rule;
  if (prefix.startsWith('*.')) return (name.split('/')[0] ?? '').endsWith(prefix.slice(1));
  return name === prefix || name.startsWith(`${prefix}/`);
}

function rewritten(name: string, rule: Rule, location: string, insecure: boolean, isMirror: boolean): Endpoint {
  const rest = rule.prefix.startsWith('*.') ? name.slice(name.indexOf('/')) : name.slice(rule.prefix.length);
  // A wildcard cannot be replaced by itself: the name stays.
  const full = rule.prefix.startsWith('*.') && location === rule.prefix ? name : `${location}${rest}`;
  const slash = full.indexOf('/');
  return {registry: full.slice(0, slash), repository: full.slice(slash + 1), insecure, isMirror};
}

/**
 * Where to ask for an image, in order: mirrors first, the registry last. The rule with the longest prefix counts. Errors:
 * SUBROOT_REGISTRY_BLOCKED.
 */
export function endpointsOf(reference: ImageReference, rules: readonly Rule[]): Endpoint[] {
  const name = repositoryName(reference);
  const rule = rules
    .filter((each) => fits(each, name))
    .reduce<Rule | undefined>(
      (best, each) => (best && best.prefix.length > each.prefix.length ? best : each),
      undefined,
    );
  const own: Endpoint = {
    registry: reference.registry,
    repository: reference.repository,
    insecure: false,
    isMirror: false,
  };
  if (!rule) return [own];
  if (rule.blocked)
    throw subrootError('SUBROOT_REGISTRY_BLOCKED', {image: formatReference(reference), file: rule.file});
  const kind = reference.digest === undefined ? 'tag-only' : 'digest-only';
  return [
    ...rule.mirrors
      .filter(({takes}) => takes === 'all' || takes === kind)
      .map(({location, insecure}) => rewritten(name, rule, location, insecure, true)),
    rewritten(name, rule, rule.location, rule.insecure, false),
  ];
}

/** All rules of this user on this machine. Errors: SUBROOT_REGISTRY_CONFIG. */
export function readRegistryRules(env: NodeJS.ProcessEnv = process.env): Rule[] {
  return registryFiles(env).flatMap((file) => {
    let content: string;
    try {
      content = readFileSync(file, 'utf8');
    } catch (error) {
      return fail(file, `it cannot be read (${errnoOf(error)})`, error);
    }
    return parseRegistryRules(content, file);
  });
}
