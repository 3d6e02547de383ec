// Writes docs/errors.md from native-free/error-register.ts: `node --import=tsx scripts/errors-doc.mjs`. With --print it only prints.
import {readFileSync, writeFileSync} from 'node:fs';
import {errorRegister} from '../native-free/error-register.ts';

const source = readFileSync(new URL('../native-free/error-register.ts', import.meta.url), 'utf8');
const page = new URL('../docs/errors.md', import.meta.url);

/** The register's own headings: `// ── id maps` above a code. */
function subjects() {
  const groups = [];
  for (const [, heading, code] of source.matchAll(/^ {2}\/\/ ── (.+)$|^ {2}(SUBROOT_\w+): \{/gm)) {
    if (heading) groups.push({heading, codes: []});
    else groups.at(-1)?.codes.push(code);
  }
  return groups;
}

const mustAct = {
  usage: 'the caller: the words cannot be meant',
  config: 'the writer of a file: a manifest, a subordinate-id file',
  host: "the machine's admin: something is missing or forbidden here",
  tool: 'whoever looks after the tool that failed',
  state: 'the caller: the order of calls, or what is there',
  internal: 'we: it is a bug',
};

function describe(code) {
  const {kind, layer, message, mend, grpc} = errorRegister[code];
  return [
    `### ${code}`,
    '',
    `\`${kind}\` · ${layer}${grpc ? ` · gRPC ${grpc}` : ''}`,
    '',
    `> ${markdownOf(message)}`,
    '',
    `To mend: ${markdownOf(mend)}`,
    '',
  ];
}

/** Text in which Markdown sees nothing but the code spans that are meant. */
function markdownOf(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 ? part : part.replace(/[<>*_[\]]/g, '\\$&')))
    .join('');
}

const text = [
  '# Errors',
  '',
  '<!-- Made by scripts/errors-doc.mjs from native-free/error-register.ts. Change it there. -->',
  '',
  'Every error of subroot has a code that never changes its meaning. A message says what and why; the mend follows it. Words in braces are',
  'values: they are in `error.details` by these names. The layer is the part of the system that refused.',
  '',
  '| kind | who must act |',
  '|---|---|',
  ...Object.entries(mustAct).map(([kind, who]) => `| \`${kind}\` | ${who} |`),
  '',
  'In a program: `error instanceof SubrootError`, then `error.code`, `error.kind`, `error.layer`, `error.details`, `error.mend`, and',
  '`error.shortMessage` for one line. `hasCode(error, code)` asks for one of them. On the command line see [cli.md](cli.md#errors).',
  '',
  ...subjects().flatMap(({heading, codes}) => [
    `## ${heading[0].toUpperCase()}${heading.slice(1)}`,
    '',
    ...codes.flatMap(describe),
  ]),
].join('\n');

if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(page, text);
