import {subrootError} from '../native-free/errors.ts';
import type {ApiObject, ApiObjects} from './api-objects.ts';
import {bytesOf, objectKeyMissing, objectMissing} from './api-objects.ts';
import type {NodeFacts} from './downward.ts';
import {podFieldValue, resourceValue, splitFieldPath} from './downward.ts';
import type {ApiVolume, ObjectProjection, Pod} from './pod.ts';
import {startedContainers} from './pod.ts';
import type {DownwardProjection} from './volume-source.ts';

/** A file of a volume from the API. `path` is relative, without `..`; `mode` has the permission bits. */
export interface PayloadFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** What a volume's files may say. */
export interface PayloadSources {
  readonly objects: ApiObjects;
  /** Asked only when a file wants to know. */
  readonly node: () => NodeFacts;
}

/** Lengths of a path and of each name in it. Source: kubernetes pkg/volume/util/atomic_writer.go, 1.36. */
const MAX_PATH = 4096;
const MAX_NAME = 255;

/**
 * The files of a volume that comes from the API, in the order of their paths. Of two with one path the later source counts, as on a
 * kubelet. Errors: SUBROOT_OBJECT_MISSING, SUBROOT_OBJECT_KEY_MISSING, SUBROOT_VOLUME_FILES.
 * Source: kubernetes pkg/volume/{configmap,secret,downwardapi,projected}, MakePayload and CollectData, 1.36.
 */
export function payloadOf(pod: Pod, volume: ApiVolume, sources: PayloadSources): PayloadFile[] {
  const files = new Map<string, PayloadFile>();
  for (const [i, source] of volume.sources.entries()) {
    const field =
      volume.kind === 'projected'
        ? `volume ${volume.name}, sources[${i}].${source.kind === 'other' ? source.type : source.kind}`
        : `volume ${volume.name}`;
    const made =
      source.kind === 'other'
        ? []
        : source.kind === 'downwardAPI'
          ? downwardFiles(pod, volume, source, sources)
          : objectFiles(pod, volume, source, field, sources.objects);
    for (const file of made) files.set(normal(file.path), {...file, path: normal(file.path)});
  }
  return requirePaths(
    volume.name,
    [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
}

/** A path without empty parts and without dots that lead nowhere. */
function normal(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function objectFiles(
  pod: Pod,
  volume: ApiVolume,
  source: ObjectProjection,
  field: string,
  objects: ApiObjects,
): PayloadFile[] {
  const {namespace} = pod.metadata;
  const object: ApiObject | undefined =
    source.kind === 'configMap' ? objects.configMap(namespace, source.name) : objects.secret(namespace, source.name);
  if (!object) {
    if (source.optional) return [];
    throw objectMissing(source.kind === 'configMap' ? 'ConfigMap' : 'Secret', namespace, source.name, field);
  }
  const values = object.kind === 'ConfigMap' ? bytesOf(object) : object.data;
  if (!source.items) return [...values].map(([key, bytes]) => ({path: key, bytes, mode: volume.defaultMode}));
  return source.items.flatMap(({key, path, mode}) => {
    const bytes = values.get(key);
    if (bytes) return [{path, bytes, mode: mode ?? volume.defaultMode}];
    if (source.optional) return [];
    throw objectKeyMissing(object, key, field);
  });
}

function downwardFiles(pod: Pod, volume: ApiVolume, source: DownwardProjection, {node}: PayloadSources): PayloadFile[] {
  const encoder = new TextEncoder();
  return source.items.flatMap(({path, mode, source: from}) => {
    const refuse = (why: string) => subrootError('SUBROOT_VOLUME_FILES', {volume: volume.name, path, why});
    if (!from) throw refuse('has no source');
    let text: string | undefined;
    if (from.kind === 'field') {
      text = fieldText(pod, from.path, node);
      if (text === undefined) throw refuse(`asks for the field ${from.path}, which a pod does not have for its files`);
    } else {
      const container = startedContainers(pod).find(({name}) => name === from.container);
      if (!container) throw refuse(`asks for container ${from.container}, and there is none of that name`);
      text = resourceValue(container, from.resource, from.divisor, node);
      if (text === undefined) throw refuse(`asks for the resource ${from.resource}, which a container does not have`);
    }
    return [{path, bytes: encoder.encode(text), mode: mode ?? volume.defaultMode}];
  });
}

/** A field, or all labels or annotations as sorted lines `key="value"`. Source: kubernetes pkg/fieldpath/fieldpath.go FormatMap, 1.37. */
function fieldText(pod: Pod, path: string, node: () => NodeFacts): string | undefined {
  const {field, key} = splitFieldPath(path);
  if (key === undefined && field === 'metadata.labels') return formatMap(pod.metadata.labels);
  if (key === undefined && field === 'metadata.annotations') return formatMap(pod.metadata.annotations);
  return podFieldValue(pod, path, node);
}

function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${quoted(map[key] ?? '')}`)
    .join('\n');
}

const escapes: Readonly<Record<string, string>> = {
  ...{'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t'},
  ...{'\u0007': '\\a', '\b': '\\b', '\f': '\\f', '\v': '\\v'},
};

/** A text as Go's `%q` writes it. What cannot be printed is an escape. Source: Go strconv.Quote. */
export function quoted(text: string): string {
  let out = '"';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const known = escapes[character];
    if (known !== undefined) out += known;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    // Letters, marks, numbers, punctuation and symbols, and of the spaces only the plain one.
    else if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) out += character;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}

/** Paths that can all be there at once, and that stay inside of the volume. The last look before they become files. */
function requirePaths(volume: string, files: readonly PayloadFile[]): PayloadFile[] {
  const names = new Set(files.map(({path}) => path));
  for (const {path} of files) {
    const refuse = (why: string) => subrootError('SUBROOT_VOLUME_FILES', {volume, path: path.slice(0, 200), why});
    const parts = path.split('/');
    if (path === '' || parts.includes('..') || path.startsWith('..')) throw refuse('is no path inside of the volume');
    if (path.includes('\0')) throw refuse('holds a NUL byte');
    if (Buffer.byteLength(path) > MAX_PATH) throw refuse(`is longer than ${MAX_PATH} bytes`);
    if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME))
      throw refuse(`has a name longer than ${MAX_NAME} bytes`);
    for (let end = 1; end < parts.length; end++) {
      const above = parts.slice(0, end).join('/');
      if (names.has(above)) throw refuse(`cannot be there, since ${above} is a file`);
    }
  }
  return [...files];
}
