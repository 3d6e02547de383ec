import type {CapabilityName} from './capability.ts';
import {parseSeccompProfile, type SeccompProfile} from './seccomp-profile.ts';

/**
 * The profile of `RuntimeDefault`, in the JSON form that a `Localhost` profile has too. A list of what is allowed, with the meaning that
 * containerd and Docker document for theirs: what an ordinary program needs; what belongs to a capability only for who has that; EPERM
 * for the rest. Source for what such a profile holds back: docs.docker.com/engine/security/seccomp, and the man page of each call.
 */

/** Always allowed, by what they are for. */
const common: Readonly<Record<string, readonly string[]>> = {
  files: words(`
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir fchmod
    fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate
    futimesat getcwd getdents getdents64 getxattr getxattrat ioctl lchown lgetxattr link linkat listxattr listxattrat llistxattr
    lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2
    pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile
    setxattr setxattrat splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime
    utimensat utimes vmsplice write writev cachestat file_getattr file_setattr`),
  events: words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pipe
    pipe2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime`),
  memory: words(`
    brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`),
  processes: words(`
    alarm arch_prctl capget capset execve execveat exit exit_group fork getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid
    getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule
    landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules lsm_set_self_attr modify_ldt pause pidfd_open
    pidfd_send_signal prctl prlimit64 ptrace restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo seccomp setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid
    setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill times tkill uname uretprobe vfork wait4 waitid`),
  threads: words(`
    futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area set_tid_address`),
  time: words(`
    adjtimex clock_adjtime clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time timer_create timer_delete timer_getoverrun
    timer_gettime timer_settime`),
  network: words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown
    socketpair`),
  ipc: words(`
    mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat
    shmctl shmdt shmget`),
  other: words('getrandom'),
};

/** Allowed to who has the capability. */
const byCapability: Readonly<Partial<Record<CapabilityName, readonly string[]>>> = {
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount open_tree
    open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog umount2 unshare`),
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
  CAP_SYSLOG: ['syslog'],
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: words('delete_module finit_module init_module'),
  CAP_SYS_NICE: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev'),
  CAP_SYS_RAWIO: words('iopl ioperm'),
  CAP_SYS_TIME: words('clock_settime settimeofday'),
  CAP_SYS_TTY_CONFIG: ['vhangup'],
};

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. Source: include/uapi/linux/sched.h. */
const namespaceFlags = 0x7e020000;

/**
 * Families of sockets as power-of-two ranges, [first, how many]: 0 to 47 without AF_ALG (38: the kernel's own ciphers) and AF_VSOCK (40: not
 * of any namespace, so a way to the machine). The mask takes the lower half only: the kernel does, and a comparison of all 64 bits could be
 * passed by with a bit in the upper one. Source: include/linux/socket.h; net/socket.c SYSCALL_DEFINE3(socket, int family, …).
 */
const families: readonly (readonly [first: number, count: number])[] = [
  [0, 32],
  [32, 4],
  [36, 2],
  [39, 1],
  [41, 1],
  [42, 2],
  [44, 4],
];

/** Execution domains: Linux, Linux with 32-bit uname, each as 2.6, and "which one is it". Source: personality(2). */
const personalities = [0, 0x8, 0x20000, 0x20008, 0xffffffff];

const allow = {action: 'SCMP_ACT_ALLOW'};
const withoutSysAdmin = {excludes: {caps: ['CAP_SYS_ADMIN']}};

/** RuntimeDefault as the JSON value that it stands for. */
export const defaultSeccompJson = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    {architecture: 'SCMP_ARCH_X86_64', subArchitectures: []},
    {architecture: 'SCMP_ARCH_AARCH64', subArchitectures: []},
  ],
  syscalls: [
    ...Object.entries(common).map(([comment, names]) => ({comment, names, ...allow})),
    ...Object.entries(byCapability).map(([cap, names]) => ({names, ...allow, includes: {caps: [cap]}})),
    {
      comment: 'threads and processes, in the namespaces that are there',
      names: ['clone'],
      ...allow,
      args: [{index: 0, op: 'SCMP_CMP_MASKED_EQ', value: namespaceFlags, valueTwo: 0}],
      ...withoutSysAdmin,
    },
    {
      comment: 'its flags are in memory, out of a filter’s sight; a C library falls back to clone',
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 38,
      ...withoutSysAdmin,
    },
    ...personalities.map((value) => ({
      names: ['personality'],
      ...allow,
      args: [{index: 0, op: 'SCMP_CMP_EQ', value}],
    })),
    ...families.map(([first, count]) => ({
      names: ['socket'],
      ...allow,
      args: [{index: 0, op: 'SCMP_CMP_MASKED_EQ', value: 2 ** 32 - count, valueTwo: first}],
    })),
  ],
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

let parsed: SeccompProfile | undefined;

/** RuntimeDefault. */
export function defaultSeccompProfile(): SeccompProfile {
  parsed ??= parseSeccompProfile(defaultSeccompJson, 'RuntimeDefault');
  return parsed;
}
