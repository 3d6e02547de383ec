import type {CheckResult, Outcome, Report} from './result.ts';

/** The groups of checks, as headings. */
export const groupTitles: Readonly<Record<number, string>> = {
  1: 'Identity and maps',
  2: 'Host files',
  3: 'Kernel interfaces of the host',
  4: 'Processes of the host',
  5: 'From one pod to another',
  6: 'Limits that are kept by uid',
  7: 'A pod stays usable',
  8: 'What a user namespace does not block',
};

/** How an outcome is shown: a sign that reads without colour, and words. */
export const outcomeSigns: Readonly<Record<Outcome, {readonly sign: string; readonly words: string}>> = {
  blocked: {sign: '✔', words: 'blocked'},
  works: {sign: '✔', words: 'works'},
  'not-blocked': {sign: '✘', words: 'not blocked'},
  broken: {sign: '✘', words: 'broken'},
  inconclusive: {sign: '?', words: 'inconclusive'},
  'not-possible': {sign: '–', words: 'not possible here'},
  'by-design': {sign: '○', words: 'by design'},
};

/** In the order in which they matter to a reader. */
export const outcomeOrder: readonly Outcome[] = [
  'not-blocked',
  'broken',
  'inconclusive',
  'blocked',
  'works',
  'by-design',
  'not-possible',
];

/** `passed` and `failed` are judgements; `unjudged` is none, and `shown` is what no user namespace blocks. */
export type Verdict = 'passed' | 'failed' | 'unjudged' | 'shown';

const verdicts: Readonly<Record<Outcome, Verdict>> = {
  blocked: 'passed',
  works: 'passed',
  'not-blocked': 'failed',
  broken: 'failed',
  inconclusive: 'unjudged',
  'not-possible': 'unjudged',
  'by-design': 'shown',
};

/** With `strict`, what is inconclusive has failed; what is not possible here has not. */
export function verdictOf({outcome}: Pick<CheckResult, 'outcome'>, strict = false): Verdict {
  return strict && outcome === 'inconclusive' ? 'failed' : verdicts[outcome];
}

/** Of all results: `failed` if one has, `passed` if none has and something was judged, else `unjudged`: nothing follows from the run. */
export function verdictOfAll(reports: readonly Report[], strict = false): 'passed' | 'failed' | 'unjudged' {
  const all = reports.map(({results}) => {
    const each = results.map((result) => verdictOf(result, strict));
    return each.includes('failed') ? 'failed' : each.includes('passed') ? 'passed' : 'unjudged';
  });
  if (all.includes('failed')) return 'failed';
  // One target of several that cannot be judged is not covered by the others.
  return all.length > 0 && !all.includes('unjudged') ? 'passed' : 'unjudged';
}

/** `3 blocked, 1 not blocked`: what there is, in the order that matters. */
export function countWords({summary}: Pick<Report, 'summary'>): string {
  const words = outcomeOrder.flatMap((outcome) =>
    summary[outcome] > 0 ? [`${summary[outcome]} ${outcomeSigns[outcome].words}`] : [],
  );
  return words.length === 0 ? 'no check was run' : words.join(', ');
}

/** Results by group, groups in order, those without results left out. */
export function byGroup(
  results: readonly CheckResult[],
): {readonly group: number; readonly title: string; readonly results: readonly CheckResult[]}[] {
  const groups = [...new Set(results.map(({group}) => group))].sort((a, b) => a - b);
  return groups.map((group) => ({
    group,
    title: groupTitles[group] ?? `Group ${group}`,
    results: results.filter((result) => result.group === group),
  }));
}
