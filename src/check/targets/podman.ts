import {mkdirSync, readdirSync, rmdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../../native-free/errors.ts';
import {findProgram, readText} from '../../host/machine-files.ts';
import {type ProgramOptions, type ProgramRun, runProgram} from '../../host/run-program.ts';
import {untilUnnamed} from '../../host/until-unnamed.ts';
import type {TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, Target, TargetPod} from '../target.ts';
import {cgroup2AloneNote, refusesHybrid, withCgroup2Alone} from './cgroup2-alone.ts';
import {FreeBlocks} from './free-blocks.ts';
import {abilitiesOf, MakingTarget, processOf, requireRoot} from './making-target.ts';
import {canIdmap} from './oci.ts';
import {makePodRoot, userlandMounts} from './pod-root.ts';
import {sweepWorkFolders, workFolder} from './work-folder.ts';

const START_MS = 60_000;

/**
 * podman as root, with `--rootfs` on a folder of ours and `--uidmap`. Its storage is in a folder of ours too: what the user has is neither
 * seen nor touched.
 */
class PodmanTarget extends MakingTarget {
  description: TargetDescription;
  readonly #program: string;
  readonly #folder = workFolder();
  readonly #blocks = new FreeBlocks();
  readonly #cgroup = `subroot-check-podman-${process.pid}`;
  #alone = false;

  /** crun can leave control groups alone; on version 2 it would load a filter of devices, for which some roots lack CAP_SYS_RESOURCE. */
  #cgroupWords: readonly string[] = [];

  constructor(program: string, version: string) {
    super();
    this.#program = program;
    this.description = {
      target: 'podman',
      version,
      abilities: abilitiesOf(
        'start',
        'two-pods',
        'same-range',
        'control',
        'exec',
        'all-capabilities',
        'mounts',
        'idmapped-mounts',
        'outside',
      ),
      notes: this.notes,
    };
  }

  /** Asks which runtime it uses. */
  async ask(): Promise<this> {
    const wanted = ['Name', 'Path', 'Version'].map((name) => `{{.Host.OCIRuntime.${name}}}`).join('\n');
    const {stdout} = await this.#run(['info', '--format', wanted]);
    const [runtime = '', path = '', version = ''] = stdout.split('\n').map((line) => line.trim());
    if (path !== '' && !(await canIdmap(path, version.replace(' version', ''))))
      this.description = {...this.description, abilities: {...this.description.abilities, 'idmapped-mounts': false}};
    this.#cgroupWords = /crun/.test(runtime)
      ? ['--cgroups', 'disabled']
      : ['--pids-limit', '-1', '--cgroup-parent', this.#cgroup];
    if (runtime !== '') this.note(`its containers are made by ${runtime}`);
    return this;
  }

  #argv(words: readonly string[]): string[] {
    const at = (name: string) => join(this.#folder.path, name);
    const globals = ['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp'), '--storage-driver', 'vfs'];
    return [this.#program, ...globals, '--cgroup-manager', 'cgroupfs', '--events-backend', 'none', ...words];
  }

  async #run(words: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
    const argv = this.#argv(words);
    return await runProgram(this.#alone ? withCgroup2Alone(argv) : argv, {timeoutMs: START_MS, ...options});
  }

  protected async make(request: PodRequest, id: string): Promise<TargetPod> {
    const {start, size} = request.range ? {start: request.range.hostId, size: request.range.size} : this.#blocks.take();
    const bundle = join(this.#folder.path, id);
    const rootfs = join(bundle, 'rootfs');
    let gone: Promise<void> | undefined;
    const remove = async (): Promise<void> => {
      const removed = await this.#run(['rm', '--force', '--ignore', '--time', '0', id]);
      rmSync(bundle, {recursive: true, force: true});
      if (removed.exitCode !== 0) throw this.refused(`remove pod ${request.name}`, removed.stderr);
    };
    try {
      mkdirSync(bundle, {mode: 0o711});
      this.#folder.note(this.#argv(['rm', '--force', '--ignore', '--time', '0', id]));
      makePodRoot(rootfs, request.userNamespace ? start : 0, request.mounts);
      const words = this.#words(request, id, rootfs, {start, size});
      const leaves = {output: join(bundle, 'output')};
      let ran = await this.#run(words, {leaves});
      if (ran.exitCode !== 0 && !this.#alone && refusesHybrid(ran.stderr)) {
        await this.#run(['rm', '--force', '--ignore', '--time', '0', id]);
        this.#alone = true;
        this.note(cgroup2AloneNote);
        ran = await this.#run(words, {leaves});
      }
      if (ran.exitCode !== 0) throw this.refused(`run pod ${request.name}`, ran.stderr);
      const asked = await this.#run(['inspect', '--format', '{{.State.Pid}}', id]);
      const pid = asked.stdout.trim();
      const init = /^[1-9]\d*$/.test(pid) ? processOf(Number(pid)) : undefined;
      if (init === undefined) throw this.refused(`keep pod ${request.name} running`, asked.stderr || ran.stderr);
      const map = [{containerId: 0, hostId: start, size}];
      return {
        name: request.name,
        init,
        declared: {userNamespace: request.userNamespace, ...(request.userNamespace ? {uids: map, gids: map} : {})},
        exec: (argv, options = {}) => this.#exec(id, argv, options),
        remove: async () => {
          gone ??= remove();
          await gone;
        },
      };
    } catch (error) {
      await remove().catch(() => {});
      throw error;
    }
  }

  #words(request: PodRequest, id: string, rootfs: string, range: {start: number; size: number}): string[] {
    const mapping = `0:${range.start}:${range.size}`;
    const volumes = [
      ...userlandMounts().map(({hostPath, containerPath}) => `${hostPath}:${containerPath}:ro,rslave`),
      ...(request.mounts ?? []).map(({hostPath, containerPath, readonly, idmapped}) => {
        const options = [readonly === true ? 'ro' : 'rw', ...(idmapped === true ? ['idmap'] : [])];
        return `${hostPath}:${containerPath}:${options.join(',')}`;
      }),
    ];
    return [
      ...['run', '--detach', '--name', id, '--network', 'none', '--log-driver', 'none'],
      // Standard input is a pipe then. Without it conmon opens /dev/null for it, and crun up to 1.27 gives that inode to the pod's root.
      '--interactive',
      ...this.#cgroupWords,
      ...limits,
      ...(request.capabilities === 'all' ? ['--cap-add', 'ALL'] : defaultCapabilityWords),
      ...(request.userNamespace ? ['--uidmap', mapping, '--gidmap', mapping] : ['--userns', 'host']),
      ...volumes.flatMap((volume) => ['--volume', volume]),
      ...['--rootfs', rootfs, 'sleep', 'infinity'],
    ];
  }

  async #exec(
    id: string,
    argv: readonly string[],
    options: NonNullable<Parameters<TargetPod['exec']>[1]>,
  ): Promise<ExecResult> {
    const user = options.uid === undefined ? [] : ['--user', String(options.uid)];
    const ran = await this.#run(['exec', '--interactive', ...user, id, ...argv], {
      timeoutMs: options.timeoutMs ?? START_MS,
      ...(options.input === undefined ? {} : {input: options.input}),
    });
    if (ran.exitCode === undefined) {
      const said = ran.timedOut ? `it did not end in time; ${ran.stderr}` : ran.stderr;
      throw this.refused(`run ${argv[0] ?? 'a program'} in a pod`, said);
    }
    return {exitCode: ran.exitCode, stdout: ran.stdout, stderr: ran.stderr};
  }

  protected async cleanUp(): Promise<void> {
    // conmon has podman clean up once more when a container has ended, and that would make the folder anew.
    await untilUnnamed(this.#folder.path, 15_000);
    removeCgroups(this.#cgroup);
    this.#folder.remove();
  }
}

/** podman's own set is smaller than the one that all other targets have. */
const defaultCapabilityWords = ['AUDIT_WRITE', 'MKNOD', 'NET_RAW'].flatMap((name) => ['--cap-add', name]);

/** podman asks for limits that a root without CAP_SYS_RESOURCE may not raise; these are below what anybody has. */
const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];

/** podman leaves the parent of its control groups behind; it has our name and nobody in it. */
function removeCgroups(name: string): void {
  const mounts = (readText('/proc/self/mountinfo') ?? '').split('\n').flatMap((line) => {
    const [front = '', back = ''] = line.split(' - ');
    return /^cgroup2? /.test(back) ? [front.split(' ')[4] ?? ''] : [];
  });
  for (const mount of mounts) removeTree(join(mount, name));
}

function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, {withFileTypes: true}))
      if (entry.isDirectory()) removeTree(join(path, entry.name));
    rmdirSync(path);
  } catch {
    // Not in this hierarchy, or podman itself was faster.
  }
}

/** Opens `podman`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_MISSING. */
export async function openPodman(): Promise<Target> {
  requireRoot('podman');
  await sweepWorkFolders();
  const program = findProgram('podman');
  if (program === undefined)
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target: 'podman',
      why: 'podman is not in PATH',
      mend: 'install it: `apt-get install podman`',
    });
  const {stdout} = await runProgram([program, '--version'], {timeoutMs: 5000});
  return await new PodmanTarget(program, stdout.trim().replace(' version', '')).ask();
}
