import {type CapabilitySet, noCapabilities, parseCapabilityMask} from '../../native-free/capability.ts';
import {readText} from './machine-files.ts';

/** Who a process is, with ids as we see them. */
export interface ProcessCredentials {
  /** File system ids: those that decide access. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly effective: CapabilitySet;
  readonly bounding: CapabilitySet;
}

/** From /proc/PID/status; undefined when there is no such process. Source: proc_pid_status(5). */
export function readCredentials(pid: number): ProcessCredentials | undefined {
  const status = readText(`/proc/${pid}/status`);
  return status === undefined ? undefined : parseCredentials(status);
}

/** Reads the text of a status file: the fourth id of Uid and Gid is that of the file system. */
export function parseCredentials(status: string): ProcessCredentials | undefined {
  const ids = (field: string) =>
    new RegExp(String.raw`^${field}:((?:\s+\d+)*)`, 'm').exec(status)?.[1]?.trim().split(/\s+/);
  const uid = ids('Uid')?.[3];
  const gid = ids('Gid')?.[3];
  if (uid === undefined || gid === undefined) return undefined;
  const groups = (ids('Groups') ?? []).filter((word) => word !== '').map(Number);
  const mask = (field: string) =>
    parseCapabilityMask(new RegExp(String.raw`^${field}:\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '')?.capabilities ??
    noCapabilities;
  return {uid: Number(uid), gid: Number(gid), groups, effective: mask('CapEff'), bounding: mask('CapBnd')};
}
