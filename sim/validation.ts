import {subrootError} from '../native-free/errors.ts';
import {envErrors} from './env-validation.ts';
import type {FieldError} from './field-error.ts';
import {aggregate, forbidden, invalid, required, unsupported} from './field-error.ts';
import {hostErrors} from './host-validation.ts';
import {isPullPolicy, pullPolicies} from './image-pull.ts';
import type {FeatureGates, KubernetesRules, KubernetesVersion} from './kubernetes-versions.ts';
import {isGateOn, NEWEST_MINOR, rulesOf} from './kubernetes-versions.ts';
import {lifeErrors} from './life-validation.ts';
import type {Pod, PodContainer, PodSpec, Volume} from './pod.ts';
import {nameErrors} from './pod-names.ts';
import {resourceErrors} from './resource-validation.ts';
import {confinementErrors, escalationErrors, podSecurityErrors} from './security-validation.ts';
import {fsGroupErrors, mountErrors, volumeErrors} from './volume-validation.ts';

export interface ValidationOptions {
  /** `1.25` to `1.37` (the default). */
  readonly kubernetes?: KubernetesVersion;
  /** Gates of the API server that differ from the version's defaults. */
  readonly gates?: FeatureGates;
  /** The stored object that an update replaces: what it already combines stays allowed. */
  readonly oldPod?: Pod;
}

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
const statelessTypes: readonly string[] = ['configMap', 'secret', 'downwardAPI', 'projected', 'emptyDir'];

/**
 * What the API server of a Kubernetes version says against a pod; empty when it accepts it.
 * Everything that touches user namespaces, the names, and the values subroot acts on; not the whole of the API's validation.
 * Throws SUBROOT_KUBERNETES_VERSION; SUBROOT_USAGE for a gate that cannot be switched.
 * Source: kubernetes pkg/apis/core/validation/validation.go validateHostUsers, validateWindows, ValidatePodSpec; 1.25 to 1.37.
 */
export function validatePod(pod: Pod, options: ValidationOptions = {}): FieldError[] {
  const version = options.kubernetes ?? `1.${NEWEST_MINOR}`;
  const rules = rulesOf(version);
  const seen = dropDisabledFields(pod, options);
  const errors = [...nameErrors(seen), ...valueErrors(seen.spec, version, options.gates)];
  if (seen.spec.os?.name === 'windows' && seen.spec.hostUsers !== undefined) {
    errors.push(forbidden('spec.hostUsers', 'cannot be set for a windows pod'));
  }
  errors.push(...procMountErrors(seen.spec), ...hostUsersErrors(seen.spec, rules, version, options));
  return errors;
}

/**
 * Throws SUBROOT_POD_INVALID with all complaints in the API's form (`The Pod "x" is invalid: [a, b]`); returns when there are none.
 */
export function requireValidPod(pod: Pod, options: ValidationOptions = {}): void {
  const errors = validatePod(pod, options);
  if (errors.length === 0) return;
  throw subrootError('SUBROOT_POD_INVALID', {pod: pod.metadata.name, errors: aggregate(errors)});
}

/**
 * The pod as the API server stores it: while the gate is off, `hostUsers` (and `procMount`) are dropped in silence, unless the old
 * object has the field already. Neither object is changed.
 * Source: kubernetes pkg/api/pod/util.go dropDisabledFields, 1.25 to 1.35.
 */
export function dropDisabledFields(pod: Pod, options: ValidationOptions = {}): Pod {
  const version = options.kubernetes ?? `1.${NEWEST_MINOR}`;
  const {gates = {}, oldPod} = options;
  let {spec} = pod;
  const keepsHostUsers = isGateOn('UserNamespacesSupport', version, gates) || oldPod?.spec.hostUsers !== undefined;
  if (!keepsHostUsers && spec.hostUsers !== undefined) {
    const {hostUsers: _dropped, ...rest} = spec;
    spec = rest;
  }
  const keepsProcMount = isGateOn('ProcMountType', version, gates) || (oldPod && usesProcMount(oldPod.spec));
  if (!keepsProcMount && usesProcMount(spec)) spec = withoutProcMount(spec);
  return spec === pod.spec ? pod : {...pod, spec};
}

function hostUsersErrors(
  spec: PodSpec,
  rules: KubernetesRules,
  version: KubernetesVersion,
  options: ValidationOptions,
): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const detail = rules.forbiddenDetail;
  const errors: FieldError[] = [];
  const old = options.oldPod?.spec;
  const oldHadUserns = old?.hostUsers === false;
  const mayHostNetwork =
    isGateOn('UserNamespacesHostNetworkSupport', version, options.gates) || (oldHadUserns && old.hostNetwork);
  if (spec.hostNetwork && !mayHostNetwork) errors.push(forbidden('spec.hostNetwork', detail));
  // The capital H is the API's own.
  if (spec.hostPID) errors.push(forbidden('spec.HostPID', detail));
  if (spec.hostIPC) errors.push(forbidden('spec.HostIPC', detail));
  if (rules.refusesVolumeDevices && !(oldHadUserns && usesVolumeDevices(old))) {
    forEachContainer(spec, (container, path) => {
      if (container.volumeDevices.length > 0) errors.push(forbidden(`${path}.volumeDevices`, detail));
    });
  }
  if (rules.statelessVolumesOnly) {
    for (const [i, volume] of spec.volumes.entries()) {
      if (!statelessTypes.includes(typeOf(volume))) errors.push(forbidden(`spec.volumes[${i}]`, detail));
    }
  }
  return errors;
}

