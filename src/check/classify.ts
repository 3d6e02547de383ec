import type {AttemptResult} from './check.ts';
import type {Arm, ArmResult, Outcome} from './result.ts';

export interface Verdict {
  readonly outcome: Outcome;
  readonly reason: string;
}

/** A refusal in the second means something only when the first, who has the same capabilities, got through. */
const pairs: readonly (readonly [control: Arm, treatment: Arm])[] = [
  ['control-default', 'treatment-default'],
  ['control-all', 'treatment-all'],
];

/** Errnos by which a kernel says that it has no such thing at all. */
const absent = ['ENOSYS', 'ENODEV', 'ENXIO', 'EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT'];

/** Who an arm is, in words. */
export const words: Readonly<Record<Arm, string>> = {
  'control-all': 'root without a user namespace and with every capability',
  'control-default': 'root without a user namespace and with the default capabilities',
  'treatment-all': "the pod's root with every capability",
  'treatment-default': "the pod's root with the default capabilities",
};

function who({arm, attacker}: ArmResult): string {
  return attacker ? `${words[arm]} (host uid ${attacker.uid})` : words[arm];
}

function refusal({errno}: ArmResult): string {
  return errno ?? 'no effect';
}

/**
 * What follows from one attempt. In this order: a treatment that got through is `not-blocked`, whatever else there was. Without a control
 * that got through it is `not-possible` when none could try, or when the kernel has no such thing, and else `inconclusive`. `blocked` is
 * left when, beside every control that got through, the treatment with the same capabilities was tried, reached the place, and was refused
 * by a permission check or saw no effect.
 */
export function classifyAttempt({arms, refusals}: AttemptResult): Verdict {
  const of = (arm: Arm) => arms.find((each) => each.arm === arm);
  const through = arms.find(({arm, ended}) => arm.startsWith('treatment') && ended === 'succeeded');
  if (through) return {outcome: 'not-blocked', reason: `${who(through)} got through`};
  const controls = arms.filter(({arm}) => arm.startsWith('control'));
  const open = pairs.flatMap(([control, treatment]) => {
    const free = of(control);
    return free?.ended === 'succeeded' ? [{free, tried: of(treatment)}] : [];
  });
  if (open.length === 0) return withoutControl(controls);
  for (const {free, tried} of open) {
    if (!tried) return {outcome: 'inconclusive', reason: `${words[free.arm]} got through, and nobody tried beside it`};
    if (tried.ended === 'failed')
      return {
        outcome: 'inconclusive',
        reason: `${words[tried.arm]} could not try: ${tried.why ?? 'for no known reason'}`,
      };
    if (tried.reached === false)
      return {
        outcome: 'inconclusive',
        reason: `${who(tried)} did not get as far as the place where everybody may be: its refusal (${refusal(tried)}) proves nothing`,
      };
    if (tried.errno !== undefined && !refusals.includes(tried.errno))
      return {
        outcome: 'inconclusive',
        reason: `${who(tried)} was stopped by ${tried.errno}, which is no refusal by permission`,
      };
  }
  const [{free, tried} = {free: undefined, tried: undefined}] = open;
  if (!free || !tried) return withoutControl(controls);
  return {outcome: 'blocked', reason: `${words[free.arm]} got through; ${who(tried)} did not: ${refusal(tried)}`};
}

function withoutControl(controls: readonly ArmResult[]): Verdict {
  const tried = controls.filter(({ended}) => ended === 'refused');
  const [first] = tried;
  if (!first) {
    const why = controls.map((each) => each.why).find(Boolean) ?? 'there is no control for it';
    return {outcome: 'not-possible', reason: `it could not be tried here: ${why}`};
  }
  if (tried.every(({errno}) => errno !== undefined && absent.includes(errno)))
    return {outcome: 'not-possible', reason: `this kernel does not have it: the control got ${refusal(first)}`};
  return {
    outcome: 'inconclusive',
    reason: `${words[first.arm]} was refused too (${refusal(first)}): nothing follows from the pod's refusal`,
  };
}

const order: readonly Outcome[] = ['not-blocked', 'blocked', 'inconclusive', 'not-possible'];

/**
 * What follows from all attempts of a check: the worst that was shown. One that could not be judged does not hide what the others showed,
 * and is named beside it.
 */
