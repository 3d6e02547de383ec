import {printable, subrootError} from '../../../native-free/errors.ts';
import type {Check} from '../../check/check.ts';
import {allChecks} from '../../check/checks.ts';
import {conformanceChecks} from '../../check/conformance-checks.ts';
import {vulnerabilitiesOf} from '../../check/cve-map.ts';
import {armWords, referenceWords} from '../../check/reports/arm-words.ts';
import {arms, type CheckClass} from '../../check/result.ts';
import {selfChecks} from '../../check/self-checks.ts';
import {groupTitles} from '../../check/verdict.ts';
import {checksSchema} from '../check-schemas.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {findNearest} from '../nearest.ts';
import type {Output} from '../output.ts';
import {columns, plural, wrapAfter} from '../render.ts';

const classWords: Readonly<Record<CheckClass, string>> = {
  U: 'ids alone block it: a root with the default capabilities would get through',
  K: 'only a privileged root could, and a user namespace makes the capability harmless',
  invariant: 'holds always',
  usable: 'a pod must still be able to',
  'by-design': 'a user namespace does not block it',
};

/** Where a check belongs: run by `breakout`, by `conformance` before those, or against `self`. */
type Kind = 'breakout' | 'conformance' | 'self';

/** `subroot checks list` and `subroot checks explain ID`. */
export const checksCommand = defineCommand({
  options: {
    group: {type: 'string', requiresArg: true, describe: 'list: only this group, 1 to 8'},
  },
  schema: checksSchema,
  run: async ({flags, words}, {output}) => {
    const [verb = 'list', id] = words;
    const all: readonly {readonly check: Check; readonly kind: Kind}[] = [
      ...allChecks.map((check) => ({check, kind: 'breakout' as const})),
      ...conformanceChecks.map((check) => ({check, kind: 'conformance' as const})),
      ...selfChecks.map((check) => ({check, kind: 'self' as const})),
    ];
    if (verb === 'list') {
      if (id !== undefined)
        throw usageError(
          `\`subroot checks list\` does not take "${printable(id)}"`,
          `write \`subroot checks explain ${printable(id)}\``,
        );
      const listed = all.filter(({check}) => flags.group === undefined || String(check.group) === flags.group);
      if (listed.length === 0)
        throw subrootError('SUBROOT_CHECK_UNKNOWN', {id: `group ${flags.group}`, mend: 'groups are 1 to 8'});
      await output.emit({checks: listed.map(recordOf)}, () => drawList(listed, output));
      return exitCodes.ok;
    }
    if (verb !== 'explain')
      throw usageError(
        `\`subroot checks\` cannot ${printable(verb)}`,
        'write `subroot checks list` or `subroot checks explain ID`',
      );
    if (id === undefined)
      throw usageError('`subroot checks explain` needs the id of a check', '`subroot checks list` shows them');
    const found = all.find(({check}) => check.id === id);
    if (found === undefined) {
      const nearest = findNearest(
        id,
        all.map(({check}) => check.id),
      );
      throw subrootError('SUBROOT_CHECK_UNKNOWN', {
        id,
        mend: nearest === undefined ? '`subroot checks list` shows them all' : `did you mean ${nearest}?`,
      });
    }
    await output.emit({checks: [recordOf(found)]}, () => drawExplanation(found.check, output));
    return exitCodes.ok;
  },
});

function recordOf({check, kind}: {readonly check: Check; readonly kind: Kind}): object {
  const {id, title, group, gain, attempt, expected, rule, references, needs, abilities} = check;
  return {
    id,
    kind,
    title,
    group,
    class: check.class,
    gain,
    attempt,
    expected,
    rule,
    references,
    needs,
    abilities,
    vulnerabilities: vulnerabilitiesOf(id).map((each) => each.id),
  };
}

const kindTitles: Readonly<Record<Exclude<Kind, 'breakout'>, string>> = {
  conformance: 'Of `subroot conformance` alone',
  self: 'Of `--target self` alone',
};

function drawList(listed: readonly {readonly check: Check; readonly kind: Kind}[], output: Output): string {
  const {paint, width} = output;
  const heading = ({check, kind}: (typeof listed)[number]): string =>
    kind === 'breakout' ? `${check.group}  ${groupTitles[check.group] ?? ''}` : kindTitles[kind];
  const lines: string[] = [];
  for (const title of new Set(listed.map(heading))) {
    const rows = listed.filter((each) => heading(each) === title).map(({check}) => [`  ${check.id}`, check.title]);
    lines.push(...(lines.length === 0 ? [] : ['']), paint.strong(title), ...columns(rows, width));
  }
  lines.push('', `${plural(listed.length, 'check')}; \`subroot checks explain ID\` says what one of them does.`);
  return lines.join('\n');
}

function drawExplanation(check: Check, output: Output): string {
  const {paint, width} = output;
  const line = (name: string, text: string): string[] => wrapAfter(`${name.padEnd(12)}`, text, width);
  const expected = arms.flatMap((arm) => {
    const what = check.expected[arm];
    return what === undefined ? [] : [[`  ${armWords[arm]}`, what]];
  });
  const found = vulnerabilitiesOf(check.id);
  return [
    paint.strong(`${check.id}: ${check.title}`),
    '',
    ...line('gain', check.gain),
    ...line('attempt', check.attempt),
    ...line('rule', check.rule),
    ...line('class', `${check.class}: ${classWords[check.class]}`),
    ...(expected.length === 0 ? [] : ['', paint.strong('Expected'), ...columns(expected, width)]),
    ...(check.needs.length + check.abilities.length === 0
      ? []
      : ['', ...line('needs', [...check.needs, ...check.abilities.map((each) => `target: ${each}`)].join(', '))]),
    ...(check.references.length === 0 ? [] : ['', ...line('see', referenceWords(check))]),
    ...(found.length === 0
      ? []
      : [
          '',
          paint.strong('Vulnerabilities whose end state it shows'),
          ...columns(
            found.map(({id, where}) => [`  ${id}`, where]),
            width,
          ),
        ]),
  ].join('\n');
}
