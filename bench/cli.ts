// Start-up of the published bundle, as multiples of an empty Node program in the same run. Build first: node scripts/build.mjs --no-types
// Run: node --import=tsx bench/cli.ts [--json] [--quick]
import {spawn} from 'node:child_process';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type Case, interleave, timeRows} from './lib/measure.ts';
import {isQuick, report, say, sayConditions} from './lib/report.ts';
import {scratchFolder, withCleanUp} from './lib/scratch.ts';

const cli = join(import.meta.dirname, '../dist/cli/main.js');
const {NODE_EXTRA_CA_CERTS: extraCertificates, ...env} = process.env;

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {stdio: 'ignore', env});
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`node ${args.join(' ')} exited ${code}`))));
  });
}

async function main(): Promise<void> {
  if (extraCertificates !== undefined)
    say('NODE_EXTRA_CA_CERTS is set here; it is unset for all rows, since it slows every Node start alike');
  const folder = scratchFolder();
  const empty = join(folder, 'empty.mjs');
  writeFileSync(empty, '');
  const state = ['--root', join(folder, 'state')];
  const cases: Case[] = [
    {name: 'node empty.mjs', run: () => run([empty])},
    {name: 'subroot --version', run: () => run([cli, '--version'])},
    {name: 'subroot --help', run: () => run([cli, '--help'])},
    {name: 'subroot pods', run: () => run([cli, ...state, 'pods'])},
  ];
  const samples = await interleave(cases, isQuick ? 20 : 60);
  report(timeRows('CLI start', new Map([...samples].map(([name, {run}]) => [name, run])), ['node empty.mjs']));
  sayConditions();
}

if (existsSync(cli)) await withCleanUp(main);
else {
  say('no dist/: run `node scripts/build.mjs --no-types` first');
  process.exitCode = 1;
}
