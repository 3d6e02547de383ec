import {subrootError} from '../../../native-free/errors.ts';
import {
  type Effect,
  effectWords,
  findVulnerability,
  shiftedVolumeWarning,
  type Vulnerability,
  vulnerabilities,
} from '../../check/cve-map.ts';
import {cveSchema} from '../check-schemas.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {findNearest} from '../nearest.ts';
import type {Output} from '../output.ts';
import {columns, wrapAfter} from '../render.ts';

/** `subroot cve`: known vulnerabilities, and what a user namespace leaves of them. */
export const cveCommand = defineCommand({
  options: {},
  schema: cveSchema,
  run: async ({words}, {output}) => {
    const [name] = words;
    if (name === undefined) {
      await output.emit({vulnerabilities}, () => drawAll(output));
      return exitCodes.ok;
    }
    const found = findVulnerability(name);
    if (found === undefined) {
      const nearest = findNearest(
        name.toUpperCase(),
        vulnerabilities.flatMap(({id, also = []}) => [id, ...also]),
      );
      throw subrootError('SUBROOT_VULNERABILITY_UNKNOWN', {
        id: name,
        mend:
          nearest === undefined
            ? '`subroot cve` lists what is known; that one is missing says nothing about it'
            : `did you mean ${nearest}? \`subroot cve\` lists what is known`,
      });
    }
    await output.emit({vulnerabilities: [found]}, () => drawOne(found, output));
    return exitCodes.ok;
  },
});

const effects = ['stops', 'mostly', 'partly', 'not'] as const satisfies readonly Effect[];

function painted(effect: Effect, {paint}: Output): string {
  if (effect === 'stops') return paint.good('✔ stops');
  if (effect === 'not') return paint.bad('✘ not');
  return paint.warn(`◐ ${effect}`);
}

function drawAll(output: Output): string {
  const {paint, width} = output;
  const lines = effects.flatMap((effect) => {
    const rows = vulnerabilities
      .filter((each) => each.effect === effect)
      .map(({id, also = [], where, checks}) => [
        `  ${painted(effect, output)}`,
        [id, ...also].join(', '),
        where,
        checks.join(', '),
      ]);
    return [paint.strong(capitalized(effectWords[effect])), ...columns(rows, width), ''];
  });
  return [...lines, ...wrapAfter(`${paint.warn('▲')} `, shiftedVolumeWarning, width)].join('\n');
}

function drawOne(found: Vulnerability, output: Output): string {
  const {paint, width} = output;
  const line = (name: string, text: string): string[] => wrapAfter(name.padEnd(12), text, width);
  return [
    paint.strong([found.id, ...(found.also ?? [])].join(', ')),
    '',
    ...line('where', found.where),
    ...line('mechanism', found.mechanism),
    `${'effect'.padEnd(12)}${painted(found.effect, output)}: ${effectWords[found.effect]}${found.inKep127 ? ' (KEP-127 names it)' : ''}`,
    ...line('why', found.why),
    ...line('stopped by', found.otherwise),
    ...(found.beyond === undefined ? [] : line('but', found.beyond)),
    '',
    paint.strong('Checks that show the end state'),
    ...found.checks.map((id) => `  ${id}`),
    '',
    `\`subroot breakout --check ${found.checks.join(',')}\` tries them here.`,
  ].join('\n');
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
