import type {Check} from './check.ts';
import {abstractSocketReachable} from './checks/abstract-socket-reachable.ts';
import {auditForge} from './checks/audit-forge.ts';
import {bind80} from './checks/bind-80.ts';
import {bindSkipsParentDac} from './checks/bind-skips-parent-dac.ts';
import {bpf} from './checks/bpf.ts';
import {capsCanBeAdded} from './checks/caps-can-be-added.ts';
import {cgroupDevicesAllow} from './checks/cgroup-devices-allow.ts';
import {cgroupEscapeLimits} from './checks/cgroup-escape-limits.ts';
import {cgroupV1ReleaseAgent} from './checks/cgroup-v1-release-agent.ts';
import {chmodRootFile} from './checks/chmod-root-file.ts';
import {chownInRange} from './checks/chown-in-range.ts';
import {chownRootFile} from './checks/chown-root-file.ts';
import {chroot} from './checks/chroot.ts';
import {chrootHostRoot} from './checks/chroot-host-root.ts';
import {clock} from './checks/clock.ts';
import {confusedDeputySymlink} from './checks/confused-deputy-symlink.ts';
import {controllingTtyTiocsti} from './checks/controlling-tty-tiocsti.ts';
import {coreDumpIntoRootDir} from './checks/core-dump-into-root-dir.ts';
import {corePatternPipe} from './checks/core-pattern-pipe.ts';
import {createInRootDir} from './checks/create-in-root-dir.ts';
import {devMem} from './checks/dev-mem.ts';
import {dirtyPageCache} from './checks/dirty-page-cache.ts';
import {dmesgRead} from './checks/dmesg-read.ts';
import {execCredentials} from './checks/exec-credentials.ts';
import {execFileAccess} from './checks/exec-file-access.ts';
import {execLimits} from './checks/exec-limits.ts';
import {execUserNamespace} from './checks/exec-user-namespace.ts';
import {fanotify} from './checks/fanotify.ts';
import {fileOwnerOnHost} from './checks/file-owner-on-host.ts';
import {filecapOnHostBinary} from './checks/filecap-on-host-binary.ts';
import {flockDos} from './checks/flock-dos.ts';
import {fuseMount} from './checks/fuse-mount.ts';
import {gidMapNotIdentity} from './checks/gid-map-not-identity.ts';
import {hardlinkRootFile} from './checks/hardlink-root-file.ts';
import {hostFilecapBinaryScoped} from './checks/host-filecap-binary-scoped.ts';
import {hostFirewall} from './checks/host-firewall.ts';
import {hostHostname} from './checks/host-hostname.ts';
import {hostIdAudit} from './checks/host-id-audit.ts';
import {hostKeysHidden} from './checks/host-keys-hidden.ts';
import {hostLinksRoutes} from './checks/host-links-routes.ts';
import {hostLoopbackReachable} from './checks/host-loopback-reachable.ts';
import {hostLowPort} from './checks/host-low-port.ts';
import {hostPacketSocket} from './checks/host-packet-socket.ts';
import {hostRawSocket} from './checks/host-raw-socket.ts';
import {hostRootIsOverflow} from './checks/host-root-is-overflow.ts';
import {hostSuidBinaryIgnored} from './checks/host-suid-binary-ignored.ts';
import {hostTun} from './checks/host-tun.ts';
import {hostname} from './checks/hostname.ts';
import {idmappedRedirect} from './checks/idmapped-redirect.ts';
import {idmappedVolumeFilecapDrop} from './checks/idmapped-volume-filecap-drop.ts';
import {idmappedVolumeSuidDrop} from './checks/idmapped-volume-suid-drop.ts';
import {immutableFlag} from './checks/immutable-flag.ts';
import {initGroupsInRange} from './checks/init-groups-in-range.ts';
import {initRunsInRange} from './checks/init-runs-in-range.ts';
import {inotifyInstances} from './checks/inotify-instances.ts';
import {inotifyOwnerFix} from './checks/inotify-owner-fix.ts';
import {inotifyWatchHostDir} from './checks/inotify-watch-host-dir.ts';
import {inotifyWatches} from './checks/inotify-watches.ts';
import {kcmpMovepagesTimerslack} from './checks/kcmp-movepages-timerslack.ts';
import {kexec} from './checks/kexec.ts';
import {keysSeparated} from './checks/keys-separated.ts';
import {killHostProcess} from './checks/kill-host-process.ts';
import {killOwnInit} from './checks/kill-own-init.ts';
import {kmsgInject} from './checks/kmsg-inject.ts';
import {lateralEnviron} from './checks/lateral-environ.ts';
import {lateralFd} from './checks/lateral-fd.ts';
import {lateralFile0600} from './checks/lateral-file-0600.ts';
import {lateralMem} from './checks/lateral-mem.ts';
import {lateralPosixShm} from './checks/lateral-posix-shm.ts';
import {lateralPtrace} from './checks/lateral-ptrace.ts';
import {lateralRenice} from './checks/lateral-renice.ts';
import {lateralRoot} from './checks/lateral-root.ts';
import {lateralSameNonrootUid} from './checks/lateral-same-nonroot-uid.ts';
import {lateralSetnsOther} from './checks/lateral-setns-other.ts';
import {lateralSetnsUserns} from './checks/lateral-setns-userns.ts';
import {lateralSignal} from './checks/lateral-signal.ts';
import {lateralSysvShmMsg} from './checks/lateral-sysv-shm-msg.ts';
import {lateralThroughIdmappedMount} from './checks/lateral-through-idmapped-mount.ts';
import {lateralVm} from './checks/lateral-vm.ts';
import {leakedDirFd} from './checks/leaked-dir-fd.ts';
import {loadModule} from './checks/load-module.ts';
import {mapCovers065535} from './checks/map-covers-0-65535.ts';
import {mapExcludesHostIds} from './checks/map-excludes-host-ids.ts';
import {mapWriteOnce} from './checks/map-write-once.ts';
import {maskedPathUnmask} from './checks/masked-path-unmask.ts';
import {masksLockedForNested} from './checks/masks-locked-for-nested.ts';
import {mknodDevice} from './checks/mknod-device.ts';
import {mknodRefusedFifoOk} from './checks/mknod-refused-fifo-ok.ts';
import {mlockOverLimit} from './checks/mlock-over-limit.ts';
import {modprobePath} from './checks/modprobe-path.ts';
import {mountBind} from './checks/mount-bind.ts';
import {mountBlockDevice} from './checks/mount-block-device.ts';
import {mountCgroup2} from './checks/mount-cgroup2.ts';
import {mountDevpts} from './checks/mount-devpts.ts';
import {mountInHostMntns} from './checks/mount-in-host-mntns.ts';
import {mountMqueue} from './checks/mount-mqueue.ts';
import {mountOverlay} from './checks/mount-overlay.ts';
import {mountProc} from './checks/mount-proc.ts';
import {mountRamfs} from './checks/mount-ramfs.ts';
import {mountSysfs} from './checks/mount-sysfs.ts';
import {mountTmpfs} from './checks/mount-tmpfs.ts';
import {namespacesOwnedByPod} from './checks/namespaces-owned-by-pod.ts';
import {nestedUserns} from './checks/nested-userns.ts';
import {nestedUsernsAttackSurface} from './checks/nested-userns-attack-surface.ts';
import {nestedUsernsCap} from './checks/nested-userns-cap.ts';
import {nestedUsernsStaysInRange} from './checks/nested-userns-stays-in-range.ts';
import {netAdmin} from './checks/net-admin.ts';
import {noLeakedDescriptors} from './checks/no-leaked-descriptors.ts';
import {nprocSeparated} from './checks/nproc-separated.ts';
import {oomLowering} from './checks/oom-lowering.ts';
import {openBlockDevice} from './checks/open-block-device.ts';
import {openByHandle} from './checks/open-by-handle.ts';
import {overflowOwnsNothing} from './checks/overflow-owns-nothing.ts';
import {overwriteRootExecutable} from './checks/overwrite-root-executable.ts';
import {perfSystemWide} from './checks/perf-system-wide.ts';
import {pipePagesSeparated} from './checks/pipe-pages-separated.ts';
import {podOwnedDirDelete} from './checks/pod-owned-dir-delete.ts';
import {podWideNproc} from './checks/pod-wide-nproc.ts';
import {podsDisjoint} from './checks/pods-disjoint.ts';
import {privilegedFsTypes} from './checks/privileged-fs-types.ts';
import {procCmdlineVisible} from './checks/proc-cmdline-visible.ts';
import {procEnvironMapsAuxv} from './checks/proc-environ-maps-auxv.ts';
import {procFdRootCwdExe} from './checks/proc-fd-root-cwd-exe.ts';
import {procMem} from './checks/proc-mem.ts';
import {procRootTraversal} from './checks/proc-root-traversal.ts';
import {procWritableKnobs} from './checks/proc-writable-knobs.ts';
import {processAccounting} from './checks/process-accounting.ts';
import {ptraceChild} from './checks/ptrace-child.ts';
import {ptraceHostProcess} from './checks/ptrace-host-process.ts';
import {quota} from './checks/quota.ts';
import {ramfsUnbounded} from './checks/ramfs-unbounded.ts';
import {rawSocket} from './checks/raw-socket.ts';
import {readRoot0600} from './checks/read-root-0600.ts';
import {readdir0700} from './checks/readdir-0700.ts';
import {reboot} from './checks/reboot.ts';
import {rebootOwnPidns} from './checks/reboot-own-pidns.ts';
import {redirectedBindEndState} from './checks/redirected-bind-end-state.ts';
import {renameInRootDir} from './checks/rename-in-root-dir.ts';
import {reniceAffinitySchedIoprio} from './checks/renice-affinity-sched-ioprio.ts';
import {rlimitRaise} from './checks/rlimit-raise.ts';
import {runtimeMustNotChownStdio} from './checks/runtime-must-not-chown-stdio.ts';
import {runtimeSocket0660} from './checks/runtime-socket-0660.ts';
import {setcapOwnFile} from './checks/setcap-own-file.ts';
import {setgroupsUsable} from './checks/setgroups-usable.ts';
import {setnsHostCgroup} from './checks/setns-host-cgroup.ts';
import {setnsHostIpc} from './checks/setns-host-ipc.ts';
import {setnsHostMnt} from './checks/setns-host-mnt.ts';
import {setnsHostNet} from './checks/setns-host-net.ts';
import {setnsHostPid} from './checks/setns-host-pid.ts';
import {setnsHostTime} from './checks/setns-host-time.ts';
import {setnsHostUser} from './checks/setns-host-user.ts';
import {setnsHostUts} from './checks/setns-host-uts.ts';
import {setuidOutOfRange} from './checks/setuid-out-of-range.ts';
import {sigpendingSeparated} from './checks/sigpending-separated.ts';
import {socket0666} from './checks/socket-0666.ts';
import {suidRootDrop} from './checks/suid-root-drop.ts';
import {swap} from './checks/swap.ts';
import {symlinkEndState} from './checks/symlink-end-state.ts';
import {sysctlCorePattern} from './checks/sysctl-core-pattern.ts';
import {sysctlHostNet} from './checks/sysctl-host-net.ts';
import {sysctlKernelTuning} from './checks/sysctl-kernel-tuning.ts';
import {sysctlOwnIpc} from './checks/sysctl-own-ipc.ts';
import {sysctlOwnNet} from './checks/sysctl-own-net.ts';
import {sysctlUserLimits} from './checks/sysctl-user-limits.ts';
import {sysctlUsermodehelper} from './checks/sysctl-usermodehelper.ts';
import {sysfsWrite} from './checks/sysfs-write.ts';
import {sysrqTrigger} from './checks/sysrq-trigger.ts';
import {timestompRootFile} from './checks/timestomp-root-file.ts';
import {traverse0700} from './checks/traverse-0700.ts';
import {truncateRootFile} from './checks/truncate-root-file.ts';
import {trustedXattr} from './checks/trusted-xattr.ts';
import {ttyInjectForeign} from './checks/tty-inject-foreign.ts';
import {tunDevice} from './checks/tun-device.ts';
import {ueventInject} from './checks/uevent-inject.ts';
import {uidMapNotIdentity} from './checks/uid-map-not-identity.ts';
import {unlinkInRootDir} from './checks/unlink-in-root-dir.ts';
import {userfaultfdKernel} from './checks/userfaultfd-kernel.ts';
import {usernsInodeDiffers} from './checks/userns-inode-differs.ts';
import {usernsNotInitial} from './checks/userns-not-initial.ts';
import {usernsOwnerUid} from './checks/userns-owner-uid.ts';
import {vmReadWrite} from './checks/vm-read-write.ts';
import {volumesAsAsked} from './checks/volumes-as-asked.ts';
import {vsock} from './checks/vsock.ts';
import {worldReadableFiles} from './checks/world-readable-files.ts';
import {worldWritableDirs} from './checks/world-writable-dirs.ts';
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
  sysctlCorePattern,
  sysctlUsermodehelper,
  sysctlKernelTuning,
  sysctlHostNet,
  sysctlUserLimits,
  sysfsWrite,
  cgroupV1ReleaseAgent,
  cgroupDevicesAllow,
  cgroupEscapeLimits,
  sysrqTrigger,
  modprobePath,
  loadModule,
  kexec,
  devMem,
  dmesgRead,
  kmsgInject,
  bpf,
  perfSystemWide,
  clock,
  reboot,
  swap,
  hostHostname,
  processAccounting,
  quota,
  fanotify,
  userfaultfdKernel,
  mlockOverLimit,
  rlimitRaise,
  hostRawSocket,
  hostPacketSocket,
  hostLowPort,
  hostFirewall,
  hostLinksRoutes,
  hostTun,
  ueventInject,
  auditForge,
  ttyInjectForeign,
  hostKeysHidden,
  killHostProcess,
  ptraceHostProcess,
  vmReadWrite,
  procMem,
  procEnvironMapsAuxv,
  procFdRootCwdExe,
  reniceAffinitySchedIoprio,
  kcmpMovepagesTimerslack,
  procWritableKnobs,
  setnsHostMnt,
  setnsHostNet,
  setnsHostUts,
  setnsHostIpc,
  setnsHostPid,
  setnsHostCgroup,
  setnsHostTime,
  setnsHostUser,
  coreDumpIntoRootDir,
  oomLowering,
  lateralSignal,
  lateralPtrace,
  lateralVm,
  lateralMem,
  lateralEnviron,
  lateralFd,
  lateralRoot,
  lateralRenice,
  lateralSameNonrootUid,
  lateralFile0600,
  lateralPosixShm,
  lateralSysvShmMsg,
  lateralSetnsUserns,
  lateralSetnsOther,
  lateralThroughIdmappedMount,
  runtimeSocket0660,
  nprocSeparated,
  sigpendingSeparated,
  keysSeparated,
  pipePagesSeparated,
  inotifyInstances,
  inotifyWatches,
  inotifyOwnerFix,
  podWideNproc,
  nestedUsernsCap,
  mountTmpfs,
  mountProc,
  mountSysfs,
  mountDevpts,
  mountMqueue,
  mountCgroup2,
  mountRamfs,
  mountOverlay,
  mountBind,
  fuseMount,
  tunDevice,
  hostname,
  netAdmin,
  bind80,
  rawSocket,
  chownInRange,
  setcapOwnFile,
  mknodRefusedFifoOk,
  chroot,
  ptraceChild,
  killOwnInit,
  nestedUserns,
  sysctlOwnNet,
  sysctlOwnIpc,
  rebootOwnPidns,
  capsCanBeAdded,
  idmappedVolumeSuidDrop,
  idmappedVolumeFilecapDrop,
  idmappedRedirect,
  bindSkipsParentDac,
  worldReadableFiles,
  worldWritableDirs,
  podOwnedDirDelete,
  procCmdlineVisible,
  hostLoopbackReachable,
  abstractSocketReachable,
  socket0666,
  confusedDeputySymlink,
  controllingTtyTiocsti,
  flockDos,
  inotifyWatchHostDir,
  nestedUsernsAttackSurface,
  ramfsUnbounded,
  dirtyPageCache,
  corePatternPipe,
  vsock,
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
