import {printable} from '../../native-free/errors.ts';
import {OVERFLOW_ID} from '../../native-free/ids.ts';
import type {AccessWant} from '../../native-free/inode-access.ts';
import {type JudgedAccess, type JudgedComponent, judgePath, judgeShifted} from '../doctor/path-view.ts';
import {findProgram} from '../host/machine-files.ts';
import {type WalkedPath, walkPath} from '../host/path-walk.ts';
import {openView, type PathView, type ViewFlags} from './explain-view.ts';
import {usageError} from './failure.ts';
import type {Output} from './output.ts';
import {columns, wrapAfter} from './text-layout.ts';

const wants: readonly AccessWant[] = ['read', 'write', 'execute'];

/** What `subroot explain PATH` found. */
export interface PathReport {
  readonly view: PathView;
  readonly asked: string;
  readonly walked: WalkedPath;
  readonly components: readonly JudgedComponent[];
  readonly blockedAt: string | null;
  readonly may: Readonly<Record<AccessWant, JudgedAccess>> | null;
  readonly shifted: Readonly<Record<AccessWant, boolean>> | null;
  readonly notes: readonly string[];
}

/** Walks a path as somebody sees it and judges every step. Errors: those of openView, SUBROOT_USAGE for a relative path. */
export async function explainPath(path: string, flags: ViewFlags, root: string, output: Output): Promise<PathReport> {
  if (!path.startsWith('/')) throw usageError(`"${path}" is no full path`, 'begin it with /, as the pod sees it');
  const view = await openView(flags, root, output);
  const {pid} = view.source;
  const walked = walkPath(pid ?? 'self', path, findProgram('perl'));
  const judgement = judgePath(view.who, walked.components, {complete: walked.stopped === undefined});
  const last = walked.components.at(-1);
  const isForeign =
    judgement.components.at(-1)?.inside.uid === null && last?.mount?.options.includes('idmapped') !== true;
  const shifted =
    last === undefined || judgement.may === null || !isForeign ? null : judgeShifted(view.who, last, view.map);
  return {view, asked: path, walked, shifted, ...judgement};
}

export function pathValue(report: PathReport): object {
  const {view, asked, walked, components, blockedAt, may, shifted, notes} = report;
  const {userns, fsuid, fsgid, groups, effective} = view.who;
  return {
    kind: 'path',
    asked,
    view: view.source,
    user: {
      uid: userns.fromKernelId('uid', fsuid) ?? null,
      gid: userns.fromKernelId('gid', fsgid) ?? null,
      hostUid: fsuid,
      hostGid: fsgid,
      hostGroups: groups,
      capabilities: [...effective],
    },
    links: walked.links,
    components: components.map(({path, kind, mode, hasAcl, mount, onDisk, throughMount, inside, search}) => ({
      path,
      kind,
      mode: mode.toString(8).padStart(4, '0'),
      acl: hasAcl,
      mount: mount === undefined ? null : {point: mount.point, type: mount.type, options: mount.options},
      onDisk,
      host: throughMount,
      inside,
      shownAs: {uid: inside.uid ?? OVERFLOW_ID, gid: inside.gid ?? OVERFLOW_ID},
      search,
    })),
    blockedAt,
    stopped: walked.stopped ?? null,
    may,
    shifted,
    notes,
  };
}

export function drawPath(report: PathReport, output: Output): string {
  const {view, walked, components, blockedAt, may, shifted, notes} = report;
  const {paint, width} = output;
  const lines = [paint.strong(whoWords(view)), ''];
  const rows = components.map((each) => [
    `  ${printable(each.path)}`,
    `${modeWords(each)}${each.hasAcl ? '+' : ''}`,
    pairWords(each.onDisk, 'unknown'),
    pairWords(each.throughMount, 'nobody'),
    pairWords(each.inside, 'nobody'),
    mountWords(each),
  ]);
  if (rows.length > 0)
    lines.push(...columns([['  PATH', 'MODE', 'ON DISK', 'ON THE HOST', 'INSIDE', 'MOUNT'], ...rows], width));
  for (const {path, target} of walked.links)
    lines.push(...wrapAfter('  link     ', `${printable(path)} is a link to ${printable(target)}`, width));
  lines.push('');
  if (blockedAt !== null) lines.push(...drawBlock(blockedAt, components, output));
  if (walked.stopped !== undefined) lines.push(...drawStop(walked.stopped, view, output));
  if (may !== null)
    for (const [index, want] of wants.entries()) {
      // A mend that was told a line above is not told again.
      const isTold = wants.slice(0, index).some((before) => may[before].mend === may[want].mend);
      lines.push(...drawMay(want, isTold ? {...may[want], mend: null} : may[want], output));
    }
  if (may !== null && shifted !== null && wants.some((want) => shifted[want] !== may[want].allowed))
    lines.push(
      ...wrapAfter('  shifted  ', `mounted with shifted ids, as volumes are: may ${mayWords(shifted)}`, width),
    );
  for (const note of notes) lines.push(...wrapAfter('  note     ', note, width));
  return lines.join('\n');
}

