import {printable} from '../../native-free/errors.ts';
import {composeChain, formatProcIdMap, hostRanges, type IdMap, idCount, isIdentity} from '../../native-free/id-map.ts';
import {formatRanges, type IdRange} from '../../native-free/id-range.ts';
import {OVERFLOW_ID} from '../../native-free/ids.ts';
import type {CheckedWrite} from './map-check.ts';
import type {LoadedLevels, MapLevel} from './map-levels.ts';
import type {Direction, Piece} from './map-translate.ts';
import type {Output} from './output.ts';
import {drawLegend, drawRuler, findUsedPart} from './range-ruler.ts';
import {plural, table, wrapAfter} from './render.ts';

type IdKind = 'uid' | 'gid';

/** The pieces of one range asked for. */
export interface Translation {
  readonly kind: IdKind;
  readonly asked: IdRange;
  readonly pieces: readonly Piece[];
}

/** What a piece without an id at the far end means to a program. */
export function consequenceOf(
  piece: Piece,
  direction: Direction,
): {readonly shownAs?: number; readonly errno?: string} {
  if (piece.stoppedAt === undefined) return {};
  return direction === 'to-host' ? {errno: 'EINVAL'} : {shownAs: OVERFLOW_ID};
}

/** The levels, the translations (or, without any, where the ids are outside), and the notes. */
export function drawTranslations(
  loaded: LoadedLevels,
  translations: readonly Translation[],
  direction: Direction,
  output: Output,
): string {
  const {levels, notes} = loaded;
  const kinds = kindsShown(levels);
  const lines = levels.slice(1).flatMap((level) => drawLevel(level, kinds, output));
  if (translations.length === 0) lines.push(...drawOutside(levels, kinds, output));
  for (const [title, kind] of kinds) {
    const rows = translations
      .filter((each) => each.kind === kind)
      .flatMap(({pieces}) => pieces.map((piece) => rowOf(piece, levels, direction)));
    if (rows.length === 0) continue;
    const order = direction === 'to-host' ? levels.toReversed() : levels;
    const heading = order.map(({level, label}) => `level ${level} (${label})`);
    lines.push('', output.paint.strong(namesOf(title)), table([...heading, ''], rows, output));
  }
  if (notes.length > 0) lines.push('');
  for (const note of notes) lines.push(...wrapAfter('note: ', printable(note), output.width));
  return lines.join('\n').replace(/^\n/, '');
}

function namesOf(title: string): string {
  return title === 'id' ? 'uids and gids' : `${title}s`;
}

/** Uids and gids that are mapped alike are shown once. */
function kindsShown(levels: readonly MapLevel[]): (readonly [title: string, kind: IdKind])[] {
  const inner = levels.slice(1);
  const has = (kind: IdKind) => inner.some((level) => level[kind] !== undefined);
  if (
    has('uid') &&
    has('gid') &&
    inner.every(({uid, gid}) => formatProcIdMap(uid ?? []) === formatProcIdMap(gid ?? []))
  )
    return [['id', 'uid']];
  return [...(has('uid') ? ([['uid', 'uid']] as const) : []), ...(has('gid') ? ([['gid', 'gid']] as const) : [])];
}

function drawLevel(level: MapLevel, kinds: readonly (readonly [string, IdKind])[], output: Output): string[] {
  const inode = level.inode === undefined ? '' : `, user:[${level.inode}]`;
  const owner = level.owner === undefined ? '' : `, owner ${level.owner}`;
  const lines = ['', output.paint.strong(`Level ${level.level}: ${printable(level.label)}${inode}${owner}`)];
  for (const [title, kind] of kinds) {
    const map = level[kind] ?? [];
    const what = namesOf(title);
    if (map.length === 0) {
      lines.push(`  ${what}: not mapped`);
      continue;
    }
    const facts = isIdentity(map)
      ? 'every id is itself'
      : `${plural(idCount(map), 'id')} in ${plural(map.length, 'line')}`;
    const rows = map.map(({containerId, hostId, size}) => [
      '',
      rangeText({start: containerId, size}),
      '->',
      rangeText({start: hostId, size}),
    ]);
    lines.push(
      `  ${what}: ${facts}`,
      ...table(['', 'inside', '', `at level ${level.level - 1}`], rows, output).split('\n'),
    );
  }
  return lines;
}

function drawOutside(
  levels: readonly MapLevel[],
  kinds: readonly (readonly [string, IdKind])[],
  output: Output,
): string[] {
  return kinds.flatMap(([title, kind]) => {
    const maps = levels.slice(1).map((level): IdMap => level[kind] ?? []);
    const ranges = hostRanges(composeChain(maps));
    if (ranges.length === 0) return [];
    const owners = [{label: `${namesOf(title)} of level ${maps.length}`, ranges}];
    const outside = levels[0]?.label ?? 'outside';
    return [
      '',
      output.paint.strong(`Where they are ${outside === 'host' ? 'on the host' : `at level 0 (${outside})`}`),
      drawRuler(owners, {paint: output.paint, width: output.width, zoom: findUsedPart(owners)}),
      '',
      drawLegend(owners, output),
    ];
  });
}

function rangeText(range: IdRange): string {
  return formatRanges([range]);
}

function rowOf(piece: Piece, levels: readonly MapLevel[], direction: Direction): string[] {
  const order = direction === 'to-host' ? levels.toReversed() : levels;
  const cells = order.map(({level}) => {
    const step = piece.steps.find((each) => each.level === level);
    return step?.range === undefined ? '-' : rangeText(step.range);
  });
  return [...cells, remarkOf(piece, levels.length - 1, direction)];
}

function remarkOf({stoppedAt}: Piece, depth: number, direction: Direction): string {
  if (stoppedAt === undefined) return '';
  if (direction === 'to-container') return `unmapped at level ${stoppedAt}: shown as ${OVERFLOW_ID} there`;
  if (stoppedAt === depth - 1) return `unmapped at level ${depth}: setuid or chown to it fails with EINVAL`;
  return `level ${stoppedAt} has no id for it: the kernel refuses such a map (EPERM)`;
}

/** The kernel's answers, rule by rule. */
export function drawChecks(checks: readonly CheckedWrite[], who: string, output: Output): string {
  const {paint, width} = output;
  const lines: string[] = [];
  for (const check of checks) {
    const verdict = check.accepted ? paint.good('accepted') : paint.bad(`refused with ${check.errno}`);
    lines.push('', `${paint.strong(`Level ${check.level}, ${check.file}`)}: ${verdict}`, `  written by ${who}`);
    for (const {rule, answer, what} of check.rules) {
      const sign = {passed: paint.good('✔'), refused: paint.bad('✘'), 'not reached': paint.dim('-')}[answer];
      const suffix = answer === 'refused' ? ` [${rule}]` : '';
      lines.push(...wrapAfter(`  ${sign} `, `${what}${suffix}`, width));
    }
    if (check.why !== undefined) lines.push(...wrapAfter('  why      ', printable(check.why), width));
    if (check.mend !== undefined) lines.push(...wrapAfter('  to mend  ', printable(check.mend), width));
    for (const warning of check.warnings) lines.push(...wrapAfter(`  ${paint.warn('▲')} `, printable(warning), width));
  }
  return lines.slice(1).join('\n');
}
