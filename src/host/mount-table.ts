import {readFileSync, realpathSync} from 'node:fs';

/** A mount of our own mount namespace. */
export interface MountEntry {
  readonly point: string;
  readonly type: string;
  /** Hears of mounts of its peers, and tells them of its own. */
  readonly isShared: boolean;
  /** Hears of mounts of its master. */
  readonly isSlave: boolean;
}

/** Lines of a mountinfo text, in the order in which they were mounted; a line that is none is left out. Source: proc_pid_mountinfo(5). */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line): MountEntry[] => {
    const [left, right] = line.split(' - ');
    const fields = left?.split(' ') ?? [];
    const point = fields[4];
    const type = right?.split(' ')[0];
    if (point === undefined || type === undefined) return [];
    const tags = fields.slice(6);
    return [
      {
        point: point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
        type,
        isShared: tags.some((tag) => tag.startsWith('shared:')),
        isSlave: tags.some((tag) => tag.startsWith('master:')),
      },
    ];
  });
}

/** The mount that a path is on, links followed; undefined when there is nothing at the path. */
export function mountOf(path: string): MountEntry | undefined {
  let real: string;
  try {
    // The bytes of a name as mountinfo has them.
    real = realpathSync(path, 'buffer').toString('latin1');
  } catch {
    return undefined;
  }
  let found: MountEntry | undefined;
  for (const entry of parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'))) {
    const isAbove = entry.point === '/' || real === entry.point || real.startsWith(`${entry.point}/`);
    // Of two with one mount point the later is on top.
    if (isAbove && entry.point.length >= (found?.point.length ?? 0)) found = entry;
  }
  return found;
}
