import type {AuthConfig} from '../native-free/cri.ts';
import {findAuth, parseDockerConfig} from '../native-free/docker-config.ts';
import {parseImageReference} from '../native-free/image-reference.ts';
import type {ApiObjects} from './api-objects.ts';
import type {Pod, PodContainer} from './pod.ts';

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export const pullPolicies: readonly PullPolicy[] = ['Always', 'IfNotPresent', 'Never'];

export function isPullPolicy(text: string): text is PullPolicy {
  return (pullPolicies as readonly string[]).includes(text);
}

/**
 * When a container's image is pulled. Without a word of its own: always for the tag `latest` (also when there is neither tag nor digest),
 * else when it is not here. Source: kubernetes pkg/apis/core/v1/defaults.go SetDefaults_Container, 1.36.
 */
export function pullPolicyOf({imagePullPolicy, image}: Pick<PodContainer, 'image' | 'imagePullPolicy'>): PullPolicy {
  if (imagePullPolicy !== undefined && isPullPolicy(imagePullPolicy)) return imagePullPolicy;
  const parsed = parseImageReference(image);
  return parsed.ok && parsed.reference.tag === 'latest' && parsed.reference.digest === undefined
    ? 'Always'
    : 'IfNotPresent';
}

/** Credentials that a pod's Secrets have for an image. */
export interface PullSecrets {
  readonly auth?: AuthConfig;
  /** Names of Secrets that are not there or hold none; the kubelet goes on without them, and so do we. */
  readonly unusable: readonly string[];
}

/**
 * Looks an image's registry up in the pod's imagePullSecrets, the first that has it. Source: kubernetes pkg/credentialprovider/secrets/secrets.go,
 * 1.36; types kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg.
 */
export function pullSecretsOf(pod: Pod, objects: ApiObjects, image: string): PullSecrets {
  const parsed = parseImageReference(image);
  const unusable: string[] = [];
  let auth: AuthConfig | undefined;
  for (const name of pod.spec.imagePullSecrets) {
    const secret = objects.secret(pod.metadata.namespace, name);
    const config = secret?.type === 'kubernetes.io/dockerconfigjson' ? secret.data.get('.dockerconfigjson') : undefined;
    const older = secret?.type === 'kubernetes.io/dockercfg' ? secret.data.get('.dockercfg') : undefined;
    const bytes = config ?? older;
    const read = bytes && parseDockerConfig(new TextDecoder().decode(bytes), config === undefined);
    if (!read || 'why' in read) unusable.push(name);
    else if (parsed.ok) auth ??= findAuth(read.auths, parsed.reference.registry, parsed.reference.repository)?.auth;
  }
  return {...(auth ? {auth} : {}), unusable};
}
