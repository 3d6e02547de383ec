import {splitFieldPath} from './downward.ts';
import {resourceErrors} from './env-validation.ts';
import type {FieldError} from './field-error.ts';
import {forbidden, invalid, required, unsupported} from './field-error.ts';
import {subdomainNameErrors} from './names.ts';
import type {
  DownwardFile,
  KeyToPath,
  PodContainer,
  PodSecurityContext,
  Projection,
  Volume,
  VolumeMount,
} from './pod.ts';
import {parseQuantity} from './quantity.ts';

/**
 * What the API says against one volume; `path` is that of the volume (`spec.volumes[0]`). Volumes that subroot cannot make are not
 * looked into. Source: kubernetes pkg/apis/core/validation/validation.go validateVolumeSource, 1.36.
 */
export function volumeErrors(volume: Volume, path: string): FieldError[] {
  const at = `${path}.${volume.kind}`;
  switch (volume.kind) {
    case 'hostPath':
      return hostPathErrors(volume.path, volume.type, at);
    case 'emptyDir':
      return sizeErrors(volume.sizeLimit, `${at}.sizeLimit`);
    case 'configMap':
    case 'secret':
    case 'downwardAPI':
    case 'projected': {
      const errors = modeErrors(volume.defaultMode, `${at}.defaultMode`);
      const seen = new Set<string>();
      for (const [i, source] of volume.sources.entries()) {
        const projected = volume.kind === 'projected';
        const of = projected ? `${at}.sources[${i}].${source.kind === 'other' ? source.type : source.kind}` : at;
        const nameField = volume.kind === 'secret' ? 'secretName' : 'name';
        errors.push(...projectionErrors(source, of, nameField));
        if (projected) errors.push(...twinErrors(source, at, seen));
      }
      return errors;
    }
    case 'other':
      return [];
  }
}

const hostPathTypes = [
  ...['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice'],
];

function hostPathErrors(hostPath: string, type: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (hostPath === '') errors.push(required(`${path}.path`));
  if (hostPath.split('/').includes('..')) errors.push(invalid(`${path}.path`, hostPath, "must not contain '..'"));
  if (!hostPathTypes.includes(type)) errors.push(unsupported(`${path}.type`, type, hostPathTypes.slice(1)));
  return errors;
}

function sizeErrors(sizeLimit: string | undefined, path: string): FieldError[] {
  if (sizeLimit === undefined) return [];
  const size = parseQuantity(sizeLimit);
  return size !== undefined && size >= 0n ? [] : [forbidden(path, 'SizeLimit field must be a valid resource quantity')];
}

function modeErrors(mode: number | undefined, path: string): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return [];
  return [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}

function projectionErrors(source: Projection, path: string, nameField: string): FieldError[] {
  if (source.kind === 'other') return [];
  if (source.kind === 'downwardAPI')
    return source.items.flatMap((file, i) => downwardErrors(file, `${path}.items[${i}]`));
  const errors: FieldError[] = [];
  if (source.name === '') errors.push(required(`${path}.${nameField}`));
  // Ours: the API looks an object up under whatever it is called, and finds none.
  else
    for (const detail of subdomainNameErrors(source.name))
      errors.push(invalid(`${path}.${nameField}`, source.name, detail));
  for (const [i, item] of source.items?.entries() ?? []) errors.push(...itemErrors(item, `${path}.items[${i}]`));
  return errors;
}

function itemErrors(item: KeyToPath, path: string): FieldError[] {
  return [
    ...(item.key === '' ? [required(`${path}.key`)] : []),
    ...pathErrors(item.path, `${path}.path`),
    ...modeErrors(item.mode, `${path}.mode`),
  ];
}

/** A path inside of a volume: relative, without `..`, and not beginning with the dots that are the kubelet's own. */
function pathErrors(target: string, path: string): FieldError[] {
  if (target === '') return [required(path)];
  const errors = descendingErrors(target, path);
  if (target.startsWith('..') && !target.startsWith('../'))
    errors.push(invalid(path, target, "must not start with '..'"));
  return errors;
}

