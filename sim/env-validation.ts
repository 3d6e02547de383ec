import {splitFieldPath} from './downward.ts';
import {envNameErrors} from './env-names.ts';
import type {EnvSource} from './env-source.ts';
import type {FieldError} from './field-error.ts';
import {invalid, required, unsupported} from './field-error.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import {minorOf} from './kubernetes-versions.ts';
import {subdomainNameErrors} from './names.ts';
import type {PodContainer} from './pod.ts';
import {parseQuantity} from './quantity.ts';

/**
 * What the API says against `env` and `envFrom` of a container.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidateEnv, validateEnvVarValueFrom, ValidateEnvFrom, 1.25 to 1.37.
 */
export function envErrors(container: PodContainer, path: string, kubernetes: KubernetesVersion): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, {name, value, from, sources}] of container.env.entries()) {
    const at = `${path}.env[${i}]`;
    if (name === '') errors.push(required(`${at}.name`));
    else for (const detail of envNameErrors(name, kubernetes)) errors.push(invalid(`${at}.name`, name, detail));
    if (!from && sources === undefined) continue;
    errors.push(...countErrors(sources, value, `${at}.valueFrom`, kubernetes));
    if (from) errors.push(...sourceErrors(from, `${at}.valueFrom`, kubernetes));
  }
  for (const [i, {prefix, from, sources}] of container.envFrom.entries()) {
    const at = `${path}.envFrom[${i}]`;
    if (prefix !== '')
      for (const detail of envNameErrors(prefix, kubernetes)) errors.push(invalid(`${at}.prefix`, prefix, detail));
    if (sources === 0) errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (sources !== undefined)
      errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
    if (from) errors.push(...nameErrors(from.name, `${at}.${from.kind}Ref`));
  }
  return errors;
}

function countErrors(
  sources: number | undefined,
  value: string,
  at: string,
  kubernetes: KubernetesVersion,
): FieldError[] {
  const errors: FieldError[] = [];
  if (sources === 0) {
    const one =
      minorOf(kubernetes) >= 34
        ? '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'
        : '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
    errors.push(invalid(at, '', `must specify one of: ${one}`));
  }
  if (value !== '' && sources !== 0) errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  else if ((sources ?? 1) > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  return errors;
}

function sourceErrors(from: EnvSource, at: string, kubernetes: KubernetesVersion): FieldError[] {
  switch (from.kind) {
    case 'field':
      return fieldErrors(from.path, `${at}.fieldRef`, kubernetes);
    case 'resource':
      return resourceErrors(from.resource, from.divisor, `${at}.resourceFieldRef`);
    case 'configMap':
    case 'secret': {
      const ref = `${at}.${from.kind}KeyRef`;
      const errors = nameErrors(from.name, ref);
      if (from.key === '') errors.push(required(`${ref}.key`));
      return errors;
    }
  }
}

function nameErrors(name: string, at: string): FieldError[] {
  if (name === '') return [required(`${at}.name`)];
  return subdomainNameErrors(name).map((detail) => invalid(`${at}.name`, name, detail));
}

function envFields(kubernetes: KubernetesVersion): string[] {
  return [
    ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName'],
    'status.hostIP',
    // Gate PodHostIPs, on from 1.29.
    ...(minorOf(kubernetes) >= 29 ? ['status.hostIPs'] : []),
    ...['status.podIP', 'status.podIPs'],
  ];
}

function fieldErrors(path: string, at: string, kubernetes: KubernetesVersion): FieldError[] {
  if (path === '') return [required(`${at}.fieldPath`)];
  const {field, key} = splitFieldPath(path);
  const isMap = field === 'metadata.labels' || field === 'metadata.annotations';
  if (key !== undefined)
    return isMap ? keyErrors(key, path, at) : [invalid(`${at}.fieldPath`, path, 'does not support subscript')];
  const known = envFields(kubernetes);
  if (known.includes(field)) return [];
  if (isMap) return [unsupported(`${at}.fieldPath`, path, known)];
  return [invalid(`${at}.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`)];
}

/** A qualified name: `app`, `example.com/app`. Source: apimachinery pkg/util/validation IsQualifiedName, 1.37. */
function keyErrors(key: string, path: string, at: string): FieldError[] {
  const slash = key.lastIndexOf('/');
  const [prefix, name] = [slash < 0 ? undefined : key.slice(0, slash), key.slice(slash + 1)];
  const isName = name.length <= 63 && /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name);
  const isPrefix = prefix === undefined || subdomainNameErrors(prefix.toLowerCase()).length === 0;
  return isName && isPrefix ? [] : [invalid(`${at}.fieldPath`, path, `the key ${key} is no qualified name`)];
}

const resources = ['cpu', 'ephemeral-storage', 'memory'].flatMap((name) => [`limits.${name}`, `requests.${name}`]);
const sizes = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** What the API says against a `resourceFieldRef`. Source: validation.go validateContainerResourceFieldSelector, 1.37. */
export function resourceErrors(resource: string, divisor: string | undefined, at: string): FieldError[] {
  if (resource === '') return [required(`${at}.resource`)];
  const name = /^(?:limits|requests)\.(.+)$/.exec(resource)?.[1];
  if (name === undefined || !(resources.includes(resource) || name.startsWith('hugepages-')))
    return [unsupported(`${at}.resource`, resource, resources.toSorted())];
  const allowed = name === 'cpu' ? ['1m', '1'] : sizes;
  const by = parseQuantity(divisor ?? '0') ?? 0n;
  if (by === 0n || allowed.some((each) => parseQuantity(each) === by)) return [];
  const shown = allowed.length === 2 ? allowed.join(' and ') : allowed.join(', ');
  const kind = name.startsWith('hugepages-')
    ? 'hugepages'
    : name === 'ephemeral-storage'
      ? 'local ephemeral storage'
      : name;
  return [invalid(`${at}.divisor`, divisor, `only divisor's values ${shown} are supported with the ${kind} resource`)];
}
