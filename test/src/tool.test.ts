import {chmodSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {dir} from 'tmp-promise';
import {SubrootError} from '../../native-free/errors.ts';
import {requireTool} from '../../src/host/tool.ts';

/** A program of that name which says something on standard error and fails. */
async function failing(t: import('ava').ExecutionContext, name: string, says: string): Promise<string> {
  const folder = await dir({prefix: 'subroot-tool', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const path = join(folder.path, name);
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' "${says}" >&2\nexit 1\n`);
  chmodSync(path, 0o755);
  return path;
}

async function refusal(path: string, args: readonly string[]): Promise<SubrootError> {
  try {
    await requireTool(path, args, 'uidmap');
  } catch (error) {
    if (error instanceof SubrootError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

test('ids that newgidmap does not let us map have a code of their own, with the ids and the file', async (t) => {
  const says = 'newgidmap: gid range [0-65536) -> [600000-665536) not allowed';
  const error = await refusal(await failing(t, 'newgidmap', says), ['4242', '0', '600000', '65536']);
  t.is(error.code, 'SUBROOT_SUBID_NOT_GRANTED');
  t.is(error.details.outside, '[600000-665536)');
  t.is(error.details.file, '/etc/subgid');
  t.regex(error.message, /does not let user \S+ map \[600000-665536\): newgidmap: gid range/);
});

test('what else a tool says is explained with its message, and keeps exit code and words', async (t) => {
  const path = await failing(t, 'newuidmap', 'newuidmap: write to uid_map failed: Operation not permitted');
  const error = await refusal(path, ['4242', '0', '1', '1']);
  t.is(error.code, 'SUBROOT_TOOL_FAILED');
  t.is(error.details.exitCode, 1);
  t.regex(
    error.shortMessage,
    /newuidmap 4242 0 1 1` failed with exit code 1: .*Operation not permitted \(newuidmap has lost its privilege/,
  );
  t.regex(error.mend, /reinstall it/);
});

test('a tool that says nothing that is known sends to the doctor', async (t) => {
  const error = await refusal(await failing(t, 'newuidmap', 'out of cheese'), []);
  t.is(error.code, 'SUBROOT_TOOL_FAILED');
  t.regex(error.shortMessage, /out of cheese$/);
  t.regex(error.mend, /subroot doctor/);
});
