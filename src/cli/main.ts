#!/usr/bin/env node
import {readFileSync, writeSync} from 'node:fs';

// Only what every start needs is here: the frame, yargs and the commands are loaded on first use.
const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) printVersion();
else {
  const {runCli} = await import('./frame.ts');
  process.exitCode = await runCli(argv);
}

function printVersion(): void {
  // The manifest is two folders up from here in the source and in the bundle alike.
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  try {
    writeSync(1, `${manifest.version}\n`);
  } catch {
    // The reader has gone; it has what it wanted.
  }
}
