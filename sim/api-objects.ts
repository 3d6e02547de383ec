import {subrootError} from '../native-free/errors.ts';

/** A `v1` ConfigMap. Keys are unique over both bags: letters, digits, `-`, `_`, `.`, at most 253 of them, and no `..` at the start. */
export interface ConfigMapObject {
  readonly kind: 'ConfigMap';
  readonly namespace: string;
  readonly name: string;
  /** In the order written. */
  readonly data: ReadonlyMap<string, string>;
  readonly binaryData: ReadonlyMap<string, Uint8Array>;
}

/** A `v1` Secret. `stringData` is merged into `data` already, and wins there, as on the API server. Keys as a ConfigMap's. */
export interface SecretObject {
  readonly kind: 'Secret';
  readonly namespace: string;
  readonly name: string;
  /** `Opaque` when the document does not say. */
  readonly type: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
}

export type ApiObject = ConfigMapObject | SecretObject;

/** Bytes that all values of one ConfigMap or Secret may have together. Source: kubernetes pkg/apis/core/types.go MaxSecretSize, 1.37. */
export const MAX_OBJECT_BYTES = 1_048_576;

/**
 * What an API server would know beside a pod: the ConfigMaps and Secrets that came with it. Pods of a namespace see those of their
 * own namespace only. `parseManifests` answers one as `objects`; `ApiObjects.none` has nothing.
 */
export class ApiObjects {
  static readonly none = new ApiObjects([]);
  readonly #byKey: ReadonlyMap<string, ApiObject>;

  /** Of two objects with one kind, namespace and name the later counts; `parseManifests` refuses such twins. */
  constructor(objects: Iterable<ApiObject>) {
    this.#byKey = new Map([...objects].map((object) => [keyOf(object.kind, object.namespace, object.name), object]));
  }

  /** All of them, in the order written. */
  get all(): readonly ApiObject[] {
    return [...this.#byKey.values()];
  }

  /** The ConfigMap of that name, or undefined. */
  configMap(namespace: string, name: string): ConfigMapObject | undefined {
    const object = this.#byKey.get(keyOf('ConfigMap', namespace, name));
    return object?.kind === 'ConfigMap' ? object : undefined;
  }

  /** The Secret of that name, or undefined. */
  secret(namespace: string, name: string): SecretObject | undefined {
    const object = this.#byKey.get(keyOf('Secret', namespace, name));
    return object?.kind === 'Secret' ? object : undefined;
  }

  /** These, and those of `other` whose names are not here. */
  over(other: ApiObjects): ApiObjects {
    return new ApiObjects([...other.all, ...this.all]);
  }
}

function keyOf(kind: ApiObject['kind'], namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

/**
 * Values of a ConfigMap as bytes, for files: both bags. A text is UTF-8.
 * Source: kubernetes pkg/volume/configmap/configmap.go MakePayload, 1.36.
 */
export function bytesOf(configMap: ConfigMapObject): ReadonlyMap<string, Uint8Array> {
  const encoder = new TextEncoder();
  const texts = [...configMap.data].map(([key, text]) => [key, encoder.encode(text)] as const);
  return new Map<string, Uint8Array>([...texts, ...configMap.binaryData]);
}

/** The error for an object that a pod refers to and that did not come with it; `field` says where it is referred to. */
export function objectMissing(kind: ApiObject['kind'], namespace: string, name: string, field: string): Error {
  return subrootError('SUBROOT_OBJECT_MISSING', {kind, lower: kind.toLowerCase(), namespace, name, field});
}

/** As objectMissing, for a key of an object that is there. */
export function objectKeyMissing(object: ApiObject, key: string, field: string): Error {
  const {kind, namespace, name} = object;
  const keys = kind === 'ConfigMap' ? [...object.data.keys(), ...object.binaryData.keys()] : [...object.data.keys()];
  const known = keys.length === 0 ? 'it has no keys' : `it has ${keys.slice(0, 20).join(', ')}`;
  return subrootError('SUBROOT_OBJECT_KEY_MISSING', {kind, namespace, name, key, field, known});
}
