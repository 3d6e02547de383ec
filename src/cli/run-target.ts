import {subrootError} from '../../native-free/errors.ts';
import type {Check} from '../check/check.ts';
import {allChecks} from '../check/checks.ts';
import {runChecks} from '../check/engine.ts';
import type {Report} from '../check/result.ts';
import type {Target} from '../check/target.ts';
import {openTarget, type TargetOptions} from '../check/targets/open-target.ts';
import {listed} from './check-flags.ts';
import {CheckProgress} from './check-progress.ts';
import type {CommandContext} from './command.ts';
import {EndedBySignal, withEndingSignals} from './ending-signals.ts';
import {usageError} from './failure.ts';
import {findNearest} from './nearest.ts';

/** Throws SUBROOT_USAGE for an option that none of the targets takes. */
export function requireTaken(targets: readonly string[], options: TargetOptions): void {
  const isOf = (kinds: RegExp) => targets.some((target) => kinds.test(target));
  if (options.runtimeHandler !== undefined && !isOf(/^cri:/))
    throw usageError('--runtime-handler is of a cri: target', 'leave it out, or write --target cri:unix:///PATH');
  if (options.image !== undefined && !isOf(/^(cri:|docker$)/))
    throw usageError(
      '--image is of a cri: or docker target',
      'leave it out: the others run on the userland of this machine',
    );
}

/** Opens the target of a word; `subroot` is a node in the state folder. Errors: those of `openTarget` and of `createNode`. */
export async function openCheckTarget(word: string, options: TargetOptions, context: CommandContext): Promise<Target> {
  if (word !== 'subroot') return await openTarget(word, options);
  const {SubrootTarget} = await import('../check/targets/subroot.ts');
  return await SubrootTarget.open({root: context.root, mode: context.mode});
}

/** The checks that flags choose; all of `among` without any. Throws SUBROOT_CHECK_UNKNOWN. */
export function chosenChecks(
  flags: {readonly check?: readonly string[] | undefined; readonly group?: readonly string[] | undefined},
  among: readonly Check[] = allChecks,
): readonly Check[] {
  const ids = listed(flags.check);
  const groups = listed(flags.group);
  const known = among.map(({id}) => id);
  for (const id of ids) {
    if (known.includes(id)) continue;
    const nearest = findNearest(id, known);
    throw subrootError('SUBROOT_CHECK_UNKNOWN', {
      id,
      mend: nearest === undefined ? '`subroot checks list` shows them all' : `did you mean ${nearest}?`,
    });
  }
  for (const group of groups)
    if (!among.some((check) => String(check.group) === group))
      throw subrootError('SUBROOT_CHECK_UNKNOWN', {
        id: `group ${group}`,
        mend: 'groups are 1 to 8; `subroot checks list` shows them',
      });
  if (ids.length + groups.length === 0) return among;
  return among.filter(({id, group}) => ids.includes(id) || groups.includes(String(group)));
}

/** Runs checks with what they are at on a terminal; closes the target whatever happens. */
export async function judgeTarget(
  open: () => Promise<Target>,
  checks: readonly Check[] | ((target: Target) => readonly Check[]),
  options: {readonly seed?: string | undefined; readonly signal: AbortSignal},
  {root}: CommandContext,
): Promise<Report> {
  const target = await open();
  try {
    const chosen = typeof checks === 'function' ? checks(target) : checks;
    const progress = new CheckProgress(target.description.target, chosen.length);
    try {
      return await runChecks(target, {
        checks: chosen,
        folder: `${root}/checks`,
        signal: options.signal,
        onResult: progress.onResult,
        ...(options.seed === undefined ? {} : {seed: options.seed}),
      });
    } finally {
      progress.end();
    }
  } finally {
    await target.close();
  }
}

/** Runs a body that Ctrl-C and the like end cleanly, with the exit code of the signal. */
export async function endingWithSignals(body: (signal: AbortSignal) => Promise<number>): Promise<number> {
  return await withEndingSignals(async (ended) => {
    try {
      return await body(ended);
    } catch (error) {
      if (ended.aborted && ended.reason instanceof EndedBySignal) return ended.reason.exitCode;
      throw error;
    }
  });
}
