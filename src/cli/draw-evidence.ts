import {printable} from '../../native-free/errors.ts';
import type {Evidence, SideBySide} from '../node/evidence.ts';
import type {Paint} from './paint.ts';
import {pad, textWidth} from './render.ts';

interface Row {
  readonly label: string;
  readonly pod: string;
  readonly host: string;
  readonly verdict: string;
  readonly good: boolean;
}

function compared(label: string, {pod, host, differs}: SideBySide): Row {
  return {label, pod, host, verdict: differs ? 'differs' : 'THE SAME', good: differs};
}

function unprivileged(label: string, pod: number | string, host: number | string, isRoot: boolean): Row {
  return {label, pod: String(pod), host: String(host), verdict: isRoot ? 'ROOT' : 'unprivileged', good: !isRoot};
}

/** The evidence of one pod side by side, as text that reads without colour. */
export function drawEvidence(
  evidence: Evidence,
  block: {readonly first: number; readonly size: number} | undefined,
  paint: Paint,
): string {
  const {process: own, file} = evidence;
  const where = evidence.hostMeans === 'host' ? 'on the host' : 'for the caller*';
  const rows: Row[] = [
    compared('readlink /proc/self/ns/user', evidence.userNamespace),
    compared('cat /proc/self/uid_map', evidence.uidMap),
    compared('cat /proc/self/gid_map', evidence.gidMap),
    unprivileged(`uid of process ${own.pid}`, own.podUid, own.hostUid, own.hostUid === 0),
    unprivileged(`gid of process ${own.pid}`, own.podGid, own.hostGid, own.hostGid === 0),
    unprivileged(
      'uid:gid of a file it made',
      `${file.podUid}:${file.podGid}`,
      `${file.hostUid}:${file.hostGid}`,
      file.hostUid === 0 || file.hostGid === 0,
    ),
  ];
  const heading = ['', 'in the pod', where, ''];
  const cells = [heading, ...rows.map(({label, pod, host, verdict}) => [label, pod, host, verdict])].map((row) =>
    row.map((cell) => cell.split('\n').map(printable)),
  );
  const widths = [0, 1, 2].map((column) =>
    Math.max(...cells.flatMap((row) => (row[column] ?? []).map((line) => textWidth(line)))),
  );
  const lines = cells.flatMap((row, index) => {
    const height = Math.max(...row.map((cell) => cell.length));
    return Array.from({length: height}, (_, line) => {
      const text = `  ${[0, 1, 2].map((column) => pad(row[column]?.[line] ?? '', widths[column] ?? 0)).join('   ')}   `;
      const verdict = line === 0 ? (row[3]?.[0] ?? '') : '';
      const source = rows[index - 1];
      if (index === 0) return paint.strong(text.trimEnd());
      return `${text}${verdict === '' ? '' : source?.good ? paint.good(`✔ ${verdict}`) : paint.bad(`✘ ${verdict}`)}`.trimEnd();
    });
  });
  if (block)
    lines.push(
      `  ${pad('block', widths[0] ?? 0)}   ids 0-${block.size - 1}${' '.repeat(Math.max(0, (widths[1] ?? 0) - `ids 0-${block.size - 1}`.length))}   ids ${block.first}-${block.first + block.size - 1}`,
    );
  if (block && Number(evidence.uidMap.pod.split(' ')[1]) !== block.first)
    lines.push(
      '',
      '  the maps of the pod are in ids of the outer namespace that acts as its node; the lines below them are in yours',
    );
  if (evidence.hostMeans === 'caller')
    lines.push(
      '',
      '  * we are in a user namespace ourselves: "the caller" is the namespace of this command, not the machine',
    );
  return lines.join('\n');
}
