import {randomBytes} from 'node:crypto';
import {join} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import {parseIdMap} from '../../native-free/id-map.ts';
import {machineOf, packageVersion} from '../host/machine-summary.ts';
import {readIdMapText} from '../host/proc.ts';
import {namespaceInode, statusOf} from '../host/process-view.ts';
import {stateRoot} from '../state-root.ts';
import {CannotTry} from './attempt.ts';
import type {Check, Measurement} from './check.ts';
import {classify, mergeArms, type Verdict} from './classify.ts';
import {missingNeed} from './needs.ts';
import type {CheckResult, JudgedPod, Outcome, Report} from './result.ts';
import {RunFolder} from './run-folder.ts';
import {Scene} from './scene.ts';
import {startPods} from './scene-pods.ts';
import type {Target, TargetPod} from './target.ts';

export interface RunOptions {
  /** The checks to run, in this order; see `selectChecks`. */
  readonly checks: readonly Check[];
  /** Names canaries and random choices; a random one by default. */
  readonly seed?: string;
  readonly signal?: AbortSignal;
  /** Of one attempt in one arm; 5 s by default. */
  readonly timeoutMs?: number;
  /** Told of each result as it comes, in no order. */
  readonly onResult?: (result: CheckResult) => void;
  /** Where a run keeps its folder; `checks` in the state folder by default. */
  readonly folder?: string;
}

/** How many checks are tried at once. More only wait for each other: an attacker makes one attempt at a time. */
const AT_ONCE = 4;

function resultOf(check: Check, verdict: Verdict, parts: Partial<CheckResult>): CheckResult {
  const {id, title, group, expected, references} = check;
  return {
    id,
    title,
    group,
    class: check.class,
    expected,
    references,
    arms: [],
    evidence: {},
    durationMs: 0,
    ...parts,
    ...verdict,
  };
}

/** What a measurement means for its check. */
export function judge(check: Check, measurement: Measurement): CheckResult {
  if (measurement.kind === 'found') {
    const {outcome, reason, arms = [], evidence = {}} = measurement;
    return resultOf(check, {outcome, reason}, {arms, evidence});
  }
  const verdict = classify(measurement.attempts);
  return resultOf(check, verdict, {arms: mergeArms(measurement.attempts), evidence: measurement.evidence ?? {}});
}

async function runOne(check: Check, scene: Scene): Promise<CheckResult> {
  const startedAt = performance.now();
  const done = (result: CheckResult) => ({...result, durationMs: Math.round(performance.now() - startedAt)});
  const missing = check.abilities.filter((ability) => !scene.target.has(ability));
  if (missing.length > 0) {
    const reason = `the target ${scene.target.description.target} cannot do it: ${missing.join(', ')}`;
    return done(resultOf(check, {outcome: 'not-possible', reason}, {}));
  }
  for (const need of check.needs) {
    const why = missingNeed(need);
    if (why !== undefined) return done(resultOf(check, {outcome: 'not-possible', reason: why}, {}));
  }
  try {
    return done(judge(check, await check.measure(scene)));
  } catch (error) {
    scene.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const outcome = error instanceof CannotTry ? 'not-possible' : 'inconclusive';
    return done(resultOf(check, {outcome, reason}, {}));
  }
}

/** Runs checks against a target and leaves nothing. Errors: SUBROOT_CANCELLED, and the target's of starting pods. */
export async function runChecks(target: Target, options: RunOptions): Promise<Report> {
  const startedAt = new Date();
  const begin = performance.now();
  const seed = options.seed ?? randomBytes(4).toString('hex');
  const signal = options.signal ?? new AbortController().signal;
  const run = RunFolder.make(options.folder ?? join(stateRoot(undefined), 'checks'));
  const results = new Map<string, CheckResult>();
  let pods: Awaited<ReturnType<typeof startPods>> | undefined;
  let scene: Scene | undefined;
  let judged: JudgedPod[] = [];
  try {
    signal.throwIfAborted();
    pods = await startPods(target, run);
    judged = pods.pods.map(judgedPod);
    scene = await Scene.open({target, pods: pods.pods, seed, signal, timeoutMs: options.timeoutMs ?? 5000, run});
    const shared = scene;
    const tell = async (check: Check) => {
      signal.throwIfAborted();
      const result = await runOne(check, shared);
      results.set(check.id, result);
      options.onResult?.(result);
    };
    const queue = options.checks.filter(({alone}) => !alone);
    const worker = async () => {
      for (let check = queue.shift(); check; check = queue.shift()) await tell(check);
    };
    await Promise.all(Array.from({length: AT_ONCE}, worker));
    for (const check of options.checks.filter(({alone}) => alone)) await tell(check);
  } catch (error) {
    if (signal.aborted) throw subrootError('SUBROOT_CANCELLED', {what: 'running the checks'}, signal.reason);
    throw error;
  } finally {
    await scene?.close();
    await pods?.remove();
    run.remove();
  }
  const inOrder = options.checks.flatMap(({id}) => results.get(id) ?? []);
  return {
    schema: 'urn:subroot:check-report:1',
    subroot: packageVersion(),
    target: target.description,
    pods: judged,
    machine: machineOf(),
    seed,
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - begin),
    results: inOrder,
    summary: summaryOf(inOrder),
  };
}

export function summaryOf(results: readonly CheckResult[]): Record<Outcome, number> {
  const summary: Record<Outcome, number> = {
    blocked: 0,
    'not-blocked': 0,
    inconclusive: 0,
    'not-possible': 0,
    'by-design': 0,
    works: 0,
    broken: 0,
  };
  for (const {outcome} of results) summary[outcome]++;
  return summary;
}

function judgedPod({name, init: {pid}}: TargetPod): JudgedPod {
  const mapOf = (file: 'uid_map' | 'gid_map') => {
    const parsed = parseIdMap(readIdMapText(pid, file) ?? '');
    return parsed.ok ? parsed.map : undefined;
  };
  const [uids, gids, userNamespace] = [mapOf('uid_map'), mapOf('gid_map'), namespaceInode(pid, 'user')];
  const hostUid = statusOf(pid)?.uids[1];
  return {
    name,
    pid,
    ...(userNamespace === undefined ? {} : {userNamespace}),
    ...(uids === undefined ? {} : {uids}),
    ...(gids === undefined ? {} : {gids}),
    ...(hostUid === undefined ? {} : {hostUid}),
  };
}