function descendingErrors(target: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (target.startsWith('/')) errors.push(invalid(path, target, 'must be a relative path'));
  if (target.split('/').includes('..')) errors.push(invalid(path, target, "must not contain '..'"));
  return errors;
}

const downwardFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

function downwardErrors(file: DownwardFile, at: string): FieldError[] {
  const errors = [...pathErrors(file.path, `${at}.path`), ...modeErrors(file.mode, `${at}.mode`)];
  const {source} = file;
  if (file.sources > 1)
    errors.push(invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  else if (!source) errors.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
  else if (source.kind === 'resource') {
    if (source.container === '') errors.push(required(`${at}.resourceFieldRef.containerName`));
    errors.push(...resourceErrors(source.resource, source.divisor, `${at}.resourceFieldRef`));
  } else {
    const {field, key} = splitFieldPath(source.path);
    const isMap = field === 'metadata.labels' || field === 'metadata.annotations';
    if (source.path === '') errors.push(required(`${at}.fieldRef.fieldPath`));
    else if (key !== undefined && !isMap)
      errors.push(invalid(`${at}.fieldRef.fieldPath`, source.path, 'does not support subscript'));
    else if (!downwardFields.includes(field))
      errors.push(unsupported(`${at}.fieldRef.fieldPath`, source.path, downwardFields));
  }
  return errors;
}

/** Paths that two sources of one projected volume name. `seen` is of the whole volume. */
function twinErrors(source: Projection, path: string, seen: Set<string>): FieldError[] {
  if (source.kind === 'other') return [];
  const errors: FieldError[] = [];
  for (const item of source.items ?? []) {
    if (item.path === '') continue;
    if (seen.has(item.path))
      errors.push(
        invalid(path, source.kind === 'downwardAPI' ? item.path : source.name, 'conflicting duplicate paths'),
      );
    seen.add(item.path);
  }
  return errors;
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursiveModes = ['Disabled', 'Enabled', 'IfPossible'];

/** What the API says against one mount of a container; names and paths are `nameErrors`'. Source: as volumeErrors, ValidateVolumeMounts. */
export function mountErrors(mount: VolumeMount, container: PodContainer, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const {mountPropagation, recursiveReadOnly} = mount;
  if (mount.subPathExpr !== undefined) {
    if (mount.subPath !== undefined)
      errors.push(invalid(`${path}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    errors.push(...descendingErrors(mount.subPathExpr, `${path}.subPathExpr`));
  }
  if (!propagations.includes(mountPropagation))
    errors.push(unsupported(`${path}.mountPropagation`, mountPropagation, propagations));
  if (mountPropagation === 'Bidirectional' && !container.securityContext.privileged) {
    const detail = 'Bidirectional mount propagation is available only to privileged containers';
    errors.push(forbidden(`${path}.mountPropagation`, detail));
  }
  const at = `${path}.recursiveReadOnly`;
  if (!recursiveModes.includes(recursiveReadOnly)) errors.push(unsupported(at, recursiveReadOnly, recursiveModes));
  else if (recursiveReadOnly !== 'Disabled') {
    if (!mount.readOnly) errors.push(forbidden(at, 'may only be specified when readOnly is true'));
    if (mountPropagation !== 'None')
      errors.push(forbidden(at, 'may only be specified when mountPropagation is None or not specified'));
  }
  return errors;
}

/** What the API says against `fsGroupChangePolicy`. Source: as volumeErrors, validateFSGroupChangePolicy. */
export function fsGroupErrors({fsGroupChangePolicy}: PodSecurityContext, path: string): FieldError[] {
  const policies = ['Always', 'OnRootMismatch'];
  if (fsGroupChangePolicy === undefined || policies.includes(fsGroupChangePolicy)) return [];
  return [unsupported(`${path}.fsGroupChangePolicy`, fsGroupChangePolicy, policies)];
}
