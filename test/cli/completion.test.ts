import {spawnSync} from 'node:child_process';
import {chmodSync, existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {dir} from 'tmp-promise';
import {commands} from '../../src/cli/commands.ts';
import {type CompletionCommand, completionScript, shells} from '../../src/cli/completion-script.ts';
import {globalOptions} from '../../src/cli/globals.ts';
import {hostTest} from '../helpers/host-test.ts';
import {runCli} from './run-cli.ts';

const table: readonly CompletionCommand[] = [
  {
    name: 'map',
    usage: '[ids..]',
    summary: "translate: it's [so]",
    options: {
      pid: {type: 'string', describe: 'maps of a process'},
      from: {choices: ['parent', 'inside']},
      file: {type: 'string', array: true},
      check: {type: 'boolean'},
    },
  },
  {name: 'stopp', usage: '<pod..>', summary: 'stop pods', options: {timeout: {type: 'string', alias: 't'}}},
  {
    name: 'exec',
    usage: '<pod>',
    summary: 'run a program',
    options: {tty: {type: 'boolean', alias: 't'}, container: {type: 'string', alias: 'c'}},
  },
  {name: 'run', usage: '<file>', summary: 'start pods', options: {}},
  {name: 'completion', usage: '<shell>', summary: 'print the script', options: {}},
];

interface Teardown {
  teardown(f: () => unknown): void;
}

/** What a shell that only parses says to a script. */
async function parseIn(t: Teardown, shell: string, script: string): Promise<{status: number | null; stderr: string}> {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  writeFileSync(join(path, 'script'), script);
  const {status, stderr} = spawnSync(shell, ['-n', join(path, 'script')], {encoding: 'utf8'});
  return {status, stderr};
}

/** What a real bash answers to Tab at the end of these words, with a `subroot` in PATH that knows two pods. */
async function completeInBash(t: Teardown, words: readonly string[]): Promise<string[]> {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  writeFileSync(join(path, 'subroot'), '#!/bin/sh\n[ "$*" = "pods -q" ] && printf "web-1\\nweb-2\\ndb\\n"\n');
  chmodSync(join(path, 'subroot'), 0o755);
  writeFileSync(join(path, 'script'), completionScript('bash', table, globalOptions));
  const program =
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _subroot; printf "%s\\n" "${COMPREPLY[@]}"';
  const {stdout, stderr, status} = spawnSync(
    'bash',
    ['--norc', '-c', program, 'bash', join(path, 'script'), ...words],
    {
      encoding: 'utf8',
      env: {PATH: `${path}:${process.env.PATH ?? ''}`},
    },
  );
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

for (const shell of shells)
  hostTest(shell)(
    `the script for ${shell} is what the table and the flags say, and ${shell} finds no fault in it`,
    async (t) => {
      const {exitCode, stdout, stderr} = await runCli(['completion', shell]);
      t.is(exitCode, 0, stderr);
      for (const {name} of commands) t.regex(stdout, new RegExp(`\\b${name}\\b`));
      for (const flag of ['output', 'root', 'mode'])
        t.true(stdout.includes(shell === 'fish' ? `-l ${flag}` : `--${flag}`));
      t.deepEqual(await parseIn(t, shell, stdout), {status: 0, stderr: ''}, shell);
    },
  );

test('bash completes commands, flags, choices, pods and the words of completion', async (t) => {
  t.deepEqual(await completeInBash(t, ['subroot', '']), ['map', 'stopp', 'exec', 'run', 'completion']);
  t.deepEqual(await completeInBash(t, ['subroot', 'm']), ['map']);
  t.deepEqual(await completeInBash(t, ['subroot', '--mode', 'host', 'm']), ['map']);
  t.deepEqual(await completeInBash(t, ['subroot', '--mode', 's']), ['subid', 'single']);
  t.deepEqual(await completeInBash(t, ['subroot', 'map', '--mode', '=', 's']), ['subid', 'single']);
  t.deepEqual(await completeInBash(t, ['subroot', '-o', '']), ['table', 'json', 'yaml']);
  t.deepEqual(await completeInBash(t, ['subroot', 'map', '--ch']), ['--check']);
  t.deepEqual(await completeInBash(t, ['subroot', 'map', '--from', '']), ['parent', 'inside']);
  t.deepEqual(await completeInBash(t, ['subroot', 'map', '--pid', '']), []);
  t.deepEqual(await completeInBash(t, ['subroot', 'map', '']), []);
  t.deepEqual(await completeInBash(t, ['subroot', 'stopp', 'w']), ['web-1', 'web-2']);
  t.deepEqual(await completeInBash(t, ['subroot', 'stopp', 'web-1', 'd']), ['db']);
  t.deepEqual(await completeInBash(t, ['subroot', 'completion', '']), ['bash', 'zsh', 'fish']);
  t.deepEqual(await completeInBash(t, ['subroot', 'stopp', '--', '']), []);
  t.deepEqual(await completeInBash(t, ['subroot', 'stopp', '-t', '']), []);
  t.deepEqual(await completeInBash(t, ['subroot', 'stopp', '-t', '5', 'd']), ['db']);
  t.deepEqual(await completeInBash(t, ['subroot', 'exec', '-t', 'd']), ['db']);
  t.deepEqual(await completeInBash(t, ['subroot', 'exec', '-c', 'd']), []);
  t.deepEqual(await completeInBash(t, ['subroot', 'exec', 'db', '']), []);
  t.deepEqual(
    (await completeInBash(t, ['subroot', 'run', '/etc/pass'])).sort(),
    ['/etc/passwd', '/etc/passwd-'].filter((path) => existsSync(path)),
  );
});

test('a description with quotes and brackets does not break a script', async (t) => {
  for (const shell of shells) {
    if (spawnSync(shell, ['--version']).error !== undefined) continue;
    const script = completionScript(shell, table, globalOptions);
    t.deepEqual(await parseIn(t, shell, script), {status: 0, stderr: ''}, shell);
  }
  t.pass();
});
