import {chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {execa} from 'execa';
import {dir} from 'tmp-promise';

/** The folder of this repository. */
export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A project that has subroot as its users have it: what `npm pack` would publish, in node_modules. */
export interface Consumer {
  readonly folder: string;
  /** For child processes: finds `subroot` and the tools of node_modules, and keeps state in the project. */
  readonly env: Readonly<Record<string, string>>;
  cleanup(): Promise<void>;
}

/** Makes such a project. Throws when the bundle was not built. */
export async function makeConsumer(): Promise<Consumer> {
  for (const file of ['dist/index.js', 'dist/types/src/index.d.ts'])
    if (!existsSync(join(repository, file))) throw new Error(`there is no ${file}: run \`make build\` first`);
  const {path: folder, cleanup} = await dir({prefix: 'subroot-consumer', unsafeCleanup: true});
  chmodSync(folder, 0o755);
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'subroot'), {recursive: true});
  for (const name of ['dist', 'package.json', 'README.md'])
    cpSync(join(repository, name), join(modules, 'subroot', name), {recursive: true});
  for (const name of readdirSync(join(repository, 'node_modules')))
    if (name !== '.bin') symlinkSync(join(repository, 'node_modules', name), join(modules, name));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(
    join(folder, 'bin', 'subroot'),
    `#!/bin/sh\nexec "${process.execPath}" "${modules}/subroot/dist/cli/main.js" "$@"\n`,
  );
  chmodSync(join(folder, 'bin', 'subroot'), 0o755);
  cpSync(join(repository, 'examples'), join(folder, 'examples'), {recursive: true});
  writeFileSync(join(folder, 'package.json'), JSON.stringify({type: 'module', private: true, ava: avaSettings}));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({compilerOptions: compilerSettings}));
  return {
    folder,
    env: {
      PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`,
      HOME: folder,
      SUBROOT_ROOT: join(folder, 'state'),
      NO_COLOR: '1',
      LC_ALL: 'C.UTF-8',
    },
    cleanup,
  };
}

/** The settings that examples/ava and docs/library.md name. */
const avaSettings = {
  extensions: {ts: 'module'},
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  timeout: '60s',
  files: ['examples/**/*.test.ts'],
};

const compilerSettings = {
  target: 'ES2023',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'nodenext',
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

/** Runs a program in the project; answers its exit code and both its streams as one text. */
export async function runIn(
  {folder, env}: Consumer,
  file: string,
  args: readonly string[],
  options: {readonly env?: Readonly<Record<string, string>>; readonly timeout?: number} = {},
): Promise<{exitCode: number | undefined; output: string}> {
  const {exitCode, all} = await execa(file, args, {
    cwd: folder,
    env: {...env, ...options.env},
    extendEnv: false,
    all: true,
    reject: false,
    stdin: 'ignore',
    timeout: options.timeout ?? 90_000,
  });
  return {exitCode, output: all};
}

/** Node with a loader for TypeScript. */
export function runScript(consumer: Consumer, words: readonly string[], options?: Parameters<typeof runIn>[3]) {
  return runIn(consumer, process.execPath, ['--import=tsx', ...words], options);
}
