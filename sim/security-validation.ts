import {sysctlNamespaceOf} from '../native-free/sysctl-name.ts';
import type {FieldError} from './field-error.ts';
import {duplicate, invalid, required, unsupported} from './field-error.ts';
import type {ConfinementProfile, ContainerSecurityContext, PodSecurityContext, PodSpec} from './pod.ts';

type Context = Pick<PodSecurityContext, 'seccompProfile' | 'appArmorProfile'>;
const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

/**
 * What the API says against the confinement of a pod or a container.
 * Source: kubernetes pkg/apis/core/validation/validation.go validateSeccompProfileField, ValidateAppArmorProfileField, 1.36.
 */
export function confinementErrors(context: Context, path: string): FieldError[] {
  return [
    ...profileErrors(context.seccompProfile, `${path}.seccompProfile`, 'seccomp', 'seccompProfile'),
    ...profileErrors(context.appArmorProfile, `${path}.appArmorProfile`, 'AppArmor', 'appArmorProfile'),
  ];
}

function profileErrors(
  profile: ConfinementProfile | undefined,
  path: string,
  kind: 'seccomp' | 'AppArmor',
  field: string,
): FieldError[] {
  if (!profile) return [];
  const {type, localhostProfile} = profile;
  const at = `${path}.localhostProfile`;
  if (type === '') return [required(`${path}.type`, `type is required when ${field} is set`)];
  if (!profileTypes.includes(type)) return [unsupported(`${path}.type`, type, profileTypes)];
  if (type !== 'Localhost') {
    if (localhostProfile === undefined) return [];
    return [invalid(at, localhostProfile, `can only be set when ${kind} type is Localhost`)];
  }
  if (kind === 'AppArmor') {
    if ((localhostProfile ?? '').trim() === '') return [required(at, 'must be set when AppArmor type is Localhost')];
    return localhostProfile?.trim() === localhostProfile
      ? []
      : [invalid(at, localhostProfile, 'must not be padded with whitespace')];
  }
  if (localhostProfile === undefined) return [required(at, 'must be set when seccomp type is Localhost')];
  if (localhostProfile.startsWith('/')) return [invalid(at, localhostProfile, 'must be a relative path')];
  if (localhostProfile.split('/').includes('..')) return [invalid(at, localhostProfile, "must not contain '..'")];
  return [];
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

/**
 * What the API says against the groups and sysctls of a pod. `sysctls` are the pairs as written, so that a name that is there twice is found.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidatePodSecurityContext, validateSysctls, ValidateHostSysctl, 1.36.
 */
export function podSecurityErrors(spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const {supplementalGroupsPolicy: policy, sysctls, repeatedSysctls} = spec.securityContext;
  const path = 'spec.securityContext';
  if (policy !== undefined && !['Merge', 'Strict'].includes(policy))
    errors.push(unsupported(`${path}.supplementalGroupsPolicy`, policy, ['Merge', 'Strict']));
  for (const [i, name] of [...Object.keys(sysctls)].entries()) {
    const at = `${path}.sysctls[${i}]`;
    if (name === '') errors.push(required(`${at}.name`));
    else if (name.length > 253 || !sysctlName.test(name)) {
      const detail = `must have at most 253 characters and match regex ${sysctlName.source}`;
      errors.push(invalid(`${at}.name`, name, detail));
    }
    const namespace = sysctlNamespaceOf(name);
    const key = `${path}.sysctls[${name}]`;
    if (spec.hostNetwork && namespace === 'net')
      errors.push(invalid(key, name, "may not be specified when 'hostNetwork' is set to true"));
    if (spec.hostIPC && namespace === 'ipc')
      errors.push(invalid(key, name, "may not be specified when 'hostIPC' is set to true"));
  }
  for (const [i, name] of (repeatedSysctls ?? []).entries())
    errors.push(duplicate(`${path}.sysctls[${Object.keys(sysctls).length + i}].name`, name));
  return errors;
}

/**
 * What the API says against a container that may not gain privileges and is given the means to.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidateSecurityContext, 1.36.
 */
export function escalationErrors(context: ContainerSecurityContext, path: string): FieldError[] {
  if (context.allowPrivilegeEscalation !== false) return [];
  const errors: FieldError[] = [];
  if (context.privileged)
    errors.push(invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
  if (context.capabilities.add.some((name) => name === 'CAP_SYS_ADMIN'))
    errors.push(
      invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
    );
  return errors;
}
