import type {AttemptEnd} from '../host/attacker.ts';
import type {AttemptResult} from './check.ts';
import type {Operation} from './operation.ts';
import type {Place} from './place.ts';
import type {Arm, ArmResult, Observation} from './result.ts';
import {arms as allArms} from './result.ts';
import type {Scene, Who} from './scene.ts';

/** One thing that is tried in every arm, each time with canaries of its own. */
export interface Attempt {
  /** Tells attempts of one check apart: `chmod`. */
  readonly name?: string;
  /** The arms that make it; all four by default. */
  readonly arms?: readonly Arm[];
  /** Makes canaries. What it throws says why this arm could not try; a `CannotTry` says it for every arm. */
  readonly prepare?: (place: Place) => void | Promise<void>;
  readonly calls: (place: Place) => readonly Operation[];
  /** What must succeed in every arm, since it leads to the same place and is allowed to all: else a refusal means nothing. */
  readonly reach?: (place: Place) => readonly Operation[];
  /** Whether the effect was there, as the host sees it; by default whether all calls succeeded. */
  readonly effect?: (place: Place, seen: Seen) => boolean | Promise<boolean>;
  /** Undoes what a success did beyond the canaries of its place. */
  readonly undo?: (place: Place) => void | Promise<void>;
  /** Who tries, beside what the arm says. */
  readonly who?: Partial<Who> | ((place: Place) => Partial<Who>);
  /** Errnos of a refusal by permission beside EACCES and EPERM. */
  readonly refusals?: readonly string[];
}

/** What the calls did: how they ended, and what was read, by call. */
export interface Seen {
  readonly through: boolean;
  readonly end: AttemptEnd;
  /** The text that a call read (the last of those with that word in what it did), or undefined. */
  text(did: string): string | undefined;
  /** The result of a call, likewise. */
  result(did: string): number | undefined;
}

/** Said by a check: what it needs is not there, for any arm. */
export class CannotTry extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'CannotTry';
  }
}

function shownText(text: string): string {
  return text.replace(/\0+$/, '').slice(0, 200);
}

export function seenOf(operations: readonly Operation[], end: AttemptEnd): Seen {
  const {calls} = end;
  const last = calls.at(-1);
  const lastOperation = operations[calls.length - 1];
  const gated = last?.errno !== undefined && (lastOperation?.gate?.includes(last.errno) ?? false);
  const whole = calls.length === operations.length;
  const through =
    (end.how === 'done' || end.how === 'held') &&
    (gated || (whole && calls.every(({errno}, index) => errno === undefined || operations[index]?.call[2] === '?'))) &&
    operations.length > 0;
  const find = (did: string) => {
    for (let index = calls.length - 1; index >= 0; index--)
      if (operations[index]?.did.includes(did)) return calls[index];
    return undefined;
  };
  return {through, end, text: (did) => find(did)?.texts[0], result: (did) => find(did)?.result};
}

/** What the calls did, for the report: each as the man pages name it, with its errno. */
export function observationsOf(operations: readonly Operation[], end: AttemptEnd): Observation[] {
  return end.calls.map(({errno, texts, result}, index) => {
    const {did = '?', call} = operations[index] ?? {};
    const value = texts.length > 0 ? shownText(texts.join(' ')) : undefined;
    const counted = ['repeat', 'forks', 'pipes', 'run'].includes(call?.[0] ?? '') ? String(result) : undefined;
    const shown = [counted, value && /^[\x20-\x7e\n\t]+$/.test(value) ? value : undefined].filter(Boolean).join(': ');
    return {did, ...(errno === undefined ? {} : {errno}), ...(shown === '' ? {} : {value: shown})};
  });
}

function endWords({how, number}: AttemptEnd): string | undefined {
  if (how === 'timeout') return 'it took too long and was ended';
  if (how === 'signal') return `a signal ended it (${number})`;
  if (how === 'gone') return 'the process that tried it was gone';
  if (how === 'unforked') return 'no process could be made for it';
  return undefined;
}

async function inArm(scene: Scene, place: Place, attempt: Attempt): Promise<ArmResult> {
  const {arm} = place;
  const observations: Observation[] = [];
  try {
    await attempt.prepare?.(place);
    const who = typeof attempt.who === 'function' ? attempt.who(place) : (attempt.who ?? {});
    const actor = await scene.actor({...scene.whoOf(arm), ...who});
    const {attacker} = actor;
    const reachCalls = attempt.reach?.(place);
    let reached: boolean | undefined;
    if (reachCalls) {
      const end = await actor.run(reachCalls);
      reached = seenOf(reachCalls, end).through;
      observations.push(...observationsOf(reachCalls, end).map((each) => ({...each, did: `reach: ${each.did}`})));
    }
    const calls = attempt.calls(place);
    const end = await actor.run(calls);
    observations.push(...observationsOf(calls, end));
    const why = endWords(end);
    const common = {arm, observations, attacker, ...(reached === undefined ? {} : {reached})};
    if (why !== undefined) return {...common, ended: 'failed', why};
    const seen = seenOf(calls, end);
    const succeeded = attempt.effect ? await attempt.effect(place, seen) : seen.through;
    if (succeeded) return {...common, ended: 'succeeded'};
    const errno = end.calls.findLast((each) => each.errno !== undefined)?.errno;
    return {...common, ended: 'refused', ...(errno === undefined ? {} : {errno})};
  } catch (error) {
    if (error instanceof CannotTry) throw error;
    return {arm, ended: 'failed', observations, why: error instanceof Error ? error.message : String(error)};
  } finally {
    try {
      await attempt.undo?.(place);
    } finally {
      await place.clear();
    }
  }
}

/** Makes an attempt in each of its arms, at once: they have different processes and different canaries. */
export async function runAttempt(scene: Scene, id: string, attempt: Attempt): Promise<AttemptResult> {
  const refusals = ['EACCES', 'EPERM', ...(attempt.refusals ?? [])];
  const name = attempt.name ?? '';
  const results = await Promise.all(
    (attempt.arms ?? allArms).map(async (arm) => {
      scene.signal.throwIfAborted();
      return await inArm(scene, scene.place(name === '' ? id : `${id}.${name}`, arm), attempt);
    }),
  );
  return {name, arms: results, refusals};
}
