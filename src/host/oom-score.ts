import {readFileSync, writeFileSync} from 'node:fs';
import {subrootError} from '../../native-free/errors.ts';
import {errnoOf} from './state-files.ts';

let own: {readonly score: number; readonly mayLower: boolean} | undefined;

/**
 * The score (-1000 to 1000) that a process started by us can have: one below ours needs CAP_SYS_RESOURCE over the machine, and without it ours is
 * the nearest. Source: fs/proc/base.c __set_oom_adj(), 6.18.
 */
export function oomScoreOf(asked: number): number {
  if (asked === 1000) return asked;
  own ??= {
    score: Number(readFileSync('/proc/self/oom_score_adj', 'latin1')),
    mayLower:
      (BigInt(`0x${/^CapEff:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`) >> 24n) % 2n ===
      1n,
  };
  return own.mayLower ? asked : Math.max(asked, own.score);
}

/** Sets the score of a process that runs. Throws SUBROOT_CGROUP_FAILED. */
export function writeOomScore(pid: number, score: number): void {
  const path = `/proc/${pid}/oom_score_adj`;
  try {
    writeFileSync(path, String(score));
  } catch (error) {
    throw subrootError('SUBROOT_CGROUP_FAILED', {path, errno: errnoOf(error)}, error);
  }
}
