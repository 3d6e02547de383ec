import test from 'ava';
import type {AttemptResult} from '../../src/check/check.ts';
import {classify, classifyAttempt, classifyUsable, mergeArms} from '../../src/check/classify.ts';
import type {Arm, ArmResult, Outcome} from '../../src/check/result.ts';

/** `✓` got through; an errno refused; `∅` refused without one; `!` could not try; `EACCES~` refused before the place was reached. */
function armOf(arm: Arm, word: string): ArmResult {
  const common = {arm, observations: []};
  if (word === '✓') return {...common, ended: 'succeeded'};
  if (word === '∅') return {...common, ended: 'refused'};
  if (word === '!') return {...common, ended: 'failed', why: 'no such device here'};
  const reached = word.endsWith('~') ? {reached: false} : {reached: true};
  return {...common, ended: 'refused', errno: word.replace('~', ''), ...reached};
}

const order: readonly Arm[] = ['control-all', 'control-default', 'treatment-all', 'treatment-default'];

/** Four words: control with all and with default capabilities, treatment likewise; `-` leaves an arm out. */
function attempt(words: string, name = ''): AttemptResult {
  const arms = words.split(' ').flatMap((word, index) => (word === '-' ? [] : [armOf(order[index] as Arm, word)]));
  return {name, arms, refusals: ['EACCES', 'EPERM']};
}

const table: readonly (readonly [words: string, outcome: Outcome, why: RegExp])[] = [
  // ids alone
  ['✓ ✓ EACCES EACCES', 'blocked', /default capabilities got through.*EACCES/],
  ['✓ ✓ ∅ ∅', 'blocked', /no effect/],
  ['- ✓ - EPERM', 'blocked', /EPERM/],
  // capabilities
  ['✓ EPERM EPERM EPERM', 'blocked', /every capability got through.*every capability did not: EPERM/],
  ['✓ EPERM EPERM ENOENT', 'blocked', /EPERM/],
  // somebody got through
  ['✓ ✓ ✓ ✓', 'not-blocked', /every capability got through/],
  ['✓ ✓ EACCES ✓', 'not-blocked', /default capabilities got through/],
  ['EPERM EPERM ✓ EPERM', 'not-blocked', /pod's root with every capability/],
  ['! ! ✓ !', 'not-blocked', /got through/],
  // no control fired
  ['EPERM EPERM EPERM EPERM', 'inconclusive', /was refused too \(EPERM\)/],
  ['∅ ∅ EPERM EPERM', 'inconclusive', /no effect/],
  ['EPERM ! EACCES EACCES', 'inconclusive', /refused too/],
  ['! ! EPERM EPERM', 'not-possible', /no such device here/],
  ['ENOSYS ENOSYS ENOSYS ENOSYS', 'not-possible', /does not have it.*ENOSYS/],
  ['ENOSYS EPERM EPERM EPERM', 'inconclusive', /ENOSYS/],
  // only the control with other capabilities fired: a refusal for want of a capability proves nothing
  ['✓ EPERM - EPERM', 'inconclusive', /nobody tried beside it/],
  ['EPERM ✓ EPERM EPERM', 'blocked', /default capabilities/],
  // stopped on the way
  ['✓ ✓ EACCES~ EACCES', 'inconclusive', /did not get as far/],
  ['✓ ✓ EACCES EACCES~', 'inconclusive', /did not get as far/],
  ['✓ ✓ ENOENT ENOENT', 'inconclusive', /stopped by ENOENT/],
  ['✓ ✓ EACCES ENOENT', 'blocked', /./],
  ['✓ ✓ ! EACCES', 'inconclusive', /could not try: no such device/],
];

test('what follows from who got through, for every combination that means something', (t) => {
  for (const [words, outcome, why] of table) {
    // One arm that was stopped by something else is enough.
    const expected = words === '✓ ✓ EACCES ENOENT' ? 'inconclusive' : outcome;
    const verdict = classifyAttempt(attempt(words));
    t.is(verdict.outcome, expected, words);
    if (expected === outcome) t.regex(verdict.reason, why, words);
  }
});

test('blocked is never said without a control of the same capabilities, whatever else there was', (t) => {
  const words = ['✓', 'EACCES', 'ENOENT', '∅', '!', 'EACCES~', 'ENOSYS'];
  let seen = 0;
  for (const a of words)
    for (const b of words)
      for (const c of words)
        for (const d of words) {
          const {outcome} = classifyAttempt(attempt([a, b, c, d].join(' ')));
          const isThrough = c === '✓' || d === '✓';
          t.is(outcome === 'not-blocked', isThrough, `${a} ${b} ${c} ${d}`);
          if (outcome !== 'blocked') continue;
          seen++;
          t.true(a === '✓' || b === '✓');
          if (a === '✓') t.true(c === 'EACCES' || c === '∅', `${a} ${b} ${c} ${d}`);
          if (b === '✓') t.true(d === 'EACCES' || d === '∅', `${a} ${b} ${c} ${d}`);
        }
  t.true(seen > 10);
});

test('of several attempts the worst that was shown counts, and what could not be judged is named', (t) => {
  const good = attempt('✓ ✓ EACCES EACCES', 'read');
  const bad = attempt('✓ ✓ ✓ EACCES', 'write');
  const none = attempt('EPERM EPERM EPERM EPERM', 'chmod');
  t.is(classify([good, bad, none]).outcome, 'not-blocked');
  t.regex(classify([good, bad, none]).reason, /^write: .*chmod: .*\(inconclusive\)$/);
  t.is(classify([good, none]).outcome, 'blocked');
  t.regex(classify([good, none]).reason, /^read: .*; chmod: .*refused too.*\(inconclusive\)/);
  t.is(classify([none]).outcome, 'inconclusive');
  t.is(classify([attempt('! ! ! !', 'x')]).outcome, 'not-possible');
  t.is(classify([]).outcome, 'not-possible');
});

test('what a pod must be able to do is broken when it cannot and the machine can', (t) => {
  const must = ['treatment-all'] as const;
  t.is(classifyUsable([attempt('✓ - ✓ EPERM')], must).outcome, 'works');
  t.is(classifyUsable([attempt('✓ - EPERM EPERM')], must).outcome, 'broken');
  t.is(classifyUsable([attempt('- - EPERM -')], must).outcome, 'broken');
  t.is(classifyUsable([attempt('ENODEV - ENODEV -')], must).outcome, 'not-possible');
  t.is(classifyUsable([attempt('✓ - ! -')], must).outcome, 'inconclusive');
  t.is(classifyUsable([attempt('✓ - ✓ -', 'a'), attempt('✓ - EPERM -', 'b')], must).outcome, 'broken');
  t.regex(classifyUsable([attempt('✓ - ✓ -', 'a'), attempt('✓ - EPERM -', 'b')], must).reason, /^b: .*cannot: EPERM/);
});

test('the arms of several attempts are one line each, with the worst of it', (t) => {
  const merged = mergeArms([attempt('✓ ✓ EACCES EACCES', 'a'), attempt('✓ EPERM ✓ EACCES~', 'b')]);
  t.deepEqual(
    merged.map(({arm, ended, reached}) => [arm, ended, reached]),
    [
      ['control-all', 'succeeded', undefined],
      ['control-default', 'succeeded', true],
      ['treatment-all', 'succeeded', true],
      ['treatment-default', 'refused', false],
    ],
  );
});
