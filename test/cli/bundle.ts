import {copyFileSync, mkdirSync, readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {build, type Plugin} from 'esbuild';
import {projectFolder} from './run-cli.ts';

let made: Promise<string> | undefined;

/**
 * The program as one bundle of its source as it is now, for tests that start it often: it starts in a third of the time. It is made once
 * for a test file, inside node_modules so that node-pty is found, and removed at the end.
 */
export function bundledMain(): Promise<string> {
  made ??= (async () => {
    const folder = join(projectFolder, 'node_modules', '.cache', `subroot-cli-${process.pid}`);
    process.on('exit', () => rmSync(folder, {recursive: true, force: true}));
    mkdirSync(folder, {recursive: true});
    copyFileSync(join(projectFolder, 'package.json'), join(folder, 'package.json'));
    const plugins: {withoutYargsHelp: Plugin} = await import(join(projectFolder, 'scripts/without-yargs-help.mjs'));
    await build({
      entryPoints: {'cli/main': join(projectFolder, 'src/cli/main.ts')},
      outdir: join(folder, 'dist'),
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      external: ['node-pty'],
      plugins: [plugins.withoutYargsHelp],
      banner: {js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);"},
    });
    const host = join(projectFolder, 'src/host');
    for (const script of readdirSync(host).filter((name) => name.endsWith('.pl')))
      copyFileSync(join(host, script), join(folder, 'dist', script));
    return join(folder, 'dist/cli/main.js');
  })();
  return made;
}
