import {printable} from '../../native-free/errors.ts';
import type {MachineFacts} from './facts.ts';
import {type Finding, realModes} from './finding.ts';
import {shellWord} from './shell-word.ts';

const MIB = 2 ** 20;
/** Below this a ledger cannot even be written; below the other, logs and root file systems soon cannot. */
const MIN_BYTES = MIB;
const FEW_BYTES = 64 * MIB;
const MIN_INODES = 100;
const FEW_INODES = 1000;
const LEAST_PIDS = 4096;
/** The kernel's default for inotify instances per user. */
const USUAL_INOTIFY = 128;
/** No release of subroot is older than this. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

/** Network file systems and such: rename and link are not what a ledger needs, and none can be idmapped. */
const weakFileSystems: ReadonlySet<string> = new Set([
  'nfs',
  'nfs4',
  'cifs',
  'smb3',
  '9p',
  'afs',
  'ceph',
  'vfat',
  'exfat',
  'msdos',
  'fuse.sshfs',
]);

/** What is around: the state folder, terminals, processes, cgroups, clock, budgets. */
export function judgeSurroundings(facts: MachineFacts): Finding[] {
  return [
    judgeFolder(facts),
    judgeFileSystem(facts),
    judgeSpace(facts),
    judgeReach(facts),
    judgeMountFlags(facts),
    judgeTerminal(facts),
    judgePids(facts),
    judgeInotify(facts),
    judgeCgroup(facts),
    judgeClock(facts),
  ];
}

function judgeFolder({state, user}: MachineFacts): Finding {
  const base = {
    id: 'state-folder',
    layer: 'state folder',
    expected: 'a folder that we may write',
    affects: realModes,
  } as const;
  const root = printable(state.root);
  if (state.writable)
    return {...base, severity: 'ok', found: state.exists ? `${root} is ours to write` : `${root} can be made`};
  const at = printable(state.nearest);
  return {
    ...base,
    severity: 'fail',
    found: state.exists
      ? `${root} cannot be written by uid ${user.uid}`
      : `${root} cannot be made: ${at} cannot be written by uid ${user.uid}`,
    mend: 'give another folder with --root or SUBROOT_ROOT (`export SUBROOT_ROOT="$HOME/.local/state/subroot"`)',
  };
}

function judgeFileSystem({state}: MachineFacts): Finding {
  const base = {
    id: 'state-file-system',
    layer: 'file system',
    expected: 'a local file system (ext4, xfs, btrfs, tmpfs)',
    affects: realModes,
  } as const;
  const type = printable(state.fsType);
  const found = `${printable(state.nearest)} is ${type}`;
  if (!weakFileSystems.has(state.fsType)) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found: `${found}: no idmapped mounts, and its rename is not safe between machines`,
    mend: 'give a folder on a local file system with --root or SUBROOT_ROOT',
  };
}

function judgeSpace({state}: MachineFacts): Finding {
  const base = {
    id: 'free-space',
    layer: 'file system',
    expected: `${FEW_BYTES / MIB} MiB and ${FEW_INODES} inodes free`,
    affects: realModes,
  } as const;
  const {freeBytes, freeInodes} = state;
  const inodes = freeInodes === Number.MAX_SAFE_INTEGER ? 'inodes without limit' : `${freeInodes} inodes`;
  const found = `${Math.floor(freeBytes / MIB)} MiB and ${inodes} free at ${printable(state.nearest)}`;
  if (freeBytes >= FEW_BYTES && freeInodes >= FEW_INODES) return {...base, severity: 'ok', found};
  const isFull = freeBytes < MIN_BYTES || freeInodes < MIN_INODES;
  return {
    ...base,
    severity: isFull ? 'fail' : 'warn',
    found,
    mend: `free space there (\`df -h ${shellWord(state.nearest)}\`, \`df -i ${shellWord(state.nearest)}\`), or give another folder with --root`,
  };
}

function judgeReach({state}: MachineFacts): Finding {
  const base = {
    id: 'state-reachable',
    layer: 'file system',
    expected: 'search permission for others on every folder above the state folder',
    affects: realModes,
  } as const;
  if (state.closedAt === undefined)
    return {...base, severity: 'ok', found: `mapped ids can reach ${printable(state.root)}`};
  const at = printable(state.closedAt);
  return {
    ...base,
    severity: 'warn',
    found: `${at} has no search permission for others: a pod's root, who is nobody there, cannot reach files below it by path`,
    mend: `\`chmod o+x ${shellWord(state.closedAt)}\`, or give another folder with --root`,
  };
}

