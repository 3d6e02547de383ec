import {existsSync, readFileSync} from 'node:fs';

/** Whether the kernel enforces by that module. Source: security/apparmor/lsm.c `enabled`; selinuxfs is mounted only where SELinux is on. */
export function isSecurityModuleActive(module: 'apparmor' | 'selinux'): boolean {
  if (module === 'selinux') return existsSync('/sys/fs/selinux/enforce');
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'latin1').startsWith('Y');
  } catch {
    return false;
  }
}
