import {printable} from '../../../native-free/errors.ts';
import {shiftedVolumeWarning} from '../cve-map.ts';
import {arms, type CheckResult, type Report} from '../result.ts';
import {byGroup, countWords, groupTitles, outcomeOrder, outcomeSigns} from '../verdict.ts';
import {cellOf} from './arm-words.ts';

/** Tables for a page: of one target with what each arm came to, of several beside each other. */
export function markdownReport(reports: readonly Report[]): string {
  const [only] = reports;
  const blocks = reports.length === 1 && only !== undefined ? single(only) : matrix(reports);
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function single(report: Report): string[] {
  return [
    `# Evidence: ${code(report.target.target)}`,
    about(report),
    ...byGroup(report.results).flatMap(({title, results}) => [
      `## ${title}`,
      table(
        ['check', 'outcome', 'no userns, all', 'no userns, default', 'pod, all', 'pod, default'],
        results.map((result) => [
          `${code(result.id)}<br>${text(result.title)}`,
          `${sign(result)} ${outcomeSigns[result.outcome].words}`,
          ...arms.map((arm) => cellOf(result, arm)),
        ]),
      ),
      ...needsWords(results),
    ]),
    `Beside all of it: ${text(shiftedVolumeWarning)}.`,
  ];
}

/** Reasons of whatever is not simply as it should be. */
function needsWords(results: readonly CheckResult[]): string[] {
  const lines = results
    .filter(({outcome}) => outcome !== 'blocked' && outcome !== 'works')
    .map(({id, outcome, reason}) => `- ${code(id)}: ${outcomeSigns[outcome].words}. ${text(reason)}`);
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function matrix(reports: readonly Report[]): string[] {
  const rows = rowsOf(reports);
  return [
    table(
      [
        'target',
        'version',
        ...outcomeOrder.map((outcome) => `${outcomeSigns[outcome].sign} ${outcomeSigns[outcome].words}`),
      ],
      reports.map(({target, summary}) => [
        code(target.target),
        text(target.version),
        ...outcomeOrder.map((outcome) => String(summary[outcome])),
      ]),
    ),
    ...[...new Set(rows.map(({group}) => group))].flatMap((group) => [
      `## ${groupTitles[group] ?? `Group ${group}`}`,
      table(
        ['check', ...reports.map(({target}) => target.target)],
        rows
          .filter((row) => row.group === group)
          .map(({id, title, results}) => [
            `${code(id)}<br>${text(title)}`,
            ...results.map((result) =>
              result === undefined ? '·' : `${sign(result)} ${outcomeSigns[result.outcome].words}`,
            ),
          ]),
      ),
    ]),
    ...reports.flatMap((report) => {
      const failed = report.results.filter(({outcome}) => outcome === 'not-blocked' || outcome === 'broken');
      const open = report.results.filter(({outcome}) => outcome === 'inconclusive' || outcome === 'not-possible');
      return [`## ${code(report.target.target)}`, about(report), ...needsWords([...failed, ...open])];
    }),
  ];
}

/** One row a check, in the order of the first report that has it, with the result of each target or undefined. */
export function rowsOf(reports: readonly Report[]): {
  readonly id: string;
  readonly title: string;
  readonly group: number;
  readonly results: readonly (CheckResult | undefined)[];
}[] {
  const known = new Map<string, CheckResult>();
  for (const {results} of reports)
    for (const result of results) if (!known.has(result.id)) known.set(result.id, result);
  return [...known.values()]
    .map(({id, title, group}) => ({
      id,
      title,
      group,
      results: reports.map(({results}) => results.find((result) => result.id === id)),
    }))
    .sort((a, b) => a.group - b.group);
}

function about(report: Report): string {
  const {target, machine} = report;
  return [
    `${text(target.version)}, kernel ${text(machine.kernel)} (${text(machine.arch)}), cgroup ${text(machine.cgroup)}, LSM ${text(machine.lsm)}: ${countWords(report)}.`,
    ...target.notes.map((note) => `\n- ${text(note)}`),
  ].join('\n');
}

const sign = ({outcome}: CheckResult): string => outcomeSigns[outcome].sign;

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heading), `|${heading.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Text in which Markdown and a table cell see nothing special but code spans that are meant. */
function text(value: string): string {
  return printable(value).replaceAll(/[\\<>*_[\]|#`~]/g, '\\$&');
}

function code(value: string): string {
  return `\`${printable(value).replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}
