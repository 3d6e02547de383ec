import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {SubrootError} from '../../native-free/errors.ts';
import type {RealMode} from '../doctor/finding.ts';
import {createNode} from '../node/node.ts';
import type {ModeTry} from './wiring.ts';

/** Makes one pod in a mode, reads its map from inside, and removes it with everything of it. Throws nothing. */
export async function tryMode(mode: RealMode): Promise<ModeTry> {
  const root = mkdtempSync(join(tmpdir(), 'subroot-try-'));
  try {
    await using node = await createNode({mode, root});
    await using pod = await node.runPod({command: ['sleep', 'infinity']});
    const {stdout} = await node.runtime.execSync({
      containerId: await pod.containerId(),
      cmd: ['cat', '/proc/self/uid_map'],
      timeout: 10,
    });
    return {
      works: true,
      observed: `uid_map ${Buffer.from(stdout).toString('latin1').trim().replace(/\s+/g, ' ')}, ready in ${pod.durationMs.toFixed(0)} ms`,
    };
  } catch (error) {
    return {
      works: false,
      observed: error instanceof SubrootError ? `${error.layer}: ${error.shortMessage} [${error.code}]` : String(error),
    };
  } finally {
    rmSync(root, {recursive: true, force: true});
  }
}
