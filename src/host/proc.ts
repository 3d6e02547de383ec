import {closeSync, openSync, readFileSync, readlinkSync, readSync} from 'node:fs';

const buffer = Buffer.allocUnsafe(4096);

function readSmall(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/**
 * Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), or undefined when it is gone or a zombie.
 * With the pid it names one process for the life of a boot. Source: proc(5).
 */
export function startTimeOf(pid: number): string | undefined {
  const stat = readSmall(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

/** True while exactly that process lives; a zombie is dead. */
export function isProcessAlive(identity: {readonly pid: number; readonly startTime: string}): boolean {
  return startTimeOf(identity.pid) === identity.startTime;
}

let bootIdCache: string | undefined;
/** The id of this boot: pids and start times mean something only within it. */
export function bootId(): string {
  bootIdCache ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootIdCache;
}

/** What /proc/PID/uid_map or gid_map shows to us, or undefined when the process is gone. */
export function readIdMapText(pid: number | 'self', file: 'uid_map' | 'gid_map'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}

/** `user:[4026531837]` and the like, or undefined when we may not look or it is gone. */
export function namespaceOf(
  pid: number | 'self',
  type: 'user' | 'mnt' | 'pid' | 'net' | 'ipc' | 'uts' | 'cgroup',
): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${type}`);
  } catch {
    return undefined;
  }
}

/** Effective uid and gid of a process as ids of our own namespace, from /proc/PID/status. */
export function credentialsOf(pid: number): {readonly uid: number; readonly gid: number} | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return undefined;
  }
  const uid = /^Uid:\t\d+\t(\d+)/m.exec(status)?.[1];
  const gid = /^Gid:\t\d+\t(\d+)/m.exec(status)?.[1];
  return uid === undefined || gid === undefined ? undefined : {uid: Number(uid), gid: Number(gid)};
}
