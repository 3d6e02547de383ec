import {printable} from '../../native-free/errors.ts';
import type {ReviewedCapability} from '../../sim/lint/capability-review.ts';
import type {WorkloadReview} from '../../sim/lint/review.ts';
import type {UsernsOutcome} from '../../sim/lint/skew.ts';
import type {Output} from './output.ts';
import {table, wrapAfter} from './render.ts';

const outcomeWords: Readonly<Record<UsernsOutcome, string>> = {
  honoured: 'gets a user namespace',
  ignored: 'is ignored in silence, and its root is root of the node',
  pending: 'does not start',
  rejected: 'is refused by the API server',
};

/** The verdicts as a table, then each workload in full. */
export function drawReviews(reviews: readonly WorkloadReview[], output: Output): string {
  const {paint, width} = output;
  const rows = reviews.map(({workload, hostUsers, outcome, verdict, why}) => [
    workload,
    hostUsers === null ? 'not set' : String(hostUsers),
    outcome,
    verdict,
    why,
  ]);
  return [
    table(['workload', 'hostUsers', 'with false', 'verdict', 'why'], rows, {paint, width}),
    ...reviews.map((review) => drawReview(review, output)),
  ].join('\n\n');
}

function drawReview(review: WorkloadReview, output: Output): string {
  const {paint, width} = output;
  const {workload, file, line, outcome, verdict, blockers, cautions, assumed, steps} = review;
  const color = verdict === 'ready' ? paint.good : verdict === 'look' ? paint.warn : paint.bad;
  const item = (text: string) => wrapAfter('  - ', printable(text), width);
  const section = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    paint.strong(printable(`${workload} (${file}:${line})`)),
    color(`with hostUsers: false it ${outcomeWords[outcome]}`),
    ...section(
      'In the way, in the order in which it is met',
      blockers.flatMap(({layer, why, change, line: at}) => [
        ...item(`line ${at}, ${layer}: ${why}`),
        ...wrapAfter('    To mend: ', printable(change), width),
      ]),
    ),
    ...section(
      'To be looked at',
      cautions.flatMap(({why, line: at}) => item(`line ${at}: ${why}`)),
    ),
    ...section('Taken to be so', assumed.flatMap(item)),
    ...section(
      'Capabilities in a user namespace',
      review.capabilities.flatMap((each) => drawCapabilities(each, output)),
    ),
    ...drawPodSecurity(review, output),
    'The way there',
    ...steps.flatMap(({title, why, command}, index) => [
      ...wrapAfter(`  ${index + 1}. `, printable(isToldAbove(title) ? title : `${title}: ${why}`), width),
      ...(command === undefined ? [] : [`     ${paint.dim(printable(command))}`]),
    ]),
  ].join('\n');
}

/** Those that say nothing beyond "works on what is the pod's" are told in one line. */
function drawCapabilities({container, items}: WorkloadReview['capabilities'][number], {width}: Output): string[] {
  const plain = items.filter(({worth, risk}) => worth === 'works' && risk === undefined);
  const told = items.filter((each) => !plain.includes(each));
  const short = ({capability}: ReviewedCapability) => capability.slice('CAP_'.length);
  return [
    ...(items.length === 0 ? [`  - container ${printable(container)} has none`] : []),
    ...(plain.length === 0
      ? []
      : wrapAfter(
          '  - ',
          printable(`container ${container}: over what is the pod's work ${plain.map(short).join(', ')}`),
          width,
        )),
    ...told.flatMap((each) =>
      wrapAfter(
        '  - ',
        printable(
          `container ${container}: ${short(each)} (${each.from}) ${each.worth === 'void' ? 'is void' : each.worth === 'partly' ? 'works in part' : 'works'}: ${each.inside}${each.risk === undefined ? '' : `; ${each.risk}`}${each.drop === undefined ? '' : `; ${each.drop}`}`,
        ),
        width,
      ),
    ),
  ];
}

function drawPodSecurity({podSecurity}: WorkloadReview, {width}: Output): string[] {
  const {version, level, levelWithUserns, failed, waived} = podSecurity;
  const waive = waived.length === 0 ? '' : `; waived by it: ${waived.join(', ')}`;
  const checks = [...new Set(failed.map(({check}) => check))];
  return [
    ...wrapAfter(
      '',
      `Pod Security ${version}: ${level} as written, ${levelWithUserns} with hostUsers: false${waive}`,
      width,
    ),
    ...(checks.length === 0 ? [] : wrapAfter('  - ', `for restricted it fails ${checks.join(', ')}`, width)),
  ];
}

/** The reasons of what is in the way stand in their own section. */
const isToldAbove = (title: string): boolean => title.startsWith('mend: ');
