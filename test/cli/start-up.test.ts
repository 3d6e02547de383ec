import {join} from 'node:path';
import test from 'ava';
import {build} from 'esbuild';
import {projectFolder} from './run-cli.ts';

const heavy =
  /^(node_modules\/(yaml|execa|undici)\/|sim\/(index|kubelet)\.ts|src\/(host\/agent|runtime\/runtime|node\/node)\.ts)/;

test('commands that list load no YAML, no agent and nothing of the kubelet’s part', async (t) => {
  const {metafile} = await build({
    entryPoints: {main: join(projectFolder, 'src/cli/main.ts')},
    outdir: join(projectFolder, 'dist-of-nobody'),
    absWorkingDir: projectFolder,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    external: ['node-pty'],
    logLevel: 'silent',
  });
  const {outputs} = metafile;
  const loadedBy = (path: string, seen = new Set<string>()): Set<string> => {
    seen.add(path);
    for (const {kind, path: next, external} of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && !external && !seen.has(next)) loadedBy(next, seen);
    return seen;
  };
  for (const command of ['pods', 'ps']) {
    const entry = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === `src/cli/commands/${command}.ts`);
    t.truthy(entry, command);
    const files = [...loadedBy(entry ?? '')].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}));
    t.true(files.includes(`src/cli/commands/${command}.ts`));
    t.deepEqual(
      files.filter((file) => heavy.test(file)),
      [],
      command,
    );
  }
});
