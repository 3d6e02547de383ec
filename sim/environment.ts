import {subrootError} from '../native-free/errors.ts';
import type {ApiObjects} from './api-objects.ts';
import {objectKeyMissing, objectMissing} from './api-objects.ts';
import type {NodeFacts} from './downward.ts';
import {podFieldValue, resourceValue} from './downward.ts';
import {envNameErrors} from './env-names.ts';
import type {EnvFrom, EnvSource} from './env-source.ts';
import {expandReferences} from './expansion.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import type {Pod, PodContainer} from './pod.ts';
import {startedContainers} from './pod.ts';

/** Where the variables of a container may come from. */
export interface EnvironmentSources {
  readonly objects: ApiObjects;
  /** Asked only when a variable wants to know. */
  readonly node: () => NodeFacts;
  readonly kubernetes?: KubernetesVersion;
  /** Told of keys of an `envFrom` that are no names of variables and were left out. */
  readonly onSkipped?: (message: string) => void;
}

/**
 * The variables of a container: those of `envFrom` first, then those of `env` in order, each of which may refer to what was there
 * before it; the last of two with one name wins. What comes from elsewhere is taken as it is.
 * Errors: SUBROOT_OBJECT_MISSING, SUBROOT_OBJECT_KEY_MISSING, SUBROOT_POD_VARIABLE.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, 1.36.
 */
export function environmentOf(
  pod: Pod,
  container: PodContainer,
  sources: EnvironmentSources,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [i, source] of container.envFrom.entries()) {
    const field = `container ${container.name}, envFrom[${i}]`;
    for (const [name, value] of allOf(pod, source, field, sources)) values.set(name, value);
  }
  for (const variable of container.env) {
    const value =
      variable.value === '' && variable.from
        ? sourceValue(pod, container, variable.name, variable.from, sources)
        : expandReferences(variable.value, (reference) => values.get(reference));
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

function allOf(pod: Pod, {prefix, from}: EnvFrom, field: string, sources: EnvironmentSources): [string, string][] {
  if (!from) return [];
  const {namespace} = pod.metadata;
  const data = dataOf(from.kind, namespace, from.name, sources.objects);
  if (!data) {
    if (from.optional) return [];
    throw objectMissing(from.kind === 'secret' ? 'Secret' : 'ConfigMap', namespace, from.name, field);
  }
  const pairs: [string, string][] = [];
  const skipped: string[] = [];
  for (const [key, value] of data) {
    const name = prefix + key;
    if (envNameErrors(name, sources.kubernetes).length > 0) skipped.push(name);
    else pairs.push([name, textOf(value, `${field}, key ${key}`)]);
  }
  if (skipped.length > 0)
    sources.onSkipped?.(
      `Keys [${skipped.sort().join(', ')}] from the EnvFrom ${from.kind} ${namespace}/${from.name} were skipped since they are ` +
        'considered invalid environment variable names.',
    );
  return pairs;
}

function sourceValue(
  pod: Pod,
  container: PodContainer,
  name: string,
  from: EnvSource,
  sources: EnvironmentSources,
): string | undefined {
  const field = `container ${container.name}, variable ${name}`;
  const refuse = (why: string) =>
    subrootError('SUBROOT_POD_VARIABLE', {pod: pod.metadata.name, container: container.name, variable: name, why});
  switch (from.kind) {
    case 'field': {
      const value = podFieldValue(pod, from.path, sources.node);
      if (value === undefined) throw refuse(`a pod has no field ${from.path} for its containers`);
      return value;
    }
    case 'resource': {
      const of = from.container ?? container.name;
      const other = startedContainers(pod).find((each) => each.name === of);
      if (!other) throw refuse(`there is no container ${of}`);
      const value = resourceValue(other, from.resource, from.divisor, sources.node);
      if (value === undefined) throw refuse(`a container has no resource ${from.resource} to ask for`);
      return value;
    }
    case 'configMap':
    case 'secret': {
      const {namespace} = pod.metadata;
      const object =
        from.kind === 'secret'
          ? sources.objects.secret(namespace, from.name)
          : sources.objects.configMap(namespace, from.name);
      const value = object?.data.get(from.key);
      if (value !== undefined) return textOf(value, field);
      if (from.optional) return undefined;
      throw object
        ? objectKeyMissing(object, from.key, field)
        : objectMissing(from.kind === 'secret' ? 'Secret' : 'ConfigMap', namespace, from.name, field);
    }
  }
}

/** Texts of a ConfigMap, bytes of a Secret: `binaryData` is never a variable. */
function dataOf(
  kind: 'configMap' | 'secret',
  namespace: string,
  name: string,
  objects: ApiObjects,
): ReadonlyMap<string, string | Uint8Array> | undefined {
  return kind === 'secret' ? objects.secret(namespace, name)?.data : objects.configMap(namespace, name)?.data;
}

/** What execve(2) takes is text without NUL, and CRI's is UTF-8. The value is not shown: it may be a secret. */
function textOf(value: string | Uint8Array, field: string): string {
  let text: string;
  try {
    text = typeof value === 'string' ? value : new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(value);
  } catch {
    throw subrootError('SUBROOT_POD_VARIABLE_BYTES', {field, why: 'is no UTF-8 text'});
  }
  if (text.includes('\0')) throw subrootError('SUBROOT_POD_VARIABLE_BYTES', {field, why: 'holds a NUL byte'});
  return text;
}
