import {randomBytes} from 'node:crypto';
import {mkdirSync, readdirSync, rmdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';
import {mountsOf} from '../host/process-view.ts';
import {makeFolder} from '../host/state-files.ts';

const namePattern = /^(?:subroot-check-)?(\d+)-(\d+)-[0-9a-f]{8}/;

/** Where control groups are mounted: v1 hierarchies by controller, and v2. */
export interface CgroupMounts {
  readonly v2: string | undefined;
  readonly v1: Readonly<Record<string, string>>;
}

export function cgroupMounts(): CgroupMounts {
  const v1: Record<string, string> = {};
  let v2: string | undefined;
  for (const {type, point} of mountsOf('self')) {
    if (type === 'cgroup2') v2 ??= point;
    else if (type === 'cgroup') v1[point.slice(point.lastIndexOf('/') + 1)] ??= point;
  }
  return {v2, v1};
}

/**
 * What a run has on the machine: one folder, and control groups of its name. The name says which process made it, so that a later run
 * removes what a killed one left. Everything else (mounts, loop devices, processes, interfaces) ends with the run's processes.
 */
export class RunFolder {
  readonly path: string;
  readonly name: string;
  readonly #cgroups: string[] = [];
  #next = 0;

  private constructor(parent: string, name: string) {
    this.name = name;
    this.path = join(parent, name);
  }

  /** Removes what dead runs left, and makes a folder for this one. `parent` is made where it is missing. */
  static make(parent: string): RunFolder {
    RunFolder.sweep(parent);
    makeFolder(parent, 0o711);
    const run = new RunFolder(parent, `${process.pid}-${startTimeOf(process.pid)}-${randomBytes(4).toString('hex')}`);
    mkdirSync(run.path, {mode: 0o711});
    return run;
  }

  /** What runs whose process is dead left: folders below `parent`, and control groups. The paths that were removed. */
  static sweep(parent: string): string[] {
    const removed: string[] = [];
    for (const path of namesIn(parent).map((name) => join(parent, name))) {
      if (!isOfTheDead(path)) continue;
      rmSync(path, {recursive: true, force: true});
      removed.push(path);
    }
    const {v1, v2} = cgroupMounts();
    for (const path of [...Object.values(v1), ...(v2 === undefined ? [] : [v2])].flatMap((mount) =>
      namesIn(mount)
        .filter((name) => name.startsWith('subroot-check-'))
        .map((name) => join(mount, name)),
    )) {
      if (!isOfTheDead(path)) continue;
      try {
        rmdirSync(path);
        removed.push(path);
      } catch {
        // A process of the dead run is still on its way out: the next run finds it empty.
      }
    }
    return removed;
  }

  /** A folder of the run, 0711 and the root's. */
  makeFolder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, {mode: 0o711});
    return path;
  }

  /** Makes an empty control group below a mounted hierarchy; it goes with the run. */
  makeCgroup(mount: string): string {
    const path = join(mount, `subroot-check-${this.name}-${this.#next++}`);
    mkdirSync(path);
    this.#cgroups.push(path);
    return path;
  }

  removeCgroup(path: string): void {
    const index = this.#cgroups.indexOf(path);
    if (index >= 0) this.#cgroups.splice(index, 1);
    rmdirSync(path);
  }

  remove(): void {
    for (const path of this.#cgroups.splice(0)) {
      try {
        rmdirSync(path);
      } catch {
        // The next run's sweep has it.
      }
    }
    rmSync(this.path, {recursive: true, force: true});
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isOfTheDead(path: string): boolean {
  const [, pid, startTime] = namePattern.exec(path.slice(path.lastIndexOf('/') + 1)) ?? [];
  return pid !== undefined && startTime !== undefined && !isProcessAlive({pid: Number(pid), startTime});
}
