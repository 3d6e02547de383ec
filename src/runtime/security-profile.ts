import type {CapabilitySet} from '../../native-free/capability.ts';
import type {
  LinuxContainerSecurityContext,
  LinuxSandboxSecurityContext,
  SELinuxOption,
  SecurityProfile,
} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {isSecurityModuleActive} from '../host/security-modules.ts';
import type {SeccompFilter} from './sandbox-plan.ts';

type Context = LinuxSandboxSecurityContext & Omit<LinuxContainerSecurityContext, 'namespaceOptions'>;

/**
 * The seccomp profile that a request asks for; undefined is unconfined. A privileged container has none, whatever it asks for.
 * Source: containerd internal/cri/server/podsandbox generateSeccompSpecOpts, 2.1; cri-v1 facts §8.
 */
export function seccompProfileOf(context: Context | undefined): SecurityProfile | undefined {
  if (!context || context.privileged) return undefined;
  const profile = context.seccomp ?? ofPath('seccomp_profile_path', context.seccompProfilePath);
  if (!profile || profile.profileType === 'Unconfined') return undefined;
  return {...profile, profileType: profile.profileType ?? 'RuntimeDefault'};
}

/** A profile in its deprecated form. */
function ofPath(field: string, path: string | undefined): SecurityProfile | undefined {
  if (path === undefined || path === '' || path === 'unconfined') return undefined;
  if (path === 'runtime/default' || path === 'docker/default') return {profileType: 'RuntimeDefault'};
  if (path.startsWith('localhost/')) return {profileType: 'Localhost', localhostRef: path.slice('localhost/'.length)};
  const why = `${path} is neither unconfined, runtime/default nor localhost/ and a path`;
  throw subrootError('SUBROOT_CONFIG_INVALID', {field, why});
}

/**
 * Refuses confinement by a security module: without it the program would be less confined than its pod says, and nothing would tell.
 * Throws SUBROOT_CONFIG_INVALID, which says whether this machine has the module at all.
 */
export function refuseSecurityModules(context: Context | undefined): void {
  if (!context || context.privileged) return;
  const apparmor = context.apparmor ?? ofPath('apparmor_profile', context.apparmorProfile);
  if (apparmor && apparmor.profileType !== 'Unconfined') {
    const wish = `${apparmor.profileType}${apparmor.localhostRef ? ` ${apparmor.localhostRef}` : ''}`;
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'apparmor', why: reasonOf('apparmor', 'AppArmor', wish)});
  }
  const label = labelOf(context.selinuxOptions);
  if (label !== '')
    throw subrootError('SUBROOT_CONFIG_INVALID', {
      field: 'selinux_options',
      why: reasonOf('selinux', 'SELinux', label),
    });
}

function labelOf({user = '', role = '', type = '', level = ''}: SELinuxOption = {}): string {
  return [user, role, type, level].some(Boolean) ? [user, role, type, level].join(':') : '';
}

function reasonOf(module: 'apparmor' | 'selinux', name: string, wish: string): string {
  return isSecurityModuleActive(module)
    ? `${name} is enabled here, and subroot does not set its profiles yet: the program would run without ${wish}`
    : `cannot enforce ${name} (${wish}): ${name} is not enabled on the host`;
}

/** The filter that a request asks for, if it does: the compiler is loaded only then. Errors: SUBROOT_SECCOMP_*. */
export async function filterOf(
  context: Context | undefined,
  capabilities: CapabilitySet,
): Promise<SeccompFilter | undefined> {
  const profile = seccompProfileOf(context);
  if (!profile) return undefined;
  const {seccompFilterOf} = await import('./seccomp-filter.ts');
  return seccompFilterOf(profile, capabilities);
}