function judgeMountFlags({state, mounts}: MachineFacts): Finding {
  const base = {
    id: 'state-mount-flags',
    layer: 'file system',
    expected: 'a mount without noexec, for root file systems below the state folder',
    affects: [],
  } as const;
  const mount = mounts
    .filter(({point}) => point === '/' || state.nearest === point || state.nearest.startsWith(`${point}/`))
    .toSorted((a, b) => a.point.length - b.point.length)
    .at(-1);
  const flags = (mount?.options ?? []).filter((option) => ['nosuid', 'nodev', 'noexec'].includes(option));
  const found = `${printable(mount?.point ?? state.nearest)} is mounted ${flags.length === 0 ? 'without restrictions' : flags.join(', ')}`;
  if (!flags.includes('noexec')) return {...base, severity: 'ok', found};
  return {
    ...base,
    severity: 'warn',
    found: `${found}: no program of a root file system below it can be started`,
    mend: 'give a folder on another mount with --root or SUBROOT_ROOT',
  };
}

function judgeTerminal({terminal}: MachineFacts): Finding {
  const base = {id: 'terminal', layer: 'terminal', expected: 'node-pty, or script(1)', affects: []} as const;
  if (terminal.nodePty) return {...base, severity: 'ok', found: 'interactive terminals by node-pty'};
  if (terminal.script !== undefined)
    return {...base, severity: 'ok', found: `interactive terminals by ${terminal.script} (node-pty is not installed)`};
  return {
    ...base,
    severity: 'warn',
    found: 'neither node-pty nor script(1): no interactive terminals (`exec -it`)',
    mend: '`npm install node-pty`, or `apt-get install bsdutils` (Debian, Ubuntu), `dnf install util-linux-script` (Fedora)',
  };
}

function judgePids({pidMax, processCount}: MachineFacts): Finding {
  const base = {
    id: 'pid-max',
    layer: 'kernel limit',
    expected: `kernel.pid_max of ${LEAST_PIDS} or more, and a fifth of it free`,
    affects: realModes,
  } as const;
  if (pidMax === undefined) return {...base, severity: 'ok', found: 'kernel.pid_max cannot be read'};
  const found = `kernel.pid_max is ${pidMax}, ${processCount} processes run`;
  if (pidMax >= LEAST_PIDS && processCount <= pidMax * 0.8) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: 'as root: `sysctl -w kernel.pid_max=4194304`'};
}

function judgeInotify({inotifyInstances}: MachineFacts): Finding {
  const base = {
    id: 'inotify-budget',
    layer: 'kernel limit',
    expected: `fs.inotify.max_user_instances of ${USUAL_INOTIFY} or more: all pods made by one uid share it, so host mode makes each as its own`,
    affects: ['subid', 'single'],
  } as const;
  if (inotifyInstances === undefined)
    return {...base, severity: 'ok', found: 'fs.inotify.max_user_instances cannot be read'};
  const found = `fs.inotify.max_user_instances is ${inotifyInstances} per uid`;
  if (inotifyInstances >= USUAL_INOTIFY) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: 'as root: `sysctl -w fs.inotify.max_user_instances=1024`'};
}

function judgeCgroup({cgroup}: MachineFacts): Finding {
  const base = {
    id: 'cgroup',
    layer: 'cgroup',
    expected: 'cgroup v2 with a folder that is ours (only for resource limits; pods run without)',
    affects: [],
  } as const;
  const controllers = cgroup.controllers.length === 0 ? 'no controllers' : cgroup.controllers.join(' ');
  const found = `cgroup ${cgroup.layout === 'none' ? 'file system: none' : cgroup.layout}, ${controllers}`;
  if (cgroup.layout !== 'v2')
    return {
      ...base,
      severity: 'warn',
      found: `${found}: limits of pods are not enforced, and a user is given no part of a v1 hierarchy`,
      mend: 'boot with `systemd.unified_cgroup_hierarchy=1`, or go without limits',
    };
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !cgroup.controllers.includes(name));
  if (cgroup.delegated && missing.length > 0)
    return {
      ...base,
      severity: 'warn',
      found: `${found}, delegated to us without ${missing.join(', ')}`,
      mend: 'as root: `systemctl edit user@.service` with `[Service]` and `Delegate=cpu cpuset io memory pids`, then log in again',
    };
  if (cgroup.delegated) return {...base, severity: 'ok', found: `${found}, delegated to us`};
  return {
    ...base,
    severity: 'warn',
    found: `${found}, and our folder is not ours to write`,
    mend: 'start subroot in a scope of its own: `systemd-run --user --scope -p Delegate=yes subroot …`',
  };
}

function judgeClock({nowMs}: MachineFacts): Finding {
  const base = {id: 'clock', layer: 'clock', expected: 'a date after 2024', affects: []} as const;
  const found = `the clock says ${new Date(nowMs).toISOString()}`;
  if (nowMs >= EARLIEST_MS) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: 'set it: `timedatectl set-ntp true`'};
}