function procMountErrors(spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  forEachContainer(spec, ({securityContext}, path) => {
    const {procMount} = securityContext;
    const at = `${path}.securityContext.procMount`;
    if (procMount === undefined || procMount === 'Default') return;
    if (procMount !== 'Unmasked') errors.push(unsupported(at, procMount, ['Default', 'Unmasked']));
    else if (spec.hostUsers !== false) {
      errors.push(invalid(at, procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  });
  return errors;
}

/** Values that subroot acts on, in the API's words. */
function valueErrors(spec: PodSpec, kubernetes: KubernetesVersion, gates: FeatureGates | undefined): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.containers.length === 0) errors.push(required('spec.containers'));
  if (!['Always', 'OnFailure', 'Never'].includes(spec.restartPolicy)) {
    errors.push(unsupported('spec.restartPolicy', spec.restartPolicy, ['Always', 'OnFailure', 'Never']));
  }
  if (spec.terminationGracePeriodSeconds < 0) {
    const value = spec.terminationGracePeriodSeconds;
    errors.push(invalid('spec.terminationGracePeriodSeconds', value, 'must be greater than or equal to 0'));
  }
  errors.push(...hostErrors(spec));
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && !(deadline >= 1 && deadline <= 2_147_483_647))
    errors.push(invalid('spec.activeDeadlineSeconds', deadline, 'must be between 1 and 2147483647, inclusive'));
  if (spec.shareProcessNamespace && spec.hostPID) {
    errors.push(
      invalid('spec.shareProcessNamespace', true, 'ShareProcessNamespace and HostPID cannot both be enabled'),
    );
  }
  if (spec.os && !['linux', 'windows'].includes(spec.os.name)) {
    errors.push(unsupported('spec.os.name', spec.os.name, ['linux', 'windows']));
  }
  errors.push(...idErrors('spec.securityContext', spec.securityContext));
  for (const [i, id] of spec.securityContext.supplementalGroups.entries()) {
    errors.push(...idError(`spec.securityContext.supplementalGroups[${i}]`, id));
  }
  errors.push(...confinementErrors(spec.securityContext, 'spec.securityContext'), ...podSecurityErrors(spec));
  if (spec.securityContext.fsGroup !== undefined)
    errors.push(...idError('spec.securityContext.fsGroup', spec.securityContext.fsGroup));
  errors.push(...fsGroupErrors(spec.securityContext, 'spec.securityContext'));
  for (const [i, volume] of spec.volumes.entries()) errors.push(...volumeErrors(volume, `spec.volumes[${i}]`));
  forEachContainer(spec, (container, path, list) => {
    errors.push(...containerErrors(container, path, kubernetes));
    errors.push(...lifeErrors(container, path, {kubernetes, list, spec, ...(gates && {gates})}));
  });
  return errors;
}

function containerErrors(container: PodContainer, path: string, kubernetes: KubernetesVersion): FieldError[] {
  const errors: FieldError[] = [];
  const {securityContext: context} = container;
  if (container.image === '') errors.push(required(`${path}.image`));
  const {imagePullPolicy: policy} = container;
  if (policy !== undefined && !isPullPolicy(policy)) {
    errors.push(unsupported(`${path}.imagePullPolicy`, policy, pullPolicies));
  }
  errors.push(...envErrors(container, path, kubernetes));
  for (const [i, mount] of container.volumeMounts.entries())
    errors.push(...mountErrors(mount, container, `${path}.volumeMounts[${i}]`));
  const at = `${path}.securityContext`;
  errors.push(...idErrors(at, context), ...confinementErrors(context, at), ...escalationErrors(context, at));
  errors.push(...resourceErrors(container, path));
  return errors;
}

function idErrors(path: string, context: {readonly runAsUser?: number; readonly runAsGroup?: number}): FieldError[] {
  const errors: FieldError[] = [];
  if (context.runAsUser !== undefined) errors.push(...idError(`${path}.runAsUser`, context.runAsUser));
  if (context.runAsGroup !== undefined) errors.push(...idError(`${path}.runAsGroup`, context.runAsGroup));
  return errors;
}

function idError(path: string, id: number): FieldError[] {
  return id >= 0 && id <= 2_147_483_647 ? [] : [invalid(path, id, 'must be between 0 and 2147483647, inclusive')];
}

function forEachContainer(
  spec: PodSpec,
  visit: (container: PodContainer, path: string, list: (typeof containerLists)[number]) => void,
): void {
  for (const list of containerLists) {
    for (const [i, container] of spec[list].entries()) visit(container, `spec.${list}[${i}]`, list);
  }
}

function typeOf(volume: Volume): string {
  return volume.kind === 'other' ? volume.type : volume.kind;
}

function usesVolumeDevices(spec: PodSpec): boolean {
  return containerLists.some((list) => spec[list].some((container) => container.volumeDevices.length > 0));
}

function usesProcMount(spec: PodSpec): boolean {
  return containerLists.some((list) =>
    spec[list].some(({securityContext: {procMount}}) => procMount !== undefined && procMount !== 'Default'),
  );
}

function withoutProcMount(spec: PodSpec): PodSpec {
  const strip = (container: PodContainer): PodContainer => {
    const {procMount: _dropped, ...securityContext} = container.securityContext;
    return {...container, securityContext};
  };
  return {
    ...spec,
    containers: spec.containers.map(strip),
    initContainers: spec.initContainers.map(strip),
    ephemeralContainers: spec.ephemeralContainers.map(strip),
  };
}
