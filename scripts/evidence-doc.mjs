// Writes docs/evidence.md: all checks against every target that is here. As root, after `make build`, with runc, crun, podman, bubblewrap, containerd and
// busybox installed: `node --import=tsx scripts/evidence-doc.mjs`.
import {execFileSync, spawnSync} from 'node:child_process';
import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {startContainerd} from '../test/helpers/own-containerd.ts';

const page = new URL('../docs/evidence.md', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'subroot-evidence-'));
chmodSync(folder, 0o711);
const containerd = await startContainerd();
try {
  const matrix = join(folder, 'matrix.md');
  const targets = ['subroot', 'oci:runc', 'oci:crun', 'podman', 'bwrap', 'unshare', `cri:${containerd.socket}`];
  const words = ['dist/cli/main.js', 'compare', ...targets, '--root', join(folder, 'state')];
  const ran = spawnSync(process.execPath, [...words, '--report', `markdown=${matrix}`], {encoding: 'utf8'});
  process.stdout.write(ran.stdout + ran.stderr);
  if (ran.status === null || ran.status > 3) throw new Error(ran.stderr);
  const text = readFileSync(matrix, 'utf8')
    .replaceAll(`cri:${containerd.socket}`, 'cri:containerd')
    .replaceAll(/kernel (\d+\.\d+\.\d+)\S*/g, 'kernel $1');
  writeFileSync(page, `${intro()}\n${text}`);
} finally {
  await containerd.stop();
  rmSync(folder, {recursive: true, force: true});
}

function intro() {
  const date = execFileSync('date', ['-u', '+%F'], {encoding: 'utf8'}).trim();
  return `# Evidence

<!-- Made by scripts/evidence-doc.mjs. Change it there. -->

All checks against every target, run on one machine on ${date}. Your own: \`subroot compare subroot oci:runc podman\`.

## How to read it

Every attempt is made in four arms: by a root **without** a user namespace and by the root of a pod **with** one, each with all capabilities and with the
default fourteen. An attacker is modelled as one who has got out already: it has the pod's user namespace and nothing else of the pod.

| | means |
|---|---|
| ✔ blocked | a root without a user namespace got through, the pod's root with the same capabilities was refused, and what must be reachable was reached |
| ✔ works | what a pod must be able to do it can, and what must always hold holds |
| ✘ not blocked | the pod's root got through |
| ✘ broken | a pod cannot do what it must, or what must always hold does not |
| ? inconclusive | the attempt was refused in every arm, or never got there: nothing follows. It is no pass |
| – not possible here | this machine or this target cannot try it |
| ○ by design | a user namespace does not block this, for anybody; something else must |
| · | not run |

A ✘ is a fact about that target on that machine, and not always a fault of it: bwrap and unshare, run by an ordinary user, have one id to give, so that an image
with many users breaks; a runtime that is root makes user namespaces that belong to root, so that all pods share root's budgets (\`userns-owner-uid\`, \`inotify-instances\`); crun up to 1.27
gives the file or device that is its standard input to the pod's root for good (\`runtime-must-not-chown-stdio\`); and containerd up to 1.7 without support for
user namespaces ignores the request without a word, which is why nothing of a pod is believed that was not read from /proc.

What a user namespace does not block is the last group. The first of it is easily forgotten: on volumes with shifted ids (idmapped mounts, as Kubernetes uses
them) a setuid-root program of the pod's root is one on the host too, unless the volume is mounted nosuid there or lies below a folder that only root may enter.

\`subroot checks explain ID\` says what a check is, and \`subroot cve\` which known vulnerabilities end in what it tries.

## Summary
`;
}
