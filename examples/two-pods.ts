// Two pods, one folder of the host, a file of each pod's root: who may read what?
//
// Each program below has left its pod's file system already (nsenter joins nothing but the pod's user namespace), as after a
// break-out. It is root there, with every capability of that namespace. Needs root, to join the namespaces from outside.
//
//     node --import=tsx examples/two-pods.ts

import {spawnSync} from 'node:child_process';
import {chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createNode, type RunningPod} from 'subroot';

const folder = mkdtempSync(join(tmpdir(), 'two-pods-'));
chmodSync(folder, 0o755);

function writeSecret(name: string, owner: number): string {
  const path = join(folder, name);
  writeFileSync(path, `secret of ${name}\n`, {mode: 0o600});
  chownSync(path, owner, owner);
  return path;
}

function readAs(pod: RunningPod | undefined, path: string): string {
  const join = pod ? ['nsenter', '--user', '--target', String(pod.pid), '--setuid', '0', '--setgid', '0'] : [];
  const [file = '', ...args] = [...join, 'cat', path];
  const {status, stderr} = spawnSync(file, args, {encoding: 'utf8', env: {...process.env, LC_ALL: 'C'}});
  return status === 0 ? 'reads it' : (stderr.trim().split(': ').at(-1) ?? '');
}

try {
  await using node = await createNode({mode: 'host'});
  await using one = await node.runPod({name: 'one'});
  await using two = await node.runPod({name: 'two'});

  const files = [one, two].map((pod) => writeSecret(`pod-${pod.name}`, pod.map.toHost(0) ?? -1));
  files.push(writeSecret('host', 0));

  const show = (who: string, cells: readonly string[]) =>
    console.log(
      [who, ...cells]
        .map((cell) => cell.padEnd(19))
        .join('')
        .trimEnd(),
    );
  show('', ['file of one', 'file of two', 'file of the host']);
  for (const pod of [one, two])
    show(
      `root of ${pod.name}`,
      files.map((file) => readAs(pod, file)),
    );
  // The control: the same program without a user namespace. If it could not read them either, the rows above would prove nothing.
  show(
    'root of the host',
    files.map((file) => readAs(undefined, file)),
  );
} finally {
  rmSync(folder, {recursive: true, force: true});
}

/* prints
                   file of one        file of two        file of the host
root of one        reads it           Permission denied  Permission denied
root of two        Permission denied  reads it           Permission denied
root of the host   reads it           reads it           reads it
*/
