import {isDigest} from './image-reference.ts';

/** What points to a blob. Source: OCI image-spec descriptor.md, v1.1. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
}

/** The part of an image's configuration that a container starts from. Source: OCI image-spec config.md, v1.1. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly stopSignal: string;
  /** Digests of the layers' tars as they are unpacked, the lowest first. */
  readonly diffIds: readonly string[];
  /** RFC 3339, or empty. */
  readonly created: string;
}

export type Parsed<Value> = {readonly ok: true; readonly value: Value} | {readonly ok: false; readonly why: string};

/** Media types that a registry is asked for, OCI's and Docker's. */
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

/** More layers than any builder makes; the kernel's own limit is 500. Source: fs/overlayfs/super.c OVL_MAX_STACK. */
export const MAX_LAYERS = 500;

class Refused extends Error {}

function refuse(why: string): never {
  throw new Refused(why);
}

function parsed<Value>(read: () => Value): Parsed<Value> {
  try {
    return {ok: true, value: read()};
  } catch (error) {
    if (error instanceof Refused || error instanceof SyntaxError) return {ok: false, why: error.message};
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(`${what} is no object`);
  return value as Fields;
}

function textOf(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') refuse(`${what} is no text`);
  return value;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) refuse(`${what} is no list`);
  return value;
}

function textsOf(value: unknown, what: string): string[] {
  return listOf(value, what).map((each) => {
    if (typeof each !== 'string') refuse(`${what} has something that is no text`);
    return each;
  });
}

function annotationsOf(value: unknown, what: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  return Object.fromEntries(
    Object.entries(fieldsOf(value, what)).map(([key, text]) => [key, textOf(text, `${what}.${key}`)]),
  );
}

function platformOf(value: unknown, what: string): Platform {
  const fields = fieldsOf(value, what);
  const variant = textOf(fields.variant, `${what}.variant`);
  return {
    os: textOf(fields.os, `${what}.os`),
    architecture: textOf(fields.architecture, `${what}.architecture`),
    ...(variant === '' ? {} : {variant}),
  };
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const fields = fieldsOf(value, what);
  const digest = textOf(fields.digest, `${what}.digest`);
  if (!isDigest(digest)) refuse(`${what}.digest is no digest: ${digest.slice(0, 80)}`);
  const {size} = fields;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) refuse(`${what}.size is no size`);
  return {
    mediaType: textOf(fields.mediaType, `${what}.mediaType`),
    digest,
    size,
    ...(fields.platform === undefined || fields.platform === null
      ? {}
      : {platform: platformOf(fields.platform, `${what}.platform`)}),
    annotations: annotationsOf(fields.annotations, `${what}.annotations`),
  };
}

/** A manifest or an index, OCI's or Docker's, as JSON text. What is neither says what it is instead. */
export function parseManifest(text: string): Parsed<ImageManifest | ImageIndex> {
  return parsed(() => {
    const fields = fieldsOf(JSON.parse(text), 'the manifest');
    const mediaType = textOf(fields.mediaType, 'mediaType');
    if (fields.schemaVersion !== 2) {
      if (fields.schemaVersion === 1) refuse('it has the old form (schema 1), which registries gave up');
      refuse('its schemaVersion is not 2');
    }
    if (Array.isArray(fields.manifests)) {
      return {kind: 'index', manifests: fields.manifests.map((each, at) => descriptorOf(each, `manifests[${at}]`))};
    }
    const config = descriptorOf(fields.config, 'config');
    const layers = listOf(fields.layers, 'layers').map((each, at) => descriptorOf(each, `layers[${at}]`));
    const isImage = /^application\/vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json$/.test(
      config.mediaType,
    );
    if (!isImage) refuse(`it is no image but ${config.mediaType || mediaType || 'something without a type'}`);
    if (layers.length > MAX_LAYERS) refuse(`it has ${layers.length} layers, and an overlay takes ${MAX_LAYERS}`);
    return {kind: 'manifest', config, layers};
  });
}

/** An image's configuration, as JSON text. Fields of the wrong type are refused, since a container would start as another one. */
export function parseImageConfig(text: string): Parsed<ImageConfig> {
  return parsed(() => {
    const fields = fieldsOf(JSON.parse(text), 'the configuration');
    const config = fieldsOf(fields.config ?? {}, 'config');
    const rootfs = fieldsOf(fields.rootfs ?? {}, 'rootfs');
    const diffIds = textsOf(rootfs.diff_ids, 'rootfs.diff_ids');
    const wrong = diffIds.find((id) => !isDigest(id));
    if (wrong !== undefined) refuse(`rootfs.diff_ids has ${wrong.slice(0, 80)}, which is no digest`);
    return {
      platform: platformOf(fields, 'the configuration'),
      entrypoint: textsOf(config.Entrypoint, 'config.Entrypoint'),
      cmd: textsOf(config.Cmd, 'config.Cmd'),
      env: textsOf(config.Env, 'config.Env'),
      workingDir: textOf(config.WorkingDir, 'config.WorkingDir'),
      user: textOf(config.User, 'config.User'),
      stopSignal: textOf(config.StopSignal, 'config.StopSignal'),
      diffIds,
      created: textOf(fields.created, 'created'),
    };
  });
}

/** `linux/arm64/v8`. */
export function platformText({os, architecture, variant}: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/**
 * The entry of an index that fits a platform: the same variant first, then one without a variant, then any. Entries of platform
 * unknown/unknown are attestations and fit nothing. Source: containerd platforms/compare.go, simplified: an older ARM variant is not tried
 * before a newer one, since this machine is amd64 or arm64.
 */
export function choosePlatform(index: ImageIndex, wanted: Platform): Descriptor | undefined {
  const fitting = index.manifests.filter(
    ({platform}) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  return (
    fitting.find(({platform}) => platform?.variant === wanted.variant) ??
    fitting.find(({platform}) => platform?.variant === undefined) ??
    fitting[0] ??
    // An index of one image that does not say for what.
    (index.manifests.length === 1 && index.manifests[0]?.platform === undefined ? index.manifests[0] : undefined)
  );
}
