// Writes the messages of docs/troubleshooting.md from native-free/explain: `node --import=tsx scripts/troubleshooting-doc.mjs`. With --print it only prints.
import {readFileSync, writeFileSync} from 'node:fs';
import {fillCause} from '../native-free/explain/cause.ts';
import {causes} from '../native-free/explain/causes.ts';
import {symptoms} from '../native-free/explain/symptoms.ts';

const page = new URL('../docs/troubleshooting.md', import.meta.url);
const begin = '<!-- Made by scripts/troubleshooting-doc.mjs from native-free/explain. Change it there. -->';
const end = '<!-- End of what is made. -->';

/** Text in which Markdown sees nothing but the code spans that are meant. */
function markdownOf(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 ? part : part.replace(/[<>*_[\]|]/g, '\\$&')))
    .join('')
    .replaceAll('|', '\\|')
    .replaceAll('\\\\|', '\\|');
}

/** A code span of a message, whatever quotes are in it. */
function codeOf(text) {
  const fence = '`'.repeat(1 + Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)));
  const padding = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${fence}${padding}${text.replaceAll('|', '\\|')}${padding}${fence}`;
}

function tableOf(source) {
  const rows = symptoms
    .filter((symptom) => symptom.source === source)
    .map(
      ({example, causes: ids}) => `| ${codeOf(example.trim())} | ${ids.map((id) => `[${id}](#${id})`).join(', ')} |`,
    );
  return [`### ${source}`, '', '| message | causes, the likeliest first |', '|---|---|', ...rows, ''];
}

const sources = [...new Set(symptoms.map(({source}) => source))];
const named = [...new Set(symptoms.flatMap(({causes: ids}) => ids))].toSorted();
const made = [
  begin,
  '',
  ...sources.flatMap(tableOf),
  '### Causes',
  '',
  ...named.flatMap((id) => {
    const {layer, why, mend, look} = causes[id];
    return [
      `#### ${id}`,
      '',
      `${layer}: ${markdownOf(fillCause(why))}.`,
      '',
      `To mend: ${markdownOf(fillCause(mend))}.`,
      '',
      `Look: ${look.map((command) => codeOf(fillCause(command)).replaceAll('\\|', '|')).join(', ')}`,
      '',
    ];
  }),
  end,
].join('\n');

const text = readFileSync(page, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from < 0 || to < 0) throw new Error('docs/troubleshooting.md has lost its marks');
const whole = text.slice(0, from) + made + text.slice(to + end.length);
if (process.argv.includes('--print')) process.stdout.write(whole);
else writeFileSync(page, whole);
