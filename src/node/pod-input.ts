import {randomBytes} from 'node:crypto';
import {subrootError} from '../../native-free/errors.ts';
import {ApiObjects, manifestsOf, type Pod} from '../../sim/index.ts';
import type {ContainerInput, ObjectsInput, PodInput} from './node-options.ts';

/** True for a pod that a manifest gave. */
export function isPod(input: PodInput | Pod): input is Pod {
  return 'metadata' in input && 'spec' in input;
}

/** `sleep infinity` is what a container without words does, but for an image that has a program of its own. */
function containerManifest(
  input: ContainerInput,
  fallbackName: string,
  hasProgram: (image: string) => boolean,
): Record<string, unknown> {
  const {env, name, image = 'host', command, args, ...rest} = input;
  const words = command ?? (args || hasProgram(image) ? undefined : ['sleep', 'infinity']);
  return {
    name: name ?? fallbackName,
    image,
    ...(words ? {command: words} : {}),
    ...(args ? {args} : {}),
    ...(env
      ? {
          env: Object.entries(env).map(([key, value]) =>
            typeof value === 'object' ? {name: key, valueFrom: value} : {name: key, value},
          ),
        }
      : {}),
    ...rest,
  };
}

/** Fields of an input that are the pod's and go to its spec as they are. */
const podFields: ReadonlySet<string> = new Set<keyof PodInput>([
  'hostname',
  'hostNetwork',
  'hostPID',
  'hostIPC',
  'shareProcessNamespace',
  'volumes',
  'restartPolicy',
  'terminationGracePeriodSeconds',
  'activeDeadlineSeconds',
  'subdomain',
  'setHostnameAsFQDN',
  'hostAliases',
  'dnsPolicy',
  'dnsConfig',
]);

/** A pod manifest of an input; it goes through the same parser and rules as a file. `hasProgram`: whether an image may name one. */
export function podOf(input: PodInput, hasProgram: (image: string) => boolean = () => false): Pod {
  const {name, namespace, hostUsers, labels, annotations, containers, initContainers, podSecurityContext, ...rest} =
    input;
  // What is not the pod's is its one container's.
  const [spec, container]: Record<string, unknown>[] = [{}, {}];
  for (const [field, value] of Object.entries(rest)) {
    if (value !== undefined) Object.assign((podFields.has(field) ? spec : container) ?? {}, {[field]: value});
  }
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: name ?? `pod-${randomBytes(4).toString('hex')}`,
      ...(namespace ? {namespace} : {}),
      ...(labels ? {labels} : {}),
      ...(annotations ? {annotations} : {}),
    },
    spec: {
      hostUsers: hostUsers ?? false,
      ...spec,
      ...(podSecurityContext ? {securityContext: podSecurityContext} : {}),
      ...(initContainers
        ? {initContainers: initContainers.map((each, index) => containerManifest(each, `init${index}`, hasProgram))}
        : {}),
      containers: (containers ?? [container as ContainerInput]).map((each, index) =>
        containerManifest(each, index === 0 ? 'main' : `c${index}`, hasProgram),
      ),
    },
  };
  const {pods, warnings} = manifestsOf(manifest, {file: 'the pod'});
  const [pod] = pods;
  if (!pod) throw subrootError('SUBROOT_INTERNAL', {what: 'a pod input gave no pod'});
  const [warning] = warnings;
  if (warning)
    throw subrootError('SUBROOT_USAGE', {
      what: `the pod: ${warning.text}`,
      mend: 'leave that field out, or correct its name',
    });
  return pod;
}

/** ConfigMaps and Secrets of an option, through the parser of manifests. Errors: SUBROOT_MANIFEST_*, and SUBROOT_USAGE for anything else in it. */
export function objectsOf(input: ObjectsInput = []): ApiObjects {
  if (input instanceof ApiObjects) return input;
  if (input.length === 0) return ApiObjects.none;
  const list = {apiVersion: 'v1', kind: 'List', items: input};
  const {objects, pods, others, warnings} = manifestsOf(list, {file: 'objects'});
  const [other] = [...pods.map(({metadata}) => `pod ${metadata.name}`), ...others.map(({kind}) => `a ${kind}`)];
  if (other !== undefined)
    throw subrootError('SUBROOT_USAGE', {
      what: `objects holds ${other}`,
      mend: 'put only ConfigMaps and Secrets there; a pod is given to runPod',
    });
  const [warning] = warnings;
  if (warning)
    throw subrootError('SUBROOT_USAGE', {
      what: `objects: ${warning.text}`,
      mend: 'leave that field out, or correct its name',
    });
  return objects;
}
