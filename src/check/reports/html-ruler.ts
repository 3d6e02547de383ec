import type {JudgedPod, Report} from '../result.ts';
import {html} from './html-text.ts';

const WIDTH = 1000;
const ALL_IDS = 2 ** 32;
const HOST_IDS = 65_536;

/** The ids of this machine as a line, with the host's and those of each pod on it, and the same as a table. Empty when no pod is known. */
export function idRuler(report: Report): string {
  const {pods = []} = report;
  if (pods.length === 0) return '';
  const bars = pods.map((pod, index) => {
    const [first, last] = endsOf(pod);
    return first === undefined || last === undefined ? '' : bar(first, last, `pod${index % 3}`, letterOf(index), 30);
  });
  const described = pods.map((pod, index) => `${letterOf(index)}: ${pod.name}, ${rangeWords(pod)}`).join('; ');
  return [
    '<div class="scroll" tabindex="0" role="group" aria-label="Ids on a line">',
    `<svg viewBox="0 0 ${WIDTH} 80" role="img" aria-labelledby="ruler-title ruler-text">`,
    '<title id="ruler-title">All ids of this machine, from 0 to 4294967295</title>',
    `<desc id="ruler-text">H: the host, ids 0 to 65535; ${html(described)}</desc>`,
    `<line class="axis" x1="0" y1="50" x2="${WIDTH}" y2="50"/>`,
    bar(0, HOST_IDS - 1, 'host', 'H', 30),
    ...bars,
    '<text x="0" y="72">0</text>',
    `<text x="${WIDTH}" y="72" text-anchor="end">4294967295</text>`,
    '</svg></div>',
    '<table><caption>What the letters are</caption><thead><tr><th scope="col"></th><th scope="col">who</th><th scope="col">user namespace</th><th scope="col">uids outside</th><th scope="col">gids outside</th><th scope="col">root inside is</th></tr></thead><tbody>',
    `<tr><td>H</td><th scope="row">the host</th><td></td><td class="id">0-65535</td><td class="id">0-65535</td><td></td></tr>`,
    ...pods.map(
      (pod, index) =>
        `<tr><td>${letterOf(index)}</td><th scope="row">${html(pod.name)} <span class="dim">(pid ${pod.pid})</span></th><td class="id">${html(pod.userNamespace ?? 'not readable')}</td><td class="id">${html(rangeWords(pod))}</td><td class="id">${html(rangeWords({...pod, uids: pod.gids ?? []}))}</td><td class="id">${html(pod.hostUid === undefined ? 'not readable' : `uid ${pod.hostUid}`)}</td></tr>`,
    ),
    '</tbody></table>',
  ].join('\n');
}

function bar(first: number, last: number, name: string, label: string, y: number): string {
  const x = Math.min((first / ALL_IDS) * WIDTH, WIDTH - 4);
  const width = Math.max(4, ((last + 1 - first) / ALL_IDS) * WIDTH);
  const at = x.toFixed(1);
  return `<rect class="${name}" x="${at}" y="${y}" width="${width.toFixed(1)}" height="20"/><text x="${at}" y="${y - 6}">${label}</text>`;
}

function letterOf(index: number): string {
  return String.fromCharCode(65 + (index % 7));
}

function endsOf({uids = []}: JudgedPod): readonly [number | undefined, number | undefined] {
  if (uids.length === 0) return [undefined, undefined];
  return [Math.min(...uids.map(({hostId}) => hostId)), Math.max(...uids.map(({hostId, size}) => hostId + size - 1))];
}

function rangeWords({uids}: Pick<JudgedPod, 'uids'>): string {
  if (uids === undefined || uids.length === 0) return 'not readable';
  return uids.map(({hostId, size}) => `${hostId}-${hostId + size - 1}`).join(', ');
}
