import {execFileSync, spawn} from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {writeImage} from '../../src/check/targets/image-archive.ts';
import {untilUnnamed} from '../../src/host/until-unnamed.ts';

/** A containerd that is ours alone. */
export interface OwnContainerd {
  readonly folder: string;
  readonly socket: string;
  /** Kills it; throws when anything of it is left. */
  stop(): Promise<void>;
}

/** Not that of host-test.ts, which only ava may load: scripts/evidence-doc.mjs uses this too. */
async function until(what: string, probe: () => boolean, seen: () => string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!probe()) {
    if (performance.now() > deadline) throw new Error(`not within 30 s: ${what}; seen: ${seen()}`);
    await sleep(20);
  }
}

/** A control group of that name in every hierarchy, whether it is there or not. */
function controlGroups(name: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => join(line.split(' ')[4] ?? '', name));
}

function removeTree(group: string): void {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, {withFileTypes: true}))
    if (entry.isDirectory()) removeTree(join(group, entry.name));
  rmdirSync(group);
}

/** busybox as `sleep`, with the libraries that it is linked to. */
function makePauseRoot(root: string): void {
  mkdirSync(join(root, 'bin'), {recursive: true});
  copyFileSync('/usr/bin/busybox', join(root, 'bin/busybox'));
  symlinkSync('busybox', join(root, 'bin/sleep'));
  const linked = execFileSync('sh', ['-c', 'ldd /usr/bin/busybox 2>/dev/null || :'], {encoding: 'utf8'});
  for (const [path] of linked.matchAll(/\/\S+/g)) {
    mkdirSync(join(root, dirname(path)), {recursive: true});
    copyFileSync(path, join(root, path));
  }
}

/**
 * Starts containerd with its files, its socket and its containers in one folder. It has one image, for sandboxes, and no network for pods. Needs root,
 * containerd, ctr and busybox.
 */
export async function startContainerd(): Promise<OwnContainerd> {
  const folder = mkdtempSync(join(tmpdir(), 'subroot-containerd-'));
  const socket = join(folder, 'c.sock');
  writeFileSync(
    join(folder, 'config.toml'),
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "subroot.local/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "${folder}/cni"
`,
  );
  const child = spawn('containerd', ['--config', join(folder, 'config.toml')], {stdio: ['ignore', 'ignore', 'pipe']});
  // It leaves the parent of its containers' control groups behind.
  const groups = controlGroups('k8s.io').filter((path) => !existsSync(path));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    if (!(await untilUnnamed(folder, 15_000))) throw new Error(`a process of containerd in ${folder} is left`);
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n').reverse()) {
      const point = line.split(' ')[4] ?? '';
      if (point.startsWith(folder)) execFileSync('umount', ['-l', point]);
    }
    for (const group of groups) removeTree(group);
    rmSync(folder, {recursive: true, force: true});
  };
  try {
    await until(
      'containerd listens',
      () => statSync(socket, {throwIfNoEntry: false})?.isSocket() === true,
      () => said,
    );
    const pause = join(folder, 'pause');
    makePauseRoot(join(pause, 'root'));
    const archive = await writeImage({
      root: join(pause, 'root'),
      folder: pause,
      name: 'subroot.local/pause:1',
      command: ['sleep', '2147483647'],
    });
    await until(
      'the image for sandboxes is there',
      () => {
        try {
          const words = ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive];
          execFileSync('ctr', words, {stdio: 'pipe'});
          return true;
        } catch {
          // It listens before all of it is ready.
          return false;
        }
      },
      () => said,
    );
    return {folder, socket, stop};
  } catch (error) {
    await stop();
    throw error;
  }
}
