import {closeSync, openSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {docker, invariant} from '../define.ts';
import {mknod} from '../operation.ts';

/** A runtime may give what it was handed to the pod: for good, since an inode of the host is changed. */
export const runtimeMustNotChownStdio = invariant(
  {
    id: 'runtime-must-not-chown-stdio',
    title: "the runtime does not give the host's files to the pod",
    group: 1,
    gain: "a file of the host, for ever: its own /dev/null, if that was the pod's standard input",
    attempt:
      "start a pod whose standard input is a canary file, and one whose is a canary device node of the host's root; stat(2) afterwards",
    expected: {'treatment-default': 'both still belong to 0:0'},
    rule: "the runtime's own fchown(2), before it gives up its rights; crun up to 1.27 did so",
    references: [docker('5.6')],
    needs: ['root'],
    abilities: ['start', 'stdio'],
  },
  async (scene) => {
    const folder = scene.run.makeFolder('stdio');
    const file = join(folder, 'input');
    const device = join(folder, 'null');
    writeFileSync(file, 'canary\n', {mode: 0o644});
    await scene.asHost(mknod(device, 0o020666, 1, 3));
    const evidence: Record<string, string> = {};
    for (const [name, path] of Object.entries({file, 'device node': device})) {
      try {
        closeSync(openSync(path, 'r'));
      } catch {
        evidence[name] = 'devices cannot be opened in that folder';
        continue;
      }
      const pod = await scene.target.start({
        name: `stdio-${name.slice(0, 4)}`,
        userNamespace: true,
        capabilities: 'default',
        stdio: {stdin: path},
      });
      await pod.remove();
      const {uid, gid} = statSync(path);
      evidence[name] = `${uid}:${gid}`;
      if (uid !== 0 || gid !== 0)
        return {
          outcome: 'broken',
          reason: `the ${name} that was the pod's standard input belongs to ${uid}:${gid} now`,
          evidence,
        };
    }
    return {outcome: 'works', reason: `they belong to root as before: ${Object.values(evidence).join(', ')}`, evidence};
  },
);
