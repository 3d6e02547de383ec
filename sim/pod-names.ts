import type {FieldError} from './field-error.ts';
import {duplicate, invalid, notFound, required} from './field-error.ts';
import {labelNameErrors, subdomainNameErrors} from './names.ts';
import type {Pod, PodContainer} from './pod.ts';

/** A uid becomes a folder name and part of file names. Ours: the API makes UUIDs, static pods have hex digests. */
export const podUidPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * What the API says against the names in a pod: its own, its containers' and volumes', and mounts of volumes that are not there.
 * Names become folders and files, so nothing below this line sees a pod that has not passed.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidateObjectMeta, validateContainers, ValidateVolumes, 1.36.
 */
export function nameErrors(pod: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const {name, namespace, uid} = pod.metadata;
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else for (const detail of subdomainNameErrors(name)) errors.push(invalid('metadata.name', name, detail));
  for (const detail of labelNameErrors(namespace)) errors.push(invalid('metadata.namespace', namespace, detail));
  if (!podUidPattern.test(uid)) {
    errors.push(
      invalid(
        'metadata.uid',
        uid,
        "must be 1 to 128 letters, digits, '-', '_' or '.', and start with a letter or digit",
      ),
    );
  }
  errors.push(...volumeNameErrors(pod), ...containerNameErrors(pod));
  if (pod.spec.hostname !== undefined && pod.spec.hostname !== '') {
    for (const detail of labelNameErrors(pod.spec.hostname)) {
      errors.push(invalid('spec.hostname', pod.spec.hostname, detail));
    }
  }
  return errors;
}

function volumeNameErrors(pod: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, {name}] of pod.spec.volumes.entries()) {
    const path = `spec.volumes[${i}].name`;
    if (name === '') errors.push(required(path));
    else for (const detail of labelNameErrors(name)) errors.push(invalid(path, name, detail));
    if (seen.has(name)) errors.push(duplicate(path, name));
    seen.add(name);
  }
  return errors;
}

function containerNameErrors(pod: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const volumes = new Set(pod.spec.volumes.map((volume) => volume.name));
  const check = (
    list: 'containers' | 'initContainers' | 'ephemeralContainers',
    containers: readonly PodContainer[],
  ) => {
    for (const [i, container] of containers.entries()) {
      const path = `spec.${list}[${i}]`;
      if (container.name === '') errors.push(required(`${path}.name`));
      else
        for (const detail of labelNameErrors(container.name))
          errors.push(invalid(`${path}.name`, container.name, detail));
      if (container.name !== '' && seen.has(container.name)) errors.push(duplicate(`${path}.name`, container.name));
      seen.add(container.name);
      errors.push(...mountErrors(container, path, volumes));
    }
  };
  check('containers', pod.spec.containers);
  check('initContainers', pod.spec.initContainers);
  check('ephemeralContainers', pod.spec.ephemeralContainers);
  return errors;
}

function mountErrors(container: PodContainer, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, mount] of container.volumeMounts.entries()) {
    const at = `${path}.volumeMounts[${i}]`;
    if (mount.name === '') errors.push(required(`${at}.name`));
    if (mount.mountPath === '') errors.push(required(`${at}.mountPath`));
    if (!volumes.has(mount.name)) errors.push(notFound(`${at}.name`, mount.name));
    if (seen.has(mount.mountPath)) errors.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    seen.add(mount.mountPath);
    if (mount.subPath?.startsWith('/')) errors.push(invalid(`${at}.subPath`, mount.subPath, 'must be a relative path'));
    if (mount.subPath?.split('/').includes('..'))
      errors.push(invalid(`${at}.subPath`, mount.subPath, "must not contain '..'"));
  }
  return errors;
}
