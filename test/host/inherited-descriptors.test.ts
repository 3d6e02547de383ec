import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {dir} from 'tmp-promise';
import {hostTest} from '../helpers/host-test.ts';

const script = fileURLToPath(new URL('../fixtures/descriptors-of-pod.ts', import.meta.url));

for (const lifetime of ['bound', 'detached']) {
  hostTest(
    'root',
    'userns',
    'bash',
  )(`no program of a ${lifetime} pod holds what our caller had open`, async (t) => {
    const state = await dir({prefix: 'subroot-test', unsafeCleanup: true});
    t.teardown(() => state.cleanup());
    // Node closes low descriptors itself, up to the first gap: 200 is beyond it, as that of flock(1) in scripts.
    const command = `exec 200</; exec "$@"`;
    const words = ['-c', command, 'bash', process.execPath, `--import=${import.meta.resolve('tsx')}`, script, lifetime];
    const text = execFileSync('bash', words, {encoding: 'utf8', env: {...process.env, SUBROOT_ROOT: state.path}});
    t.deepEqual(text.trim().split('\n'), ['holder 0 1 2', 'container 0 1 2', 'program 0 1 2 3']);
  });
}
