import type {EnvFrom, EnvSource, EnvVar} from './env-source.ts';
import type {FieldReader} from './field-reader.ts';

/** `env[]` of a container. Source: kubernetes/api core/v1 EnvVar, EnvVarSource, 1.37. */
export function readEnv(reader: FieldReader): EnvVar {
  const name = reader.string('name') ?? '';
  const value = reader.string('value') ?? '';
  const valueFrom = reader.object('valueFrom');
  const found = valueFrom ? readSources(valueFrom) : [];
  reader.finish();
  const [from] = found;
  return {
    name,
    value,
    ...(from && {from}),
    ...(valueFrom && found.length !== 1 && {sources: found.length}),
  };
}

function readSources(reader: FieldReader): EnvSource[] {
  const sources: EnvSource[] = [];
  const field = reader.object('fieldRef');
  if (field) {
    field.ignore('apiVersion');
    sources.push({kind: 'field', path: field.string('fieldPath') ?? ''});
    field.finish();
  }
  const resource = reader.object('resourceFieldRef');
  if (resource) {
    const container = resource.string('containerName');
    const divisor = resource.quantity('divisor');
    sources.push({
      kind: 'resource',
      resource: resource.string('resource') ?? '',
      ...(container && {container}),
      ...(divisor !== undefined && {divisor}),
    });
    resource.finish();
  }
  for (const kind of ['configMap', 'secret'] as const) {
    const ref = reader.object(`${kind}KeyRef`);
    if (!ref) continue;
    const [name, key, optional] = [ref.string('name') ?? '', ref.string('key') ?? '', ref.boolean('optional') ?? false];
    sources.push({kind, name, key, optional});
    ref.finish();
  }
  reader.refuse('fileKeyRef', 'the variable would be empty: files of volumes are not read for variables');
  reader.finish();
  return sources;
}

/** `envFrom[]` of a container. */
export function readEnvFrom(reader: FieldReader): EnvFrom {
  const prefix = reader.string('prefix') ?? '';
  const found = (['configMap', 'secret'] as const).flatMap((kind) => {
    const ref = reader.object(`${kind}Ref`);
    if (!ref) return [];
    const source = {kind, name: ref.string('name') ?? '', optional: ref.boolean('optional') ?? false};
    ref.finish();
    return [source];
  });
  reader.finish();
  const [from] = found;
  return {prefix, ...(from && {from}), ...(found.length !== 1 && {sources: found.length})};
}
