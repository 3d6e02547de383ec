import {shiftedVolumeWarning} from '../cve-map.ts';
import {type Arm, arms, type CheckResult, type Outcome, type Report} from '../result.ts';
import {byGroup, countWords, groupTitles, outcomeOrder, outcomeSigns, verdictOfAll} from '../verdict.ts';
import {armWords, attackerWords, cellOf, endWord, observationWords, referenceWords} from './arm-words.ts';
import {idRuler} from './html-ruler.ts';
import {style} from './html-style.ts';
import {html} from './html-text.ts';
import {rowsOf} from './markdown.ts';

const classes: Readonly<Record<Outcome, string>> = {
  blocked: 'good',
  works: 'good',
  'not-blocked': 'bad',
  broken: 'bad',
  inconclusive: 'open',
  'not-possible': 'dim',
  'by-design': 'dim',
};

const verdictWords = {
  passed: ['good', '✔ Everything that was judged is as it should be.'],
  failed: ['bad', '✘ Something is not as it should be.'],
  unjudged: ['open', '? Not everything could be judged here.'],
} as const;

/** One file for people: no script, no network, no image; it reads without colour, by keyboard and by a screen reader. */
export function htmlReport(reports: readonly Report[], {strict = false} = {}): string {
  const names = reports.map(({target}) => target.target).join(', ');
  const [className, verdict] = verdictWords[verdictOfAll(reports, strict)];
  const many = reports.length > 1;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Evidence: ${html(names)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<h1>Evidence: ${html(names)}</h1>
<p class="verdict ${className}">${verdict}</p>
</header>
<nav aria-label="Sections">
<ul>
${navigation(reports)}
</ul>
</nav>
<main id="main">
${many ? matrix(reports) : ''}
${reports.map((report, index) => section(report, many ? `t${index}-` : '')).join('\n')}
${legend()}
</main>
<footer>
<p>Made by subroot ${html(reports[0]?.subroot ?? '')}. An attempt that was refused means something only where the same attempt, without a user namespace and with the same capabilities, got through.</p>
</footer>
</body>
</html>
`;
}

function navigation(reports: readonly Report[]): string {
  if (reports.length > 1)
    return [
      '<li><a href="#matrix">All beside each other</a></li>',
      ...reports.map(({target}, index) => `<li><a href="#t${index}-target">${html(target.target)}</a></li>`),
    ].join('\n');
  return byGroup(reports[0]?.results ?? [])
    .map(({group, title}) => `<li><a href="#group-${group}">${html(title)}</a></li>`)
    .join('\n');
}

function outcome(result: CheckResult): string {
  const {sign, words} = outcomeSigns[result.outcome];
  return `<span class="${classes[result.outcome]}"><span aria-hidden="true">${sign}</span> ${words}</span>`;
}

function matrix(reports: readonly Report[]): string {
  const rows = rowsOf(reports);
  const head = reports.map(({target}) => `<th scope="col">${html(target.target)}</th>`).join('');
  const body = [...new Set(rows.map(({group}) => group))].map((group) => {
    const lines = rows
      .filter((row) => row.group === group)
      .map(
        ({id, title, results}) =>
          `<tr><th scope="row"><code>${html(id)}</code> <span class="title">${html(title)}</span></th>${results.map((result) => `<td>${result === undefined ? '<span class="dim">not run</span>' : outcome(result)}</td>`).join('')}</tr>`,
      );
    return `<tbody><tr><th colspan="${reports.length + 1}" scope="rowgroup">${html(groupTitles[group] ?? `Group ${group}`)}</th></tr>${lines.join('\n')}</tbody>`;
  });
  return `<section aria-labelledby="matrix"><h2 id="matrix">All beside each other</h2>
<div class="scroll" tabindex="0" role="group" aria-label="Table of all targets"><table><caption>Outcome of each check for each target</caption><thead><tr><th scope="col">check</th>${head}</tr></thead>${body.join('\n')}</table></div></section>`;
}

function section(report: Report, prefix: string): string {
  const {target, machine, seed, startedAt, durationMs} = report;
  const facts = {
    target: target.target,
    version: target.version,
    kernel: `${machine.kernel}, ${machine.arch}`,
    cgroup: machine.cgroup,
    LSM: machine.lsm,
    seed,
    began: startedAt,
    took: `${(durationMs / 1000).toFixed(1)} s`,
  };
  const level = prefix === '' ? 2 : 3;
  const ruler = idRuler(report);
  return [
    `<section aria-labelledby="${prefix}target"><h2 id="${prefix}target">${html(target.target)}: ${html(target.version)}</h2>`,
    `<p>${html(countWords(report))}.</p>`,
    ...(target.notes.length === 0 ? [] : [`<ul>${target.notes.map((note) => `<li>${html(note)}</li>`).join('')}</ul>`]),
    `<details><summary>This run</summary><dl>${Object.entries(facts)
      .map(([name, value]) => `<dt>${html(name)}</dt><dd>${html(value)}</dd>`)
      .join('')}</dl></details>`,
    ...(ruler === ''
      ? []
      : [`<h${level}>Whose ids are whose</h${level}>`, ruler.replaceAll('ruler-', `${prefix}ruler-`)]),
    ...byGroup(report.results).map(({group, title, results}) =>
      groupTable(`${prefix}group-${group}`, title, results, level),
    ),
    '</section>',
  ].join('\n');
}

const shortArms: Readonly<Record<Arm, string>> = {
  'control-all': 'no userns, all',
  'control-default': 'no userns, default',
  'treatment-all': 'pod, all',
  'treatment-default': 'pod, default',
};

function groupTable(id: string, title: string, results: readonly CheckResult[], level: number): string {
  const heads = arms.map((arm) => `<th scope="col"><abbr title="${armWords[arm]}">${shortArms[arm]}</abbr></th>`);
  const rows = results.map(
    (
      result,
    ) => `<tr><th scope="row"><code>${html(result.id)}</code><span class="title">${html(result.title)}</span>${evidence(result)}</th>
<td>${outcome(result)}</td>${arms.map((arm) => `<td>${html(cellOf(result, arm))}</td>`).join('')}</tr>`,
  );
  return `<h${level} id="${id}">${html(title)}</h${level}>
<div class="scroll" tabindex="0" role="group" aria-label="${html(title)}"><table><caption>Outcome, and how the attempt of each arm ended</caption>
<thead><tr><th scope="col">check</th><th scope="col">outcome</th>${heads.join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function evidence(result: CheckResult): string {
  const references = referenceWords(result);
  const entries: (readonly [string, string])[] = [
    ['why', result.reason],
    ...Object.entries(result.expected).map(([arm, what]) => [`expected, ${armWords[arm as Arm]}`, what] as const),
    ...result.arms.flatMap((arm) => {
      const attacker = attackerWords(arm);
      return [
        [
          `seen, ${armWords[arm.arm]}`,
          [endWord(arm), ...arm.observations.map(observationWords), ...(arm.why === undefined ? [] : [arm.why])].join(
            '; ',
          ),
        ] as const,
        ...(attacker === undefined ? [] : [[`who, ${armWords[arm.arm]}`, attacker] as const]),
        ...(arm.reached === undefined
          ? []
          : [
              [
                `was it there, ${armWords[arm.arm]}`,
                arm.reached ? 'yes: the sibling was reached' : 'no: the sibling was not reached',
              ] as const,
            ]),
      ];
    }),
    ...Object.entries(result.evidence),
    ...(references === '' ? [] : [['see', references] as const]),
  ];
  const list = entries.map(([name, value]) => `<dt>${html(name)}</dt><dd>${html(value)}</dd>`).join('');
  return `<details><summary>Evidence<span class="dim"> of ${html(result.id)}</span></summary><dl>${list}</dl></details>`;
}

const meanings: Readonly<Record<Outcome, string>> = {
  blocked: 'the attempt got through without a user namespace, and was refused in the pod',
  works: 'what a pod must be able to do, it can; what must hold always, holds',
  'not-blocked': 'the attempt got through in the pod',
  broken: 'a pod cannot do what it must, or what must hold always does not',
  inconclusive: 'the attempt was refused everywhere, or never got there: nothing follows',
  'not-possible': 'this machine or target cannot try it',
  'by-design': 'a user namespace does not block this; something else must',
};

function legend(): string {
  const items = outcomeOrder.map((each) => {
    const {sign, words} = outcomeSigns[each];
    return `<dt class="${classes[each]}"><span aria-hidden="true">${sign}</span> ${words}</dt><dd>${meanings[each]}</dd>`;
  });
  return `<section aria-labelledby="legend"><h2 id="legend">What the words mean</h2><dl>${items.join('')}</dl>
<p><strong>Beside all of it:</strong> ${html(shiftedVolumeWarning)}.</p></section>`;
}
