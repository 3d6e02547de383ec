import {subrootError} from '../native-free/errors.ts';
import type {KubernetesVersion} from './kubernetes-versions.ts';
import {NEWEST_MINOR} from './kubernetes-versions.ts';
import type {Pod} from './pod.ts';
import {whySysctlsForbidden} from './sysctls.ts';

export interface AdmissionOptions {
  /** The kubelet's version; the newest by default. */
  readonly kubernetes?: KubernetesVersion;
  /** `--allowed-unsafe-sysctls`: names, or a beginning and `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
}

/** Throws SUBROOT_POD_NOT_ADMITTED when a kubelet would end the pod before it makes anything of it. */
export function requireAdmitted(pod: Pod, options: AdmissionOptions = {}): void {
  const names = Object.keys(pod.spec.securityContext.sysctls);
  if (names.length === 0) return;
  const why = whySysctlsForbidden(names, options.kubernetes ?? `1.${NEWEST_MINOR}`, options.allowedUnsafeSysctls);
  if (why === undefined) return;
  throw subrootError('SUBROOT_POD_NOT_ADMITTED', {
    pod: pod.metadata.name,
    reason: 'SysctlForbidden',
    why,
    mend: 'remove the sysctl, or allow it if it is of the network or IPC namespace: `--allowed-unsafe-sysctls`, as the kubelet has it',
  });
}
