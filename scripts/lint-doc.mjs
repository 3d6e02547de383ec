// Writes docs/lint.md from the rules in sim/lint/rules/: `node --import=tsx scripts/lint-doc.mjs`. With --print it only prints.
import {writeFileSync} from 'node:fs';
import {capabilityFacts} from '../sim/lint/capability-review.ts';
import {idmapSupport} from '../sim/lint/idmap-file-systems.ts';
import {lintRules, ruleIds} from '../sim/lint/rules.ts';
import {toldWith} from '../src/cli/lint-text.ts';

const page = new URL('../docs/lint.md', import.meta.url);
const subjects = [...new Set(ruleIds.map((id) => lintRules[id].about))];
const headingOf = (subject) =>
  subject === 'hostUsers' ? 'The field hostUsers' : subject[0].toUpperCase() + subject.slice(1);

/** Text in which Markdown sees nothing but the code spans that are meant. */
function markdownOf(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 ? part : part.replace(/[<>*_[\]]/g, '\\$&')))
    .join('');
}

function exampleOf({about}, example) {
  return [
    `\`\`\`${about === 'subordinate ids' ? 'text' : 'yaml'}`,
    ...example.text.replace(/\n$/, '').split('\n'),
    '```',
    '',
  ];
}

/** A file that cannot be read is no YAML: its block is plain text. */
function fenceOf(id, rule, example) {
  const lines = exampleOf(rule, example);
  if (['yaml-syntax', 'template-text'].includes(id)) lines[0] = '```text';
  return lines;
}

function ruleOf(id) {
  const rule = lintRules[id];
  return [
    `### ${id}`,
    '',
    `${rule.severity} · ${markdownOf(rule.versions)}`,
    '',
    `> ${markdownOf(rule.title)}`,
    '',
    markdownOf(rule.text),
    '',
    `It fires on${markdownOf(toldWith(rule.bad))}`,
    '',
    ...fenceOf(id, rule, rule.bad),
    `and not on${markdownOf(toldWith(rule.good))}`,
    '',
    ...fenceOf('', rule, rule.good),
  ];
}

const since = (value) =>
  Array.isArray(value) ? `Linux ${value.join('.')}` : value === 'never' ? 'never so far' : 'it depends';

const text = [
  '# The linter',
  '',
  '<!-- Made by scripts/lint-doc.mjs from sim/lint/rules/. Change it there. -->',
  '',
  '`subroot lint` reads pod manifests and files of subordinate ids and says what is wrong with them, where it is written, and how to mend it.',
  'Flags, formats and exit codes are in [cli.md](cli.md#subroot-lint-file); as a library see [library.md](library.md#the-linter). It runs',
  'everywhere, needs no cluster and no root, and changes nothing.',
  '',
  'A rule has a name that never changes its meaning. `error`: it fails, or it is not what was asked for. `warning`: it works and is weaker',
  'than it looks. `info`: worth knowing.',
  '',
  '## Leave a finding out',
  '',
  'A comment on the line, above a line (then for all that is indented below it too), or for the file; several rules with commas; `all` for',
  'every rule:',
  '',
  '```yaml',
  '# subroot-lint: disable-file=seccomp-missing',
  'apiVersion: v1',
  'kind: Pod',
  'metadata:',
  '  name: agent',
  'spec:',
  '  hostPID: true',
  '  volumes:',
  '    # subroot-lint: disable=hostpath-not-isolated',
  '    - name: logs',
  '      hostPath:',
  '        path: /var/log',
  '  containers:',
  '    - name: agent',
  '      image: agent # subroot-lint: disable=privilege-escalation',
  '```',
  '',
  'In files like /etc/subuid the comment has a line of its own and is for the next one. For a whole run: `--disable RULE`, `--only RULE`.',
  '',
  ...subjects.flatMap((subject) => [
    `## ${headingOf(subject)}`,
    '',
    ...ruleIds.filter((id) => lintRules[id].about === subject).flatMap(ruleOf),
  ]),
  '## What file systems can be mounted with shifted ids',
  '',
  '| file system | since | beside the kernel |',
  '|---|---|---|',
  ...Object.values(idmapSupport)
    .filter(({since}) => since !== 'unknown')
    .map(({fileSystem, since: first, only = ''}) => `| ${fileSystem} | ${since(first)} | ${markdownOf(only)} |`),
  '',
  '## What capabilities are worth in a user namespace',
  '',
  '| capability | worth | inside | what it still exposes |',
  '|---|---|---|---|',
  ...Object.entries(capabilityFacts).map(
    ([name, {worth, inside, risk = ''}]) => `| ${name} | ${worth} | ${markdownOf(inside)} | ${markdownOf(risk)} |`,
  ),
  '',
].join('\n');

if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(page, text);