export function classify(attempts: readonly AttemptResult[]): Verdict {
  const verdicts = attempts.map((attempt) => ({name: attempt.name, ...classifyAttempt(attempt)}));
  const outcome = order.find((each) => verdicts.some((verdict) => verdict.outcome === each)) ?? 'not-possible';
  const label = (name: string, text: string) => (name === '' ? text : `${name}: ${text}`);
  const first = verdicts.find((verdict) => verdict.outcome === outcome);
  const others = verdicts.filter((verdict) => verdict.outcome !== outcome && verdict.outcome !== 'blocked');
  const alike = verdicts.filter((verdict) => verdict.outcome === outcome).map(({name}) => name);
  const reason = [
    first ? label(alike.filter(Boolean).join(', '), first.reason) : 'nothing was tried',
    ...others.map((verdict) => `${label(verdict.name, verdict.reason)} (${verdict.outcome})`),
  ].join('; ');
  return {outcome, reason};
}

interface Named extends Verdict {
  readonly name: string;
}

function usableAttempt({name, arms}: AttemptResult, must: readonly Arm[]): Named {
  const missing = must.flatMap((arm) => {
    const result = arms.find((each) => each.arm === arm);
    return result?.ended === 'succeeded' ? [] : [result ?? {arm, ended: 'failed' as const, observations: []}];
  });
  const [first] = missing;
  if (!first) return {name, outcome: 'works', reason: `${must.map((arm) => words[arm]).join(' and ')} can`};
  const controls = arms.filter(({arm}) => arm.startsWith('control'));
  if (controls.length > 0 && !controls.some(({ended}) => ended === 'succeeded')) {
    const why = controls.map((each) => each.why ?? each.errno).find(Boolean) ?? 'no effect';
    return {name, outcome: 'not-possible', reason: `root of this machine cannot either (${why})`};
  }
  if (first.ended === 'failed')
    return {
      name,
      outcome: 'inconclusive',
      reason: `${words[first.arm]} could not try: ${first.why ?? 'for no known reason'}`,
    };
  return {name, outcome: 'broken', reason: `${who(first)} cannot: ${refusal(first)}`};
}

/** The same sentence once, with the names of what it is said of. */
function grouped(verdicts: readonly Named[]): string {
  const names = new Map<string, string[]>();
  for (const {name, reason} of verdicts) names.set(reason, [...(names.get(reason) ?? []), name]);
  return [...names]
    .map(([reason, of]) => [of.filter(Boolean).join(', '), reason].filter(Boolean).join(': '))
    .join('; ');
}

/** Of what a pod must still be able to do: the arms that must get through did, or the machine cannot do it at all. */
export function classifyUsable(attempts: readonly AttemptResult[], must: readonly Arm[]): Verdict {
  const judged = attempts.map((attempt) => usableAttempt(attempt, must));
  const outcome =
    (['broken', 'inconclusive', 'works', 'not-possible'] as const).find((each) =>
      judged.some((verdict) => verdict.outcome === each),
    ) ?? 'not-possible';
  return {
    outcome,
    reason: grouped(judged.filter((each) => each.outcome === outcome || each.outcome === 'not-possible')),
  };
}

/** One result for each arm, of all attempts of a check: the worst of it, for the table of a report. */
export function mergeArms(attempts: readonly AttemptResult[]): ArmResult[] {
  const byArm = new Map<Arm, ArmResult[]>();
  for (const {name, arms} of attempts)
    for (const result of arms) {
      const named =
        name === ''
          ? result
          : {...result, observations: result.observations.map((each) => ({...each, did: `${name}: ${each.did}`}))};
      byArm.set(result.arm, [...(byArm.get(result.arm) ?? []), named]);
    }
  return [...byArm.entries()].map(([arm, results]) => {
    const [first] = results;
    const worst =
      results.find(({ended}) => ended === 'succeeded') ?? results.find(({ended}) => ended === 'refused') ?? first;
    const reached = results.some((each) => each.reached === false)
      ? false
      : results.some((each) => each.reached === true)
        ? true
        : undefined;
    const {reached: _, ...rest} = worst ?? {ended: 'failed' as const, observations: []};
    return {
      ...rest,
      arm,
      ...(reached === undefined ? {} : {reached}),
      observations: results.flatMap((each) => each.observations),
    };
  });
}
