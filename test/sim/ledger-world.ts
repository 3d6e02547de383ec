import {accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {IdBlock, LedgerFs, LedgerOptions, Owner} from '../../sim/index.ts';
import {Ledger, nodeLedgerFs} from '../../sim/index.ts';

/** Memory where there is some to write to: ten thousand small ledgers are made and removed here. */
const scratch = isWritable('/dev/shm') ? '/dev/shm' : tmpdir();

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export const BOOT = 'boot-1';

export function ownerOf(pid: number, bootId = BOOT): Owner {
  return {pid, startTime: pid * 10, bootId};
}

/** A fresh folder, on tmpfs where there is one; removed after the test. */
export function newRoot(t: ExecutionContext): string {
  const root = mkdtempSync(join(scratch, 'subroot-ledger-'));
  t.teardown(() => rmSync(root, {recursive: true, force: true}));
  return root;
}

/** A pool of `blocks` blocks. */
export function poolOf(blocks: number, idsPerPod = 65_536) {
  return {first: idsPerPod, length: blocks * idsPerPod};
}

export function openLedger(root: string, pid: number, options: Partial<LedgerOptions> = {}): Ledger {
  return Ledger.open({
    root,
    owner: ownerOf(pid),
    isAlive: () => true,
    pool: poolOf(8, options.idsPerPod),
    ...options,
  });
}

/** Counts operations, and calls `before(n)` ahead of the n-th (from 1). */
export function watchedFs(before: (operation: number, name: string, path: unknown) => void): LedgerFs {
  let operation = 0;
  const wrapped = Object.entries(nodeLedgerFs).map(([name, run]) => [
    name,
    (...args: unknown[]) => {
      operation += 1;
      before(operation, name, args[0]);
      return Reflect.apply(run, undefined, args);
    },
  ]);
  return Object.fromEntries(wrapped) as LedgerFs;
}

export class Crash extends Error {}

/** From the n-th operation on nothing reaches the disk any more: what a SIGKILL leaves, without a process. */
export function crashingFs(at: number): LedgerFs {
  return watchedFs((operation) => {
    if (operation >= at) throw new Crash(`operation ${operation}`);
  });
}

/** What is on disk, for assertions: files of pods, claims, leftovers. */
export function diskOf(root: string) {
  const list = (path: string) => {
    try {
      return readdirSync(path).sort();
    } catch {
      return [];
    }
  };
  const pods = list(join(root, 'pods')).map((uid) => {
    try {
      return [uid, readFileSync(join(root, 'pods', uid, 'userns'), 'utf8')] as const;
    } catch {
      return [uid, undefined] as const;
    }
  });
  const blocks = list(join(root, 'blocks')).map((id) => [Number(id), list(join(root, 'blocks', id))] as const);
  return {pods, blocks, temp: list(join(root, 'tmp'))};
}

/**
 * Fails unless the ledger is whole: every pod with a file has the claim on exactly its block, no block is in two files, every claim of a
 * pod is named by its file, no folder is empty, nothing half-made is left (but the marks of the owners given).
 */
export function assertWhole(t: ExecutionContext, root: string, livePids: readonly number[], note: string): void {
  const problems = problemsOf(root, livePids);
  // One assertion per ledger: ava's cost per assertion is what thousands of them take.
  if (problems.length > 0) t.fail(`${note}: ${problems.join('; ')}`);
  else t.pass();
}

function problemsOf(root: string, livePids: readonly number[]): string[] {
  const disk = diskOf(root);
  const problems: string[] = [];
  const claimOf = new Map<number, string>();
  for (const [id, names] of disk.blocks) {
    if (names.length !== 1) problems.push(`block ${id} has entries [${names.join(' ')}]`);
    claimOf.set(id, names[0] ?? '');
  }
  const holders = new Map<number, string>();
  for (const [uid, text] of disk.pods) {
    if (!text) {
      problems.push(`pod folder ${uid} without a file`);
      continue;
    }
    const {hostId, length} = (JSON.parse(text) as {uidMappings: [{hostId: number; length: number}]}).uidMappings[0];
    for (let id = hostId; id < hostId + length; id += 65_536) {
      if (holders.has(id)) problems.push(`block ${id} of ${uid} is also of ${holders.get(id)}`);
      holders.set(id, uid);
      const claim = claimOf.get(id) ?? 'none';
      if (!claim.startsWith(`pod,${uid},`) && !claim.startsWith(`bound,${uid},`)) {
        problems.push(`claim on ${id} of ${uid} is ${claim}`);
      }
    }
  }
  for (const [id, name] of claimOf) {
    if (!name.startsWith('prepared,,') && !holders.has(id)) problems.push(`claim ${name} on ${id} is in no file`);
  }
  for (const name of disk.temp) {
    if (!livePids.some((pid) => name.startsWith(`${pid},`))) problems.push(`${name} left in tmp`);
  }
  return problems;
}

/** Takes every free block; fails when one is given twice or when there are not `expected` of them. */
export function drain(t: ExecutionContext, ledger: Ledger, expected: number, note: string): void {
  const before = new Set(ledger.list().map((entry) => entry.hostId));
  const taken: IdBlock[] = ledger.claimPrepared(ledger.capacity + 1);
  for (const block of taken) {
    if (before.has(block.hostId)) t.fail(`${note}: ${block.hostId} handed out twice`);
    before.add(block.hostId);
  }
  t.is(taken.length, expected, `${note}: free blocks`);
  for (const block of taken) ledger.releasePrepared(block);
}
