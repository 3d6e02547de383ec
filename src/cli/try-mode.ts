import {dir} from 'tmp-promise';
import {SubrootError} from '../../native-free/errors.ts';
import type {RealMode} from '../doctor/finding.ts';
import {createNode} from '../node/node.ts';
import type {ModeTry} from './wiring.ts';

/** Makes one pod in a mode, reads its map from inside, and removes it with everything of it. Throws nothing. */
export async function tryMode(mode: RealMode): Promise<ModeTry> {
  const folder = await dir({prefix: 'subroot-try-', unsafeCleanup: true});
  try {
    await using node = await createNode({mode, root: folder.path});
    await using pod = await node.runPod({command: ['sleep', 'infinity']});
    const cmd = ['cat', '/proc/self/uid_map'];
    const {stdout} = await node.runtime.execSync({containerId: await pod.containerId(), cmd, timeout: 10});
    const map = Buffer.from(stdout).toString('latin1').trim().replace(/\s+/g, ' ');
    return {works: true, observed: `uid_map ${map}, ready in ${pod.durationMs.toFixed(0)} ms`};
  } catch (error) {
    const observed =
      error instanceof SubrootError ? `${error.layer}: ${error.shortMessage} [${error.code}]` : String(error);
    return {works: false, observed};
  } finally {
    await folder.cleanup();
  }
}
