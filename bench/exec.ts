// A program in a running pod: from the resident agent, one-shot, from the CLI, beside nsenter, crun exec and runc exec. As root.
// Run: node --import=tsx bench/exec.ts [--json] [--quick]
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {createNode} from '../src/index.ts';
import {type Case, interleave, timeRows} from './lib/measure.ts';
import {allPeers, makeRootfs, runQuiet, showCgroup2Alone} from './lib/peers.ts';
import {isQuick, report, say, sayConditions} from './lib/report.ts';
import {atEnd, reexecInMountNamespace, scratchFolder, withCleanUp} from './lib/scratch.ts';

const cli = join(import.meta.dirname, '../dist/cli/main.js');

async function main(): Promise<void> {
  const folder = scratchFolder();
  showCgroup2Alone();
  const options = {folder, rootfs: makeRootfs(folder), firstId: 3_000_041_472};
  const root = join(folder, 'state');
  const node = await createNode({root, mode: 'host'});
  atEnd(() => node.close());
  const pod = await node.runPod({name: 'bench'});
  const containerId = await pod.containerId();
  const init = (await pod.containers())[0]?.pid ?? 0;
  const runtimes = allPeers(options).filter(({name}) => / run -d$/.test(name));
  for (const runtime of runtimes) await runtime.start('bench');
  const cases: Case[] = [
    {name: 'subroot execSync (resident agent)', run: () => node.runtime.execSync({containerId, cmd: ['true']})},
    {name: 'subroot pod.$ (execa, one-shot)', run: () => pod.$`true`},
    ...(existsSync(cli)
      ? [
          {
            name: 'subroot exec (CLI)',
            run: () => runQuiet(process.execPath, [cli, '--root', root, 'exec', 'bench', '--', 'true'], folder),
          },
        ]
      : []),
    {
      name: 'nsenter -t PID -a -S0 -G0',
      run: () => runQuiet('nsenter', ['-t', String(init), '-a', '-S0', '-G0', 'true'], folder),
    },
    ...runtimes.map(
      (runtime): Case => ({name: runtime.name.replace('run -d', 'exec'), run: () => runtime.exec?.('bench', ['true'])}),
    ),
  ];
  if (!existsSync(cli)) say('no dist/: build it to measure the CLI');
  const samples = await interleave(cases, isQuick ? 20 : 100);
  report(timeRows('exec into a pod', new Map([...samples].map(([name, {run}]) => [name, run])), ['crun exec']));
  sayConditions();
}

if (process.getuid?.() !== 0) {
  say('bench/exec.ts must be root: it makes binds for the peers.');
  process.exitCode = 1;
} else if (!reexecInMountNamespace()) await withCleanUp(main);
