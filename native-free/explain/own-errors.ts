import type {ErrorCode} from '../errors.ts';
import type {CauseId} from './causes.ts';

/** What stands behind codes of ours that speak of the machine; the other codes say all there is to say in their own message and mend. */
export const causesOfCodes: Readonly<Partial<Record<ErrorCode, readonly [CauseId, ...CauseId[]]>>> = {
  SUBROOT_USERNS_LIMIT: ['userns-limit', 'userns-nesting'],
  SUBROOT_USERNS_SYSCTL: ['userns-sysctl'],
  SUBROOT_USERNS_APPARMOR: ['userns-apparmor'],
  SUBROOT_USERNS_SECCOMP: ['seccomp-filter'],
  SUBROOT_USERNS_REFUSED: ['userns-chroot', 'creator-unmapped', 'seccomp-filter', 'userns-selinux', 'many-threads'],
  SUBROOT_IDMAP_REFUSED: ['idmap-parent-unmapped', 'idmap-past-last-id', 'idmap-setid-capability', 'userns-apparmor'],
  SUBROOT_IDMAP_TEXT: ['idmap-syntax'],
  SUBROOT_IDMAP_UNWRITABLE: ['idmap-overlap', 'idmap-past-last-id', 'idmap-too-many-extents', 'idmap-too-long'],
  SUBROOT_TOOL_FAILED: ['helper-unprivileged', 'subid-range-not-granted', 'no-new-privs', 'helper-nosuid'],
  SUBROOT_NEWUIDMAP_MISSING: ['helper-missing'],
  SUBROOT_NEWUIDMAP_UNPRIVILEGED: ['helper-unprivileged', 'helper-foreign-owner'],
  SUBROOT_SUBID_NONE: ['subid-none', 'subid-owner-without-account', 'subid-line-unread'],
  SUBROOT_SUBID_NOT_GRANTED: ['subid-range-not-granted', 'subid-owner-without-account', 'subid-line-unread'],
  SUBROOT_SUBID_MALFORMED: ['subid-line-unread'],
  SUBROOT_SUBID_TOO_FEW: ['pool-exhausted'],
  SUBROOT_SUBID_UNUSABLE: ['subid-none', 'grant-overlaps-itself'],
  SUBROOT_POOL_EXHAUSTED: ['pool-exhausted'],
  SUBROOT_POOL_RECORD: ['pool-narrowed'],
  SUBROOT_POOL_SOURCE: ['nss-tool-missing', 'pool-shape'],
  SUBROOT_MODE_HOST_NO_IDS: ['idmap-parent-unmapped'],
  SUBROOT_STATE_DISK_FULL: ['disk-full'],
  SUBROOT_STATE_READ_ONLY: ['read-only'],
  SUBROOT_STATE_FORBIDDEN: ['mode-bits', 'parent-closed'],
  SUBROOT_LEDGER_NO_SPACE: ['disk-full'],
  SUBROOT_LEDGER_READ_ONLY: ['read-only'],
  SUBROOT_LEDGER_ACCESS: ['mode-bits', 'parent-closed'],
  SUBROOT_COMMAND_NOT_FOUND: ['no-program'],
  SUBROOT_COMMAND_NOT_EXECUTABLE: ['no-exec', 'other-architecture', 'parent-closed'],
};
