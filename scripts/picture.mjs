// Runs a short session in a terminal and draws it as docs/picture.svg, with its text as text. Needs root and a built dist/.
//
//     node scripts/picture.mjs            write docs/picture.svg
//     node scripts/picture.mjs --text     print the session as plain text
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {spawn} from 'node-pty';

const repository = fileURLToPath(new URL('..', import.meta.url));
const columns = 100;
const commands = [
  'subroot run examples/userns-pod.yaml --image debian=host',
  'subroot exec userns id',
  'subroot exec userns mknod /tmp/disk b 8 0',
  'subroot rm userns',
];

/** What a command writes to a terminal. */
function record(command, root) {
  const words = command.split(' ').slice(1);
  return new Promise((resolve) => {
    let text = '';
    const terminal = spawn(process.execPath, ['dist/cli/main.js', ...words], {
      cols: columns,
      rows: 40,
      cwd: repository,
      env: {PATH: process.env.PATH, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8', SUBROOT_ROOT: root},
    });
    terminal.onData((data) => {
      text += data;
    });
    terminal.onExit(() => resolve(text.replaceAll('\r', '').trimEnd()));
  });
}

/** One line as pieces of text, each with the names of its styles. */
function stylesOf(line) {
  const names = {1: 'strong', 2: 'dim', 31: 'bad', 32: 'good', 33: 'warn'};
  const active = new Set();
  const pieces = [];
  for (const [index, part] of line.split(/\x1b\[([\d;]*)m/).entries()) {
    if (index % 2 === 0) {
      if (part !== '') pieces.push({text: part, styles: [...active]});
      continue;
    }
    const code = Number(part || 0);
    if (code === 0) active.clear();
    else if (code === 22) {
      active.delete('strong');
      active.delete('dim');
    } else if (code === 39) for (const name of ['bad', 'good', 'warn']) active.delete(name);
    else if (names[code]) active.add(names[code]);
    else throw new Error(`the session uses a colour that has no name here: ${code}`);
  }
  return pieces;
}

const plain = (line) => line.replace(/\x1b\[[\d;]*m/g, '');
const xmlOf = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function draw(lines) {
  const width = Math.max(...lines.map((line) => plain(line).length));
  const [glyph, height, margin] = [8.43, 20, 20];
  const size = {x: Math.ceil(width * glyph) + 2 * margin, y: lines.length * height + 2 * margin};
  const texts = lines.map((line, index) => {
    const spans = stylesOf(line).map(({text, styles}) =>
      styles.length === 0 ? xmlOf(text) : `<tspan class="${styles.join(' ')}">${xmlOf(text)}</tspan>`,
    );
    return `<text x="${margin}" y="${margin + 15 + index * height}">${spans.join('')}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.x} ${size.y}" width="${size.x}" height="${size.y}" role="img" aria-labelledby="title desc">
<title id="title">A session in a terminal: a pod whose root is nobody outside</title>
<desc id="desc">subroot runs a pod and shows what its root is: in the pod uid 0, on the host an unprivileged id; the user namespace and both id maps differ from the host's. Then id says root in the pod, making a device node is refused with "Operation not permitted", and the pod is removed.</desc>
<style>
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; white-space: pre; fill: #1f2328 }
  rect { fill: #f6f8fa; stroke: #d1d9e0 }
  .strong { font-weight: 700 } .dim { fill: #59636e } .good { fill: #116329 } .warn { fill: #7d4e00 } .bad { fill: #a40e26 } .prompt { fill: #0550ae }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } rect { fill: #0d1117; stroke: #3d444d }
    .dim { fill: #9198a1 } .good { fill: #56d364 } .warn { fill: #e3b341 } .bad { fill: #ff7b72 } .prompt { fill: #79c0ff }
  }
</style>
<rect x="0.5" y="0.5" width="${size.x - 1}" height="${size.y - 1}" rx="8"/>
<g xml:space="preserve">
${texts.join('\n').replaceAll('>$ subroot', '><tspan class="prompt">$</tspan> subroot')}
</g>
</svg>
`;
}

const root = mkdtempSync(join(tmpdir(), 'subroot-picture-'));
try {
  const lines = [];
  for (const command of commands) {
    if (lines.length > 0) lines.push('');
    lines.push(`$ ${command}`, ...(await record(command, root)).split('\n'));
  }
  if (process.argv.includes('--text')) console.log(lines.map(plain).join('\n'));
  else writeFileSync(join(repository, 'docs/picture.svg'), draw(lines));
} finally {
  rmSync(root, {recursive: true, force: true});
}
