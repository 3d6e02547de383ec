import {formatRanges, type IdRange} from '../../../native-free/id-range.ts';
import {toIdRange} from '../../../native-free/subordinate-ids.ts';
import {type IdConflict, type IdKind, type IdLine, type IdSpace, judgeIdSpace} from '../../doctor/id-space.ts';
import {findProgram} from '../../host/machine-files.ts';
import {readIdSpace} from '../../host/machine-ids.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {requireLinux} from '../failure.ts';
import {parseRange} from '../id-words.ts';
import type {Output} from '../output.ts';
import {drawLegend, drawRuler, findUsedPart, type RulerOwner} from '../range-ruler.ts';
import {plural, table, wrapAfter} from '../render.ts';
import {idsSchema} from '../schemas.ts';

const MAX_NAMESPACES_SHOWN = 20;

/** `subroot ids`: who owns which host ids. Exit code 1 with --conflicts when there is one. */
export const idsCommand = defineCommand({
  options: {
    gid: {type: 'boolean', describe: 'draw group ids; user ids without it'},
    zoom: {type: 'string', requiresArg: true, describe: 'draw these ids only, as FIRST-LAST'},
    conflicts: {type: 'boolean', describe: 'only what collides; exit code 1 when something does'},
  },
  schema: idsSchema,
  run: async ({flags}, {output, root}) => {
    const zoom = flags.zoom === undefined ? undefined : parseRange(flags.zoom, '--zoom');
    requireLinux('subroot ids');
    const space = judgeIdSpace(readIdSpace({root, perl: findProgram('perl')}));
    const kind: IdKind = flags.gid === true ? 'gid' : 'uid';
    await output.emit(reportOf(space), () =>
      flags.conflicts === true ? drawConflicts(space.conflicts, output) : draw(space, kind, zoom, output),
    );
    return flags.conflicts === true && space.conflicts.length > 0 ? exitCodes.found : exitCodes.ok;
  },
});

const firstLast = ({start, size}: IdRange) => ({first: start, last: start + size - 1});

function reportOf(space: IdSpace): object {
  const lineValue = (line: IdLine) => ({
    accounts: line.accounts,
    subordinate: line.subordinate.map((range) => ({
      owner: range.owner,
      ...firstLast(toIdRange(range)),
      count: range.count,
      line: range.line,
    })),
    namespaces: line.namespaces.map(({namespace, ranges}) => ({
      inode: namespace.inode ?? null,
      pid: namespace.pid,
      processes: namespace.processCount,
      command: namespace.command,
      owner: namespace.owner ?? null,
      ranges: ranges.map(firstLast),
    })),
  });
  return {
    uid: lineValue(space.uid),
    gid: lineValue(space.gid),
    blocks: space.blocks.map(({first, size, kind, pod}) => ({...firstLast({start: first, size}), kind, pod})),
    pools: space.pools.map(({name, range, present, source}) => ({name, ...firstLast(range), present, source})),
    conflicts: space.conflicts.map((conflict) => ({...conflict, ids: conflict.ids.map(firstLast)})),
  };
}

/** The owners on the ruler: few, whatever the machine holds. Accounts, our blocks and running namespaces are one each. */
function ownersOf(space: IdSpace, kind: IdKind): RulerOwner[] {
  const line = space[kind];
  const grants = new Map<string, IdRange[]>();
  for (const range of line.subordinate) grants.set(range.owner, [...(grants.get(range.owner) ?? []), toIdRange(range)]);
  const owners: RulerOwner[] = [
    {label: kind === 'uid' ? 'accounts' : 'groups', ranges: line.accounts.map(({id}) => ({start: id, size: 1}))},
    ...[...grants].map(([owner, ranges]) => ({label: `sub${kind} of ${owner}`, ranges})),
    {label: 'pods of subroot', ranges: space.blocks.map(({first, size}) => ({start: first, size}))},
    {label: 'running namespaces', ranges: line.namespaces.flatMap(({ranges}) => ranges)},
  ];
  return owners.filter(({ranges}) => ranges.length > 0);
}

function draw(space: IdSpace, kind: IdKind, zoom: IdRange | undefined, output: Output): string {
  const owners = ownersOf(space, kind);
  const collisions = space.conflicts.filter((conflict) => conflict.kind === kind).flatMap(({ids}) => ids);
  const options = {paint: output.paint, width: output.width, collisions};
  const title = `${kind === 'uid' ? 'User' : 'Group'} ids`;
  const lines: string[] = [];
  if (zoom === undefined) {
    const used = findUsedPart(owners);
    lines.push(output.paint.strong(`${title} of this machine`), drawRuler(owners, options));
    if (used !== undefined)
      lines.push('', output.paint.strong(`${title} in use, closer`), drawRuler(owners, {...options, zoom: used}));
  } else lines.push(output.paint.strong(`${title} ${formatRanges([zoom])}`), drawRuler(owners, {...options, zoom}));
  lines.push('', drawLegend(owners, options));
  lines.push(
    ...drawNamespaces(space[kind], output),
    ...drawPools(space, output),
    '',
    drawConflicts(space.conflicts, output),
  );
  return lines.join('\n');
}

function drawNamespaces(line: IdLine, output: Output): string[] {
  const {namespaces} = line;
  if (namespaces.length === 0) return [];
  const rows = namespaces
    .slice(0, MAX_NAMESPACES_SHOWN)
    .map(({namespace, ranges}) => [
      namespace.inode ?? '?',
      namespace.owner ?? '?',
      namespace.pid,
      namespace.command,
      ranges.length === 0 ? 'not mapped' : formatRanges(ranges.slice(0, 4)),
    ]);
  const more = namespaces.length - rows.length;
  return [
    '',
    table(['running userns', 'owner', 'pid', 'command', 'ids'], rows, {...output, right: [1, 2]}),
    ...(more > 0 ? [`and ${more} more (all of them with -o json)`] : []),
  ];
}

function drawPools(space: IdSpace, output: Output): string[] {
  const rows = space.pools.map(({name, range, present}) => [
    name,
    present ? 'here' : 'not installed',
    formatRanges([range]),
  ]);
  return ['', table(['pool of a tool', '', 'takes ids from'], rows, output)];
}

function drawConflicts(conflicts: readonly IdConflict[], output: Output): string {
  if (conflicts.length === 0) return `${output.paint.good('✔')} no claims collide`;
  const lines = conflicts.flatMap(({rule, kind, why, mend}) => [
    ...wrapAfter(`${output.paint.bad('✘')} ${rule} (${kind}s): `, why, output.width),
    ...wrapAfter('    to mend  ', mend, output.width),
  ]);
  return [...lines, '', `${plural(conflicts.length, 'conflict')} found.`].join('\n');
}
