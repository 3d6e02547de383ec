import {readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';

/** A process as /proc/PID/status shows it to us; ids are those of our own user namespace. Source: proc(5), fs/proc/array.c. */
export interface ProcessStatus {
  /** Real, effective, saved and file-system id. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  /** Sixteen hexadecimal digits each. */
  readonly effective: string;
  readonly bounding: string;
  readonly noNewPrivs: boolean;
  /** Signals that were sent to the process and wait, as a mask: 1 << (number - 1). */
  readonly pending: bigint;
}

/** Reads a status text: of our own /proc, or as a program in a pod printed it. Undefined when a field is missing. */
export function parseStatus(text: string): ProcessStatus | undefined {
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim();
  const ids = (name: string) => field(name)?.split(/\s+/).filter(Boolean).map(Number);
  const [uids, gids, groups] = [ids('Uid'), ids('Gid'), ids('Groups')];
  const [effective, bounding] = [field('CapEff'), field('CapBnd')];
  if (!uids || !gids || !groups || effective === undefined || bounding === undefined) return undefined;
  const pending = BigInt(`0x${field('ShdPnd') ?? '0'}`) | BigInt(`0x${field('SigPnd') ?? '0'}`);
  return {uids, gids, groups, effective, bounding, noNewPrivs: field('NoNewPrivs') === '1', pending};
}

/** Undefined when the process is gone. */
export function statusOf(pid: number): ProcessStatus | undefined {
  const text = readText(`/proc/${pid}/status`);
  return text === undefined ? undefined : parseStatus(text);
}

/** Inode of a namespace of a process, or undefined when we may not look or it is gone. */
export function namespaceInode(pid: number | 'self', type: string): number | undefined {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${type}`))?.[1]);
  } catch {
    return undefined;
  }
}

/** A small file as text, or undefined when it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** An open descriptor of a process: what it leads to, the id of the mount it was opened through, and its type. */
export interface OpenDescriptor {
  readonly number: number;
  readonly target: string;
  readonly mountId: number | undefined;
  readonly kind: 'folder' | 'file' | 'device' | 'other';
}

export function descriptorsOf(pid: number): OpenDescriptor[] {
  let numbers: number[];
  try {
    numbers = readdirSync(`/proc/${pid}/fd`).map(Number);
  } catch {
    return [];
  }
  return numbers.flatMap((number) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${number}`);
      const mountId = /^mnt_id:\s*(\d+)/m.exec(readText(`/proc/${pid}/fdinfo/${number}`) ?? '')?.[1];
      const stat = statSync(`/proc/${pid}/fd/${number}`);
      const isDevice = stat.isBlockDevice() || stat.isCharacterDevice();
      const kind = stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : isDevice ? 'device' : 'other';
      return [{number, target, mountId: mountId === undefined ? undefined : Number(mountId), kind}];
    } catch {
      return [];
    }
  });
}

/** A mount in the mount namespace of a process. Source: proc_pid_mountinfo(5). */
export interface MountLine {
  readonly id: number;
  readonly parent: number;
  readonly point: string;
  readonly type: string;
  readonly options: string;
}

export function mountsOf(pid: number | 'self'): MountLine[] {
  return (readText(`/proc/${pid}/mountinfo`) ?? '').split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [id, parent, , , point, options] = left.split(' ');
    if (point === undefined || options === undefined) return [];
    const type = right.split(' ')[0] ?? '';
    return [{id: Number(id), parent: Number(parent), point: plainPath(point), type, options}];
  });
}

/** Octal escapes of mountinfo: blank, tab, newline, backslash. */
function plainPath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
