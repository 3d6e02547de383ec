import {randomBytes} from 'node:crypto';
import {appendFileSync, lstatSync, mkdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {readNames, readText} from '../../host/machine-files.ts';
import {isProcessAlive, startTimeOf} from '../../host/proc.ts';
import {runProgram} from '../../host/run-program.ts';

const prefix = 'subroot-check-';
const journal = 'cleanup';

/** A folder of one run of a target: mapped ids may pass through it and not list it. */
export interface WorkFolder {
  readonly path: string;
  /** Notes a command that removes something, before that is made: whoever comes after a run that was killed runs it. */
  note(argv: readonly string[]): void;
  remove(): void;
}

/** Makes one, named for our process. */
export function workFolder(): WorkFolder {
  const name = `${prefix}${process.pid}-${startTimeOf(process.pid)}-${randomBytes(4).toString('hex')}`;
  const path = join(tmpdir(), name);
  mkdirSync(path, {mode: 0o711});
  return {
    path,
    note: (argv) => appendFileSync(join(path, journal), `${JSON.stringify(argv)}\n`, {mode: 0o600}),
    remove: () => rmSync(path, {recursive: true, force: true, maxRetries: 3}),
  };
}

/**
 * Removes what runs whose process is dead have left: runs the commands that they noted, and removes their folders. Only folders of our own user
 * are looked at, since what is in them is run. The paths that were removed.
 */
export async function sweepWorkFolders(parent: string = tmpdir()): Promise<string[]> {
  const removed: string[] = [];
  for (const name of readNames(parent)) {
    const [, pid, startTime] = /^subroot-check-(\d+)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
    if (pid === undefined || startTime === undefined) continue;
    const path = join(parent, name);
    if (isProcessAlive({pid: Number(pid), startTime}) || !isOwn(path)) continue;
    for (const line of (readText(join(path, journal)) ?? '').split('\n').filter(Boolean).reverse()) {
      const argv = parseArgv(line);
      if (argv !== undefined) await runProgram(argv, {timeoutMs: 30_000});
    }
    await removeWhileWritten(path);
    removed.push(path);
  }
  return removed;
}

/** What a killed run had started (conmon's clean-up of podman) may still write files there; rmSync's own retries remove none of those. */
async function removeWhileWritten(path: string): Promise<void> {
  for (let delayMs = 50; ; delayMs *= 2) {
    try {
      rmSync(path, {recursive: true, force: true});
      return;
    } catch (error) {
      const {code} = error as NodeJS.ErrnoException;
      if ((code !== 'ENOTEMPTY' && code !== 'EBUSY') || delayMs > 5000) throw error;
      await sleep(delayMs);
    }
  }
}

/** A folder (no link) that belongs to us and that nobody else can write to. */
function isOwn(path: string): boolean {
  const stat = lstatSync(path, {throwIfNoEntry: false});
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && stat.mode % 0o100 === 0o11;
}

function parseArgv(line: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : undefined;
  } catch {
    // The last line of a run that was killed while it wrote.
    return undefined;
  }
}
