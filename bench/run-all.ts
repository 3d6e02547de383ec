// Runs all benches one after another and rewrites the tables between the markers of docs/performance.md.
// Run: node --import=tsx bench/run-all.ts [--quick] [NAME …]
import {spawn} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {cpus, loadavg, release} from 'node:os';
import {join} from 'node:path';
import type {Row} from './lib/measure.ts';

const page = join(import.meta.dirname, '../docs/performance.md');
const benches = ['pod', 'exec', 'cli', 'allocator'];
const words = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith('-'));
const flags = words.filter((word) => word.startsWith('-'));

/** Rows of one bench; what it says for people goes to our own standard error. */
function run(name: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const args = [...process.execArgv, join(import.meta.dirname, `${name}.ts`), '--json', ...flags];
    const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit']});
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      process.stdout.write(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`bench/${name}.ts exited ${code}`));
      const lines = text.split('\n').filter((line) => line !== '');
      resolve(lines.map((line) => JSON.parse(line) as Row));
    });
  });
}

function table(name: string, rows: readonly Row[]): string {
  const load = loadavg()[0]?.toFixed(1);
  const when = `Linux ${release()}, ${cpus().length} cores, Node ${process.version}, load ${load} at the end; \`node --import=tsx bench/${name}.ts${flags.map((flag) => ` ${flag}`).join('')}\``;
  const groups = [...new Set(rows.map(({bench}) => bench))].map((bench) => {
    const own = rows.filter((row) => row.bench === bench);
    const lines = own.map((row) => {
      const ratio = row.ratio === undefined ? '' : `${row.ratio} × ${row.peer}`;
      return `| ${row.case} | ${row.p50} ${row.unit} | ${row.p99} ${row.unit} | ${row.n} | ${ratio} |`;
    });
    return [`**${bench}**`, '', '| case | p50 | p99 | n | beside |', '| --- | --- | --- | --- | --- |', ...lines].join(
      '\n',
    );
  });
  return `${when}\n\n${groups.join('\n\n')}`;
}

/** Puts text between `<!-- bench NAME -->` and `<!-- end NAME -->`. */
function fill(name: string, text: string): void {
  const [start, end] = [`<!-- bench ${name} -->`, `<!-- end ${name} -->`];
  const old = readFileSync(page, 'utf8');
  const from = old.indexOf(start);
  const to = old.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for ${name}: ${start} … ${end}`);
  writeFileSync(page, `${old.slice(0, from + start.length)}\n${text}\n${old.slice(to)}`);
}

for (const name of benches.filter((each) => named.length === 0 || named.includes(each)))
  fill(name, table(name, await run(name)));
