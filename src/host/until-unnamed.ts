import {readText} from './machine-files.ts';
import {listPids} from './machine-namespaces.ts';

/** Waits until no other process has that text in its command line; answers whether that came to be. */
export async function untilUnnamed(text: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  const isNamed = () =>
    listPids().some((pid) => pid !== process.pid && readText(`/proc/${pid}/cmdline`)?.includes(text) === true);
  while (isNamed()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}
