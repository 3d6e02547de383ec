import type {FieldReader} from './field-reader.ts';
import type {
  DownwardFile,
  DownwardProjection,
  DownwardSource,
  HostPathType,
  KeyToPath,
  MountPropagationMode,
  ObjectProjection,
  Projection,
  RecursiveReadOnlyMode,
  Volume,
  VolumeMount,
} from './volume-source.ts';
import {impossibleProjections, impossibleVolumes, volumeTypes} from './volume-types.ts';

/** Permission bits of a file from the API whose manifest does not say. Source: kubernetes/api core/v1 ConfigMapVolumeSourceDefaultMode, 1.37. */
const DEFAULT_MODE = 0o644;

/** `spec.volumes[]`. What subroot cannot make is refused with its reason. Source: kubernetes/api core/v1 Volume, 1.37. */
export function readVolume(reader: FieldReader): Volume {
  const name = reader.string('name') ?? '';
  const types = volumeTypes.filter((type) => reader.has(type));
  const type = types[0] ?? 'emptyDir';
  if (types.length > 1) {
    reader.findings.problem(reader.at, reader.path, `may not specify more than 1 volume type, got ${types.join(', ')}`);
  }
  const source = reader.object(type);
  reader.finish();
  switch (type) {
    case 'hostPath':
      return {name, kind: 'hostPath', ...readHostPath(source)};
    case 'emptyDir':
      return readEmptyDir(name, source);
    case 'configMap':
    case 'secret':
      return readObjectVolume(name, type, source);
    case 'downwardAPI': {
      const {mode, projection} = {mode: source?.integer('defaultMode'), projection: readDownward(source)};
      return {name, kind: type, defaultMode: mode ?? DEFAULT_MODE, sources: [projection]};
    }
    case 'projected': {
      const mode = source?.integer('defaultMode') ?? DEFAULT_MODE;
      const sources = source?.objects('sources').map(readProjection) ?? [];
      source?.finish();
      return {name, kind: type, defaultMode: mode, sources};
    }
    default:
      reader.refuse(type, impossibleVolumes[type] ?? 'it cannot be made here');
      return {name, kind: 'other', type};
  }
}

function readHostPath(source: FieldReader | undefined): {path: string; type: HostPathType} {
  const path = source?.string('path') ?? '';
  const type = (source?.string('type') ?? '') as HostPathType;
  source?.finish();
  return {path, type};
}

function readEmptyDir(name: string, source: FieldReader | undefined): Volume {
  const medium = source?.string('medium') ?? '';
  const sizeLimit = source?.quantity('sizeLimit');
  if (medium !== '' && medium !== 'Memory')
    source?.refuse('medium', `only "" and Memory are made, and ${medium} would be on disk`);
  source?.finish();
  return {name, kind: 'emptyDir', medium, ...(sizeLimit !== undefined && {sizeLimit})};
}

function readObjectVolume(name: string, kind: 'configMap' | 'secret', source: FieldReader | undefined): Volume {
  const defaultMode = source?.integer('defaultMode') ?? DEFAULT_MODE;
  // The one place where the API names a Secret by another field.
  const projection = readObject(kind, source, kind === 'secret' ? 'secretName' : 'name');
  return {name, kind, defaultMode, sources: [projection]};
}

function readObject(
  kind: 'configMap' | 'secret',
  reader: FieldReader | undefined,
  nameField: string,
): ObjectProjection {
  const name = reader?.string(nameField) ?? '';
  const items = reader?.has('items') ? reader.objects('items').map(readItem) : undefined;
  const optional = reader?.boolean('optional') ?? false;
  reader?.finish();
  return {kind, name, ...(items && {items}), optional};
}

function readItem(reader: FieldReader): KeyToPath {
  const mode = reader.integer('mode');
  const item = {key: reader.string('key') ?? '', path: reader.string('path') ?? '', ...(mode !== undefined && {mode})};
  reader.finish();
  return item;
}

function readDownward(reader: FieldReader | undefined): DownwardProjection {
  const items = reader?.objects('items').map(readDownwardFile) ?? [];
  reader?.finish();
  return {kind: 'downwardAPI', items};
}

function readDownwardFile(reader: FieldReader): DownwardFile {
  const found: DownwardSource[] = [];
  const field = reader.object('fieldRef');
  if (field) {
    field.ignore('apiVersion');
    found.push({kind: 'field', path: field.string('fieldPath') ?? ''});
    field.finish();
  }
  const resource = reader.object('resourceFieldRef');
  if (resource) {
    const divisor = resource.quantity('divisor');
    found.push({
      kind: 'resource',
      container: resource.string('containerName') ?? '',
      resource: resource.string('resource') ?? '',
      ...(divisor !== undefined && {divisor}),
    });
    resource.finish();
  }
  const mode = reader.integer('mode');
  const path = reader.string('path') ?? '';
  reader.finish();
  const [source] = found;
  return {path, ...(mode !== undefined && {mode}), ...(source && {source}), sources: found.length};
}

function readProjection(reader: FieldReader): Projection {
  const types = ['secret', 'configMap', 'downwardAPI', ...Object.keys(impossibleProjections)];
  const found = types.filter((type) => reader.has(type));
  if (found.length !== 1) {
    const what =
      found.length === 0 ? 'names no source' : `may not specify more than 1 volume type, got ${found.join(', ')}`;
    reader.findings.problem(reader.at, reader.path, what);
  }
  const [type = 'configMap'] = found;
  const source = reader.object(type);
  reader.finish();
  if (type === 'configMap' || type === 'secret') return readObject(type, source, 'name');
  if (type === 'downwardAPI') return readDownward(source);
  reader.refuse(type, impossibleProjections[type] ?? 'it cannot be made here');
  return {kind: 'other', type};
}

/** `volumeMounts[]` of a container. Source: kubernetes/api core/v1 VolumeMount, 1.37. */
export function readVolumeMount(reader: FieldReader): VolumeMount {
  const subPath = reader.string('subPath');
  const subPathExpr = reader.string('subPathExpr');
  const mount: VolumeMount = {
    name: reader.string('name') ?? '',
    mountPath: reader.string('mountPath') ?? '',
    readOnly: reader.boolean('readOnly') ?? false,
    mountPropagation: (reader.string('mountPropagation') ?? 'None') as MountPropagationMode,
    recursiveReadOnly: (reader.string('recursiveReadOnly') ?? 'Disabled') as RecursiveReadOnlyMode,
    ...(subPath && {subPath}),
    ...(subPathExpr && {subPathExpr}),
  };
  if (mount.mountPropagation === 'Bidirectional' && (subPath || subPathExpr))
    reader.refuse('mountPropagation', 'a subPath is a mount of its own, which the machine does not see');
  reader.finish();
  return mount;
}
