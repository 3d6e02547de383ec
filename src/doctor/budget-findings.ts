import type {MachineFacts} from './facts.ts';
import {type Finding, realModes} from './finding.ts';

/** The kernel's defaults on a small machine; less of them has broken file watchers, terminals and engines. */
const FEW_WATCHES = 8192;
const FEW_PTYS = 64;
const FEW_KEYS = 20;
const FEW_PROCESSES = 1024;
const FEW_FILES = 1024;
const FEW_PIDS = 128;

/** What is limited for this user or for the machine, and how much of it is left. */
export function judgeBudgets(facts: MachineFacts): Finding[] {
  return [
    judgeWatches(facts),
    judgePtys(facts),
    judgeKeys(facts),
    judgeProcesses(facts),
    judgeFiles(facts),
    judgePidsCgroup(facts),
    judgePing(facts),
    judgeOomScore(facts),
  ];
}

const unknown = 'cannot be read';

function judgeWatches({budgets}: MachineFacts): Finding {
  const watches = budgets.inotifyWatches;
  const base = {
    id: 'inotify-watches',
    layer: 'kernel limit',
    expected: `fs.inotify.max_user_watches of ${FEW_WATCHES} or more`,
    affects: ['subid', 'single'],
  } as const;
  const found = `fs.inotify.max_user_watches is ${watches ?? unknown}, for each uid`;
  if (watches === undefined || watches >= FEW_WATCHES) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: 'as root: `sysctl -w fs.inotify.max_user_watches=524288`'};
}

function judgePtys({budgets}: MachineFacts): Finding {
  const base = {
    id: 'pty-budget',
    layer: 'kernel limit',
    expected: `${FEW_PTYS} terminals free`,
    affects: [],
  } as const;
  const {ptys} = budgets;
  if (ptys === undefined) return {...base, severity: 'ok', found: `kernel.pty.max ${unknown}`};
  const found = `kernel.pty.max is ${ptys.max}, ${ptys.used} in use`;
  if (ptys.max - ptys.used >= FEW_PTYS) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found,
    mend: `as root: \`sysctl -w kernel.pty.max=${Math.max(8192, ptys.max * 4)}\``,
  };
}

/** Source: security/keys/key.c key_alloc(): EDQUOT; runc and others make a session keyring per container. */
function judgeKeys({budgets}: MachineFacts): Finding {
  const base = {
    id: 'key-budget',
    layer: 'kernel limit',
    expected: `a quota of keys with ${FEW_KEYS} free (subroot makes none; runc and Docker make one for each container)`,
    affects: [],
  } as const;
  const {keys} = budgets;
  if (keys === undefined) return {...base, severity: 'ok', found: 'we have no keys'};
  const found = `${keys.used} keys of ${keys.max} in use`;
  if (keys.max - keys.used >= FEW_KEYS) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found,
    mend: 'as root: `sysctl -w kernel.keys.maxkeys=2000 kernel.keys.maxbytes=2000000`',
  };
}

function judgeProcesses({budgets, processCount}: MachineFacts): Finding {
  const base = {
    id: 'process-limit',
    layer: 'kernel limit',
    expected: `RLIMIT_NPROC of ${FEW_PROCESSES} or more, counted for each uid of the host; kernel.threads-max well above what runs`,
    affects: realModes,
  } as const;
  const {processes, threadsMax} = budgets;
  const found = `RLIMIT_NPROC is ${processes ?? 'unlimited'}, kernel.threads-max is ${threadsMax ?? 'unknown'}`;
  if (threadsMax !== undefined && processCount > threadsMax * 0.8)
    return {...base, severity: 'warn', found, mend: `as root: \`sysctl -w kernel.threads-max=${threadsMax * 2}\``};
  if (processes === undefined || processes >= FEW_PROCESSES) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found,
    mend: '`ulimit -u 4096`, or raise the hard limit in /etc/security/limits.conf (LimitNPROC= of a service)',
  };
}

function judgeFiles({budgets}: MachineFacts): Finding {
  const base = {
    id: 'open-files',
    layer: 'kernel limit',
    expected: `RLIMIT_NOFILE of ${FEW_FILES} or more`,
    affects: realModes,
  } as const;
  const {openFiles} = budgets;
  const found = `RLIMIT_NOFILE is ${openFiles ?? 'unlimited'}`;
  if (openFiles === undefined || openFiles >= FEW_FILES) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: '`ulimit -n 4096`, or LimitNOFILE= of a service'};
}

function judgePidsCgroup({budgets}: MachineFacts): Finding {
  const base = {
    id: 'pids-cgroup',
    layer: 'cgroup',
    expected: `no pids.max on our cgroup, or ${FEW_PIDS} processes left`,
    affects: realModes,
  } as const;
  const {pidsCgroup} = budgets;
  if (pidsCgroup === undefined) return {...base, severity: 'ok', found: 'our cgroup limits no processes'};
  const found = `pids.max of our cgroup is ${pidsCgroup.max}, ${pidsCgroup.used} in use: one more is refused with EAGAIN`;
  if (pidsCgroup.max - pidsCgroup.used >= FEW_PIDS) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found,
    mend: 'raise it: TasksMax= of the service or slice, `--pids-limit` of the outer container',
  };
}

/** A note: each pod has a net namespace of its own, and starts with `1 0`. Source: net/ipv4/ping.c, sysctl_net_ipv4.c. */
function judgePing({pingGroupRange}: MachineFacts): Finding {
  const range = pingGroupRange?.replaceAll(/\s+/g, ' ') ?? unknown;
  return {
    id: 'ping-group-range',
    severity: 'ok',
    layer: 'kernel limit',
    found: `net.ipv4.ping_group_range is "${range}" here; a pod begins with "1 0", so that ping in it needs CAP_NET_RAW or the sysctl`,
    expected: 'nothing: it is a setting of each net namespace',
    affects: [],
  };
}

function judgeOomScore({oomScoreAdj, effective}: MachineFacts): Finding {
  const may = effective.has('CAP_SYS_RESOURCE');
  return {
    id: 'oom-score',
    severity: 'ok',
    layer: 'kernel limit',
    found: `our oom_score_adj is ${oomScoreAdj ?? unknown}${may ? '' : ': pods cannot have a lower one without CAP_SYS_RESOURCE'}`,
    expected: 'a score that pods may inherit',
    affects: [],
  };
}
