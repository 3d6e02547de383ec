import type {ApiObject, ConfigMapObject, SecretObject} from './api-objects.ts';
import {MAX_OBJECT_BYTES} from './api-objects.ts';
import type {FieldReader, TextField} from './field-reader.ts';
import {labelNameErrors, subdomainNameErrors} from './names.ts';

const keyPattern = /^[-._a-zA-Z0-9]+$/;

/**
 * What the API says against a key of a ConfigMap or Secret; empty when it is fine. A key becomes a file name.
 * Source: apimachinery pkg/util/validation IsConfigMapKey, 1.36.
 */
export function objectKeyErrors(key: string): string[] {
  const errors = [];
  if (key.length > 253) errors.push('must be no more than 253 characters');
  if (!keyPattern.test(key))
    errors.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or " +
        "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
  if (key === '.' || key === '..') errors.push(`must not be '${key}'`);
  else if (key.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

/**
 * The bytes of a base64 text as Go's encoding/json reads it (line breaks are skipped, padding is a must), or where it is wrong.
 * Source: Go encoding/base64 StdEncoding.
 */
export function decodeBase64(
  text: string,
): {readonly ok: true; readonly bytes: Uint8Array} | {readonly ok: false; readonly at: number} {
  let count = 0;
  let padding = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? '';
    if (character === '\n' || character === '\r') continue;
    if (character === '=') {
      // Two or one at the end of a group of four; the others would stand for less than a byte.
      if (padding === 0 && count % 4 < 2) return {ok: false, at: i};
      padding += 1;
    } else if (padding > 0 || !/[A-Za-z0-9+/]/.test(character)) return {ok: false, at: i};
    count += 1;
    if (padding > 0 && count % 4 === 1) return {ok: false, at: i};
  }
  if (count % 4 !== 0) return {ok: false, at: text.length};
  return {ok: true, bytes: new Uint8Array(Buffer.from(text, 'base64'))};
}

/**
 * A ConfigMap or Secret document, checked as the API server checks it; complaints go to the reader's findings, and never say a value.
 * `reader` has had its apiVersion and kind read. Source: kubernetes pkg/apis/core/validation/validation.go ValidateConfigMap,
 * ValidateSecret; pkg/apis/core/v1/conversion.go (stringData), 1.37.
 */
export function readApiObject(reader: FieldReader, kind: ApiObject['kind']): ApiObject {
  const {name, namespace} = readMetadata(reader);
  reader.boolean('immutable');
  const object = kind === 'ConfigMap' ? readConfigMap(reader, namespace, name) : readSecret(reader, namespace, name);
  reader.finish();
  return object;
}

function readMetadata(reader: FieldReader): {name: string; namespace: string} {
  const metadata = reader.object('metadata');
  if (!metadata) {
    reader.findings.problem(reader.at, reader.pathOf('metadata'), 'is required');
    return {name: '', namespace: 'default'};
  }
  const name = metadata.string('name') ?? '';
  const namespace = metadata.string('namespace') || 'default';
  metadata.stringMap('labels');
  metadata.ignore(
    ...['uid', 'annotations', 'creationTimestamp', 'resourceVersion', 'generation', 'managedFields', 'selfLink'],
    ...['generateName', 'ownerReferences', 'finalizers', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  );
  metadata.finish();
  const complain = (field: string, details: readonly string[]) => {
    for (const detail of details) reader.findings.problem(metadata.at, metadata.pathOf(field), detail);
  };
  complain('name', name === '' ? ['name or generateName is required'] : subdomainNameErrors(name));
  complain('namespace', labelNameErrors(namespace));
  return {name, namespace};
}

function readConfigMap(reader: FieldReader, namespace: string, name: string): ConfigMapObject {
  const data = checkedTexts(reader, 'data');
  const binaryData = decoded(reader, 'binaryData');
  const texts = new Map(data.map(({key, text}) => [key, text]));
  for (const {key, at} of data) {
    if (binaryData.has(key))
      reader.findings.problem(at, `${reader.pathOf('data')}[${key}]`, 'duplicate of key present in binaryData');
  }
  requireSize(reader, '', [...[...texts.values()].map((text) => Buffer.byteLength(text)), ...lengths(binaryData)]);
  return {kind: 'ConfigMap', namespace, name, data: texts, binaryData};
}

function readSecret(reader: FieldReader, namespace: string, name: string): SecretObject {
  const type = reader.string('type') || 'Opaque';
  const data = decoded(reader, 'data');
  const encoder = new TextEncoder();
  for (const {key, text} of checkedTexts(reader, 'stringData')) data.set(key, encoder.encode(text));
  requireSize(reader, 'data', lengths(data));
  for (const missing of missingKeys(type, data)) {
    reader.findings.problem(reader.at, `${reader.pathOf('data')}[${missing}]`, `is required with type ${type}`);
  }
  return {kind: 'Secret', namespace, name, type, data};
}

/** Keys that a type of Secret cannot do without. Source: kubernetes pkg/apis/core/validation/validation.go ValidateSecret, 1.37. */
function missingKeys(type: string, data: ReadonlyMap<string, Uint8Array>): string[] {
  const lacks = (...keys: readonly string[]) => keys.filter((key) => !data.has(key));
  if (type === 'kubernetes.io/dockercfg') return lacks('.dockercfg');
  if (type === 'kubernetes.io/dockerconfigjson') return lacks('.dockerconfigjson');
  if (type === 'kubernetes.io/ssh-auth') return lacks('ssh-privatekey');
  if (type === 'kubernetes.io/tls') return lacks('tls.crt', 'tls.key');
  // Either is enough.
  if (type === 'kubernetes.io/basic-auth' && !data.has('password')) return lacks('username');
  return [];
}

function checkedTexts(reader: FieldReader, field: string): readonly TextField[] {
  const texts = reader.texts(field);
  for (const {key, at} of texts) {
    for (const detail of objectKeyErrors(key))
      reader.findings.problem(at, `${reader.pathOf(field)}[${key.slice(0, 60)}]`, detail);
  }
  return texts;
}

function decoded(reader: FieldReader, field: string): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  for (const {key, text, at} of checkedTexts(reader, field)) {
    const result = decodeBase64(text);
    if (result.ok) values.set(key, result.bytes);
    else {
      const hint = field === 'data' ? '; plain text goes into stringData' : '';
      const what = `illegal base64 data at input byte ${result.at}${hint}`;
      reader.findings.problem(at, `${reader.pathOf(field)}[${key}]`, what);
    }
  }
  return values;
}

function lengths(values: ReadonlyMap<string, Uint8Array>): number[] {
  return [...values.values()].map((bytes) => bytes.length);
}

function requireSize(reader: FieldReader, field: string, sizes: readonly number[]): void {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= MAX_OBJECT_BYTES) return;
  const path = field === '' ? reader.path || 'document' : reader.pathOf(field);
  reader.findings.problem(
    reader.at,
    path,
    `Too long: may not be more than ${MAX_OBJECT_BYTES} bytes, and has ${total}`,
  );
}
