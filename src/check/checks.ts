import type {Check} from './check.ts';
import {chmodRootFile} from './checks/chmod-root-file.ts';
import {chownRootFile} from './checks/chown-root-file.ts';
import {chrootHostRoot} from './checks/chroot-host-root.ts';
import {createInRootDir} from './checks/create-in-root-dir.ts';
import {execCredentials} from './checks/exec-credentials.ts';
import {execFileAccess} from './checks/exec-file-access.ts';
import {execLimits} from './checks/exec-limits.ts';
import {execUserNamespace} from './checks/exec-user-namespace.ts';
import {fileOwnerOnHost} from './checks/file-owner-on-host.ts';
import {filecapOnHostBinary} from './checks/filecap-on-host-binary.ts';
import {gidMapNotIdentity} from './checks/gid-map-not-identity.ts';
import {hardlinkRootFile} from './checks/hardlink-root-file.ts';
import {hostFilecapBinaryScoped} from './checks/host-filecap-binary-scoped.ts';
import {hostIdAudit} from './checks/host-id-audit.ts';
import {hostRootIsOverflow} from './checks/host-root-is-overflow.ts';
import {hostSuidBinaryIgnored} from './checks/host-suid-binary-ignored.ts';
import {immutableFlag} from './checks/immutable-flag.ts';
import {initGroupsInRange} from './checks/init-groups-in-range.ts';
import {initRunsInRange} from './checks/init-runs-in-range.ts';
import {leakedDirFd} from './checks/leaked-dir-fd.ts';
import {mapCovers065535} from './checks/map-covers-0-65535.ts';
import {mapExcludesHostIds} from './checks/map-excludes-host-ids.ts';
import {mapWriteOnce} from './checks/map-write-once.ts';
import {maskedPathUnmask} from './checks/masked-path-unmask.ts';
import {masksLockedForNested} from './checks/masks-locked-for-nested.ts';
import {mknodDevice} from './checks/mknod-device.ts';
import {mountBlockDevice} from './checks/mount-block-device.ts';
import {mountInHostMntns} from './checks/mount-in-host-mntns.ts';
import {namespacesOwnedByPod} from './checks/namespaces-owned-by-pod.ts';
import {nestedUsernsStaysInRange} from './checks/nested-userns-stays-in-range.ts';
import {noLeakedDescriptors} from './checks/no-leaked-descriptors.ts';
import {openBlockDevice} from './checks/open-block-device.ts';
import {openByHandle} from './checks/open-by-handle.ts';
import {overflowOwnsNothing} from './checks/overflow-owns-nothing.ts';
import {overwriteRootExecutable} from './checks/overwrite-root-executable.ts';
import {podsDisjoint} from './checks/pods-disjoint.ts';
import {privilegedFsTypes} from './checks/privileged-fs-types.ts';
import {procRootTraversal} from './checks/proc-root-traversal.ts';
import {readRoot0600} from './checks/read-root-0600.ts';
import {readdir0700} from './checks/readdir-0700.ts';
import {redirectedBindEndState} from './checks/redirected-bind-end-state.ts';
import {renameInRootDir} from './checks/rename-in-root-dir.ts';
import {runtimeMustNotChownStdio} from './checks/runtime-must-not-chown-stdio.ts';
import {setgroupsUsable} from './checks/setgroups-usable.ts';
import {setuidOutOfRange} from './checks/setuid-out-of-range.ts';
import {suidRootDrop} from './checks/suid-root-drop.ts';
import {symlinkEndState} from './checks/symlink-end-state.ts';
import {timestompRootFile} from './checks/timestomp-root-file.ts';
import {traverse0700} from './checks/traverse-0700.ts';
import {truncateRootFile} from './checks/truncate-root-file.ts';
import {trustedXattr} from './checks/trusted-xattr.ts';
import {uidMapNotIdentity} from './checks/uid-map-not-identity.ts';
import {unlinkInRootDir} from './checks/unlink-in-root-dir.ts';
import {usernsInodeDiffers} from './checks/userns-inode-differs.ts';
import {usernsNotInitial} from './checks/userns-not-initial.ts';
import {usernsOwnerUid} from './checks/userns-owner-uid.ts';
import {volumesAsAsked} from './checks/volumes-as-asked.ts';
import {writeRoot0644} from './checks/write-root-0644.ts';

/** Every check, in the order of every report: by group, and within a group from what is easiest to understand. */
export const allChecks: readonly Check[] = [
  usernsInodeDiffers,
  usernsNotInitial,
  uidMapNotIdentity,
  gidMapNotIdentity,
  mapCovers065535,
  mapExcludesHostIds,
  initRunsInRange,
  initGroupsInRange,
  namespacesOwnedByPod,
  noLeakedDescriptors,
  fileOwnerOnHost,
  hostRootIsOverflow,
  overflowOwnsNothing,
  setuidOutOfRange,
  setgroupsUsable,
  mapWriteOnce,
  nestedUsernsStaysInRange,
  podsDisjoint,
  usernsOwnerUid,
  execCredentials,
  execUserNamespace,
  execLimits,
  execFileAccess,
  volumesAsAsked,
  runtimeMustNotChownStdio,
  hostIdAudit,
  readRoot0600,
  writeRoot0644,
  truncateRootFile,
  createInRootDir,
  unlinkInRootDir,
  renameInRootDir,
  overwriteRootExecutable,
  chmodRootFile,
  chownRootFile,
  timestompRootFile,
  immutableFlag,
  trustedXattr,
  filecapOnHostBinary,
  readdir0700,
  traverse0700,
  hardlinkRootFile,
  suidRootDrop,
  hostSuidBinaryIgnored,
  hostFilecapBinaryScoped,
  mknodDevice,
  openBlockDevice,
  mountBlockDevice,
  mountInHostMntns,
  privilegedFsTypes,
  procRootTraversal,
  openByHandle,
  leakedDirFd,
  chrootHostRoot,
  symlinkEndState,
  redirectedBindEndState,
  maskedPathUnmask,
  masksLockedForNested,
];

/** Checks by id or by group number; all of them where nothing is named. `unknown` are names that fit nothing. */
export function selectChecks(names: readonly string[] = []): {
  readonly checks: readonly Check[];
  readonly unknown: readonly string[];
} {
  const fits = (check: Check, name: string) => check.id === name || String(check.group) === name;
  const unknown = names.filter((name) => !allChecks.some((check) => fits(check, name)));
  const checks = names.length === 0 ? allChecks : allChecks.filter((check) => names.some((name) => fits(check, name)));
  return {checks, unknown};
}
