// Builds what is published: one ESM bundle split into lazy chunks, the agent beside it, and the type declarations.
import {execFileSync} from 'node:child_process';
import {chmodSync, cpSync, rmSync} from 'node:fs';
import {build} from 'esbuild';
import {withoutYargsHelp} from './without-yargs-help.mjs';

rmSync('dist', {recursive: true, force: true});
await build({
  entryPoints: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    'native-free': 'native-free/index.ts',
    sim: 'sim/index.ts',
    lint: 'sim/lint/index.ts',
    check: 'src/check/index.ts',
    'fixtures/ava': 'src/fixtures/ava.ts',
    'fixtures/node-test': 'src/fixtures/node-test.ts',
    'fixtures/vitest': 'src/fixtures/vitest.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  plugins: [withoutYargsHelp],
  // node-pty is native and optional; ava and vitest are the user's own.
  external: ['node-pty', 'ava', 'vitest'],
  // execa's cross-spawn is CommonJS and asks for `require`.
  banner: {js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);"},
});
for (const script of ['agent.pl', 'supervise.pl', 'volumes.pl', 'attacker.pl', 'relay.pl'])
  cpSync(`src/host/${script}`, `dist/${script}`);
chmodSync('dist/cli/main.js', 0o755);
if (!process.argv.includes('--no-types')) {
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], {stdio: 'inherit'});
}
