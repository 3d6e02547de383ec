/** The registry of a name that has none. Source: distribution/reference normalize.go, v0.6. */
export const DEFAULT_REGISTRY = 'docker.io';

/** A name of an image as a registry knows it, complete: registry, repository, and a tag or a digest or both. */
export interface ImageReference {
  /** Host, with a port where it has one: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** `library/debian`. */
  readonly repository: string;
  /** Absent exactly when the name has a digest and no tag. */
  readonly tag?: string;
  /** `sha256:…`; when there is one it alone decides what is meant. */
  readonly digest?: string;
}

export type ParsedReference =
  | {readonly ok: true; readonly reference: ImageReference}
  | {readonly ok: false; readonly why: string};

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host =
  /^(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?$/;
const digestForms = new Map([
  ['sha256', /^[0-9a-f]{64}$/],
  ['sha512', /^[0-9a-f]{128}$/],
]);

/** True for `sha256:` or `sha512:` and its hexadecimal digits. */
export function isDigest(text: string): boolean {
  const colon = text.indexOf(':');
  return digestForms.get(text.slice(0, Math.max(0, colon)))?.test(text.slice(colon + 1)) ?? false;
}

/**
 * A name as people write it, completed as every CRI runtime does: no registry is docker.io, one component there is of `library`, neither
 * tag nor digest is `latest`. The first component is a registry only with a `.` or `:` in it, as `localhost`, or with a capital.
 * Source: distribution/reference normalize.go and regexp.go, v0.6; containerd pkg/reference.
 */
export function parseImageReference(text: string): ParsedReference {
  const refuse = (why: string): ParsedReference => ({ok: false, why});
  if (text === '') return refuse('it is empty');
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  if (digest !== undefined && !isDigest(digest)) {
    return refuse(`${digest} is no digest: it must be sha256: and 64 hexadecimal digits in lower case`);
  }
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) {
    return refuse(`${tag} is no tag: up to 128 letters, digits, \`_\`, \`.\` and \`-\`, and not \`.\` or \`-\` first`);
  }
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || /[A-Z]/.test(first));
  const registry = hasRegistry ? first : DEFAULT_REGISTRY;
  const path = hasRegistry ? rest : [first, ...rest];
  const port = host.exec(registry)?.[1];
  if (!host.test(registry) || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1) {
    return refuse(`${registry} is no host name`);
  }
  const isOfficial = (registry === DEFAULT_REGISTRY || registry === 'index.docker.io') && path.length === 1;
  const parts = isOfficial ? ['library', ...path] : path;
  const wrong = parts.find((part) => !component.test(part));
  if (wrong !== undefined) {
    const why = wrong === '' ? 'it has an empty part' : `${wrong} is no part of a name`;
    return refuse(`${why}: lower-case letters and digits, with \`.\`, \`_\` or \`-\` between them`);
  }
  const repository = parts.join('/');
  if (registry.length + repository.length + 1 > 255) return refuse('a name has at most 255 characters');
  return {
    ok: true,
    reference: {
      registry: registry === 'index.docker.io' ? DEFAULT_REGISTRY : registry,
      repository,
      ...(tag === undefined && digest === undefined ? {tag: 'latest'} : {}),
      ...(tag === undefined ? {} : {tag}),
      ...(digest === undefined ? {} : {digest}),
    },
  };
}

/** `docker.io/library/debian`. */
export function repositoryName({registry, repository}: ImageReference): string {
  return `${registry}/${repository}`;
}

/** The complete name by which CRI knows it: with the digest when there is one, else with the tag. */
export function formatReference(reference: ImageReference): string {
  const name = repositoryName(reference);
  return reference.digest === undefined ? `${name}:${reference.tag ?? 'latest'}` : `${name}@${reference.digest}`;
}
