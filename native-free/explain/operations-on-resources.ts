import type {Operation} from './operation.ts';

const write = ['write', 'open', 'openat', 'echo', 'mkdir'] as const;

/** Budgets, cgroups, sysctls, and what belongs to the whole machine. */
export const operationsOnResources: readonly Operation[] = [
  {
    name: 'fork',
    calls: ['fork', 'vfork', 'clone', 'clone3', 'pthread_create', 'posix_spawn', 'spawn'],
    refusals: {
      EAGAIN: ['process-budget', 'pids-cgroup'],
      ENOMEM: ['memory-short'],
      EPERM: ['seccomp-filter', 'namespace-needs-userns'],
      ENOSPC: ['userns-limit', 'userns-nesting'],
      EINVAL: ['many-threads'],
    },
  },
  {
    name: 'inotify',
    calls: ['inotify_init', 'inotify_init1', 'inotify_add_watch', 'inotify', 'fanotify_init', 'watch'],
    refusals: {EMFILE: ['inotify-budget'], ENOSPC: ['inotify-budget'], EPERM: ['host-power-missing']},
  },
  {
    name: 'keyctl',
    calls: ['add_key', 'keyctl', 'request_key'],
    refusals: {EDQUOT: ['key-budget'], ENOSYS: ['seccomp-filter'], EPERM: ['seccomp-filter']},
  },
  {
    name: 'openpty',
    calls: ['openpty', 'posix_openpt', 'ptmx', 'open', 'openat'],
    about: /ptmx|^$/,
    refusals: {ENOSPC: ['pty-budget'], EIO: ['pty-budget'], ENOENT: ['pty-budget'], EACCES: ['pty-budget']},
  },
  {
    name: 'write cpu.max',
    calls: write,
    about: /\b(?:cpu|memory|io|pids|cpuset)\.[a-z.]+\b/,
    refusals: {
      ENOENT: ['cgroup-controller-missing'],
      EACCES: ['cgroup-not-delegated'],
      EPERM: ['cgroup-not-delegated'],
    },
  },
  {
    name: 'write cgroup.procs',
    calls: write,
    about: /cgroup\.(?:procs|threads|subtree_control|kill)|\/sys\/fs\/cgroup\/\S+$/,
    refusals: {
      EACCES: ['cgroup-not-delegated', 'mount-cgroup-v1'],
      EPERM: ['cgroup-not-delegated'],
      EROFS: ['mount-cgroup-v1'],
      EBUSY: ['cgroup-controller-missing'],
    },
  },
  {
    name: 'write ping_group_range',
    calls: [...write, 'sysctl'],
    about: /ping_group_range/,
    refusals: {EINVAL: ['ping-range-unmapped'], EACCES: ['sysctl-of-host'], EROFS: ['proc-sys-read-only']},
  },
  {
    name: 'write oom_score_adj',
    calls: write,
    about: /oom_score_adj/,
    refusals: {EACCES: ['oom-score-floor', 'kubelet-in-userns'], EPERM: ['oom-score-floor']},
  },
  {
    name: 'write /proc/sys/NAME',
    calls: [...write, 'sysctl'],
    about: /\/proc\/sys\/|^[a-z]+(?:[./][\w-]+)+$/,
    refusals: {
      EACCES: ['sysctl-of-host', 'proc-sys-read-only'],
      EPERM: ['sysctl-of-host'],
      EROFS: ['proc-sys-read-only'],
      ENOENT: ['sysctl-missing'],
    },
  },
  {
    name: 'seccomp',
    calls: ['seccomp'],
    refusals: {
      EINVAL: ['seccomp-not-built'],
      ENOSYS: ['seccomp-not-built'],
      EACCES: ['seccomp-needs-privilege'],
      EPERM: ['seccomp-needs-privilege'],
    },
  },
  {name: 'setrlimit', calls: ['setrlimit', 'prlimit64', 'prlimit', 'ulimit'], refusals: {EPERM: ['rlimit-hard']}},
  {
    name: 'ping',
    calls: ['socket', 'ping'],
    about: /icmp|ping|DGRAM|^$/i,
    refusals: {EACCES: ['ping-group-range'], EPERM: ['ping-group-range']},
  },
  {
    name: 'clock_settime',
    calls: [
      'clock_settime',
      'settimeofday',
      'adjtimex',
      'clock_adjtime',
      'init_module',
      'finit_module',
      'delete_module',
      'swapon',
      'swapoff',
      'reboot',
      'acct',
      'quotactl',
      'kexec_load',
      'iopl',
      'ioperm',
      'syslog',
      'bpf',
      'perf_event_open',
      'sethostname',
      'setdomainname',
      'open_by_handle_at',
    ],
    refusals: {EPERM: ['host-power-missing', 'seccomp-filter'], EACCES: ['host-power-missing']},
  },
  {
    name: 'mlock',
    calls: ['mlock', 'mlockall', 'mlock2'],
    refusals: {ENOMEM: ['memory-short'], EPERM: ['memory-short']},
  },
];
