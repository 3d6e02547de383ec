import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

type Undo = () => unknown;
const undos: Undo[] = [];

/** Registers what must be undone at the end, last first, also on Ctrl-C. */
export function atEnd(undo: Undo): void {
  undos.push(undo);
}

export async function cleanUp(): Promise<void> {
  for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
    try {
      await undo();
    } catch (error) {
      console.error(`left behind: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
  }
}

/** Runs a bench and undoes everything it made, however it ends. */
export async function withCleanUp(work: () => Promise<void>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
  }
  try {
    await work();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await cleanUp();
  }
}

/** A folder that goes at the end. In memory where that is: /run, where state belongs, is a tmpfs on every distribution. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'subroot-bench-'));
  // The root of a pod has to get through it.
  chmodSync(folder, 0o755);
  atEnd(() => rmSync(folder, {recursive: true, force: true}));
  return folder;
}

/** Starts this bench again in a mount namespace of its own, where its binds are nobody else's. True in the outer process. */
export function reexecInMountNamespace(): boolean {
  if (process.env.SUBROOT_BENCH_INNER !== undefined) return false;
  // The inner process gets the terminal's Ctrl-C as we do and cleans up; we wait for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  try {
    execFileSync(
      'unshare',
      ['--mount', '--propagation', 'private', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
      {
        stdio: 'inherit',
        env: {...process.env, SUBROOT_BENCH_INNER: '1'},
      },
    );
  } catch (error) {
    process.exitCode = (error as {status?: number}).status ?? 1;
  }
  return true;
}