function whoWords({source, who}: PathView): string {
  const uid = who.userns.fromKernelId('uid', who.fsuid) ?? 'nobody';
  const gid = who.userns.fromKernelId('gid', who.fsgid) ?? 'nobody';
  const where =
    source.kind === 'map'
      ? `in a namespace with the map ${printable(source.name)}`
      : `in ${source.kind} ${printable(source.name)}`;
  return `uid ${uid}, gid ${gid} ${where} (${who.fsuid}:${who.fsgid} on the host)`;
}

function modeWords({kind, mode}: JudgedComponent): string {
  const letter = {folder: 'd', file: '-', device: 'b', other: '?'}[kind];
  const bits = [6, 3, 0].map((shift) => {
    const each = Math.floor(mode / 2 ** shift) % 8;
    return `${each & 4 ? 'r' : '-'}${each & 2 ? 'w' : '-'}${each & 1 ? 'x' : '-'}`;
  });
  const sticky = Math.floor(mode / 0o1000) % 2 === 1 ? 't' : '';
  return `${letter}${bits.join('')}${sticky}`;
}

function pairWords(pair: {readonly uid: number | null; readonly gid: number | null} | null, none: string): string {
  if (pair === null) return none;
  return `${pair.uid ?? none}:${pair.gid ?? none}`;
}

function mountWords({mount}: JudgedComponent): string {
  if (mount === undefined) return '?';
  const words = mount.options.filter((option) => ['ro', 'noexec', 'nodev', 'nosuid', 'idmapped'].includes(option));
  return [`${printable(mount.point)} (${mount.type})`, ...words].join(' ');
}

function drawBlock(blockedAt: string, components: readonly JudgedComponent[], {paint, width}: Output): string[] {
  const search = components.find(({path}) => path === blockedAt)?.search;
  return [
    paint.bad(`  ${printable(blockedAt)} blocks`),
    ...wrapAfter('    why      ', search?.why ?? '', width),
    ...wrapAfter('    to mend  ', search?.mend ?? '', width),
  ];
}

function drawStop(
  {path, errno}: {readonly path: string; readonly errno: string},
  {source}: PathView,
  {width}: Output,
): string[] {
  const missing = errno === 'ENOENT' || errno === 'ENOTDIR';
  const who =
    process.geteuid?.() === 0
      ? 'not even root of the host passes there, so look at it on disk'
      : 'run this as root, or as the user whom it belongs to';
  const why = missing
    ? `${printable(path)} is not there, as ${source.kind === 'map' ? 'we see it' : 'it sees it'} (${errno})`
    : `we ourselves may not look at ${printable(path)} (${errno}): ${who}`;
  return wrapAfter('  stopped  ', why, width);
}

function drawMay(want: AccessWant, {allowed, why, mend}: JudgedAccess, {paint, width}: Output): string[] {
  const sign = allowed ? paint.good('✔') : paint.bad('✘');
  const lines = wrapAfter(`  ${sign} ${want.padEnd(7)}  `, why, width);
  if (mend !== null) lines.push(...wrapAfter('    to mend  ', mend, width));
  return lines;
}

function mayWords(may: Readonly<Record<AccessWant, boolean>>): string {
  const allowed = wants.filter((want) => may[want]);
  return allowed.length === 0 ? 'nothing' : allowed.join(', ');
}
