import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../../native-free/errors.ts';
import {findProgram} from '../../host/machine-files.ts';
import {namespaceOf} from '../../host/proc.ts';
import {type ProgramOptions, type ProgramRun, runProgram} from '../../host/run-program.ts';
import type {TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, Target, TargetPod} from '../target.ts';
import {abilitiesOf, MakingTarget, processOf, requireRoot} from './making-target.ts';
import type {TargetOptions} from './open-target.ts';
import {makePodRoot, userlandMounts} from './pod-root.ts';
import {sweepWorkFolders, workFolder} from './work-folder.ts';

const START_MS = 60_000;
const label = 'dev.subroot.check';

/**
 * The docker daemon that the command line finds (DOCKER_HOST, context). Its user namespace is the daemon's, one for all containers
 * (userns-remap); `--userns host` leaves it out. Without `--image` it is given a tiny image of ours by `docker import`.
 */
class DockerTarget extends MakingTarget {
  readonly description: TargetDescription;
  readonly #program: string;
  readonly #options: TargetOptions;
  readonly #folder = workFolder();
  #image: Promise<string> | undefined;
  #imported: string | undefined;

  constructor(program: string, version: string, remapped: boolean, options: TargetOptions) {
    super();
    this.#program = program;
    this.#options = options;
    this.note(
      remapped
        ? 'the daemon maps all containers to one and the same range (userns-remap)'
        : 'the daemon runs without userns-remap: its containers have no user namespace of their own',
    );
    this.description = {
      target: 'docker',
      version,
      abilities: abilitiesOf('start', 'two-pods', 'control', 'exec', 'all-capabilities', 'mounts', 'outside'),
      notes: this.notes,
    };
  }

  async #run(words: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
    return await runDocker(this.#program, words, options);
  }

  protected async make(request: PodRequest, id: string): Promise<TargetPod> {
    const image = await this.#imageName();
    const volumes = [
      ...(this.#options.image === undefined
        ? userlandMounts().map(({hostPath, containerPath}) => `${hostPath}:${containerPath}:ro`)
        : []),
      ...(request.mounts ?? []).map(
        ({hostPath, containerPath, readonly}) => `${hostPath}:${containerPath}:${readonly === true ? 'ro' : 'rw'}`,
      ),
    ];
    this.#folder.note([this.#program, 'rm', '--force', '--volumes', id]);
    const ran = await this.#run([
      ...['run', '--detach', '--name', id, '--label', label, '--network', 'none', '--entrypoint', 'sleep'],
      // Not /dev/null: a runtime may give that to the container's root.
      '--interactive',
      ...(request.userNamespace ? [] : ['--userns', 'host']),
      ...(request.capabilities === 'all' ? ['--cap-add', 'ALL'] : []),
      // What is judged is the user namespace; a filter would refuse before it is asked.
      ...['--security-opt', 'seccomp=unconfined'],
      ...volumes.flatMap((volume) => ['--volume', volume]),
      ...[image, '2147483647'],
    ]);
    let gone: Promise<void> | undefined;
    const remove = async (): Promise<void> => {
      const removed = await this.#run(['rm', '--force', '--volumes', id]);
      if (removed.exitCode !== 0 && !/No such container/i.test(removed.stderr))
        throw this.refused(`remove pod ${request.name}`, removed.stderr);
    };
    try {
      if (ran.exitCode !== 0) throw this.refused(`run pod ${request.name}`, ran.stderr);
      const asked = await this.#run(['inspect', '--format', '{{.State.Pid}}', id]);
      const pid = asked.stdout.trim();
      const init = /^[1-9]\d*$/.test(pid) ? processOf(Number(pid)) : undefined;
      if (init === undefined) throw this.refused(`keep pod ${request.name} running`, asked.stderr || 'it has ended');
      if (request.userNamespace && namespaceOf(init.pid, 'user') === namespaceOf('self', 'user'))
        this.note('asked for a container as the daemon makes them, it made one in the host’s user namespace');
      return {
        name: request.name,
        init,
        declared: {userNamespace: request.userNamespace},
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
    if (ran.exitCode === undefined) throw this.refused(`run ${argv[0] ?? 'a program'} in a pod`, ran.stderr);
    return {exitCode: ran.exitCode, stdout: ran.stdout, stderr: ran.stderr};
  }

  #imageName(): Promise<string> {
    this.#image ??= this.#options.image === undefined ? this.#importOwn() : this.#requireImage(this.#options.image);
    return this.#image;
  }

  async #requireImage(name: string): Promise<string> {
    const asked = await this.#run(['image', 'inspect', '--format', '{{.Id}}', name]);
    if (asked.exitCode === 0) return asked.stdout.trim();
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target: 'docker',
      why: `it has no image ${name}`,
      mend: `pull it first (\`docker pull ${name}\`); it must have \`sleep\` in it`,
    });
  }

  async #importOwn(): Promise<string> {
    const folder = join(this.#folder.path, 'image');
    mkdirSync(folder, {mode: 0o700});
    makePodRoot(join(folder, 'root'), 0);
    const archive = join(folder, 'root.tar');
    const tar = await runProgram(['tar', '--numeric-owner', '-C', join(folder, 'root'), '-cf', archive, '.']);
    if (tar.exitCode !== 0) throw this.refused('pack an image', tar.stderr);
    const imported = await this.#run(['import', archive, `subroot-check:${process.pid}`]);
    rmSync(folder, {recursive: true, force: true});
    if (imported.exitCode !== 0) throw this.refused('import an image', imported.stderr);
    this.#imported = `subroot-check:${process.pid}`;
    return this.#imported;
  }

  protected async cleanUp(): Promise<void> {
    try {
      if (this.#imported !== undefined) await this.#run(['image', 'rm', this.#imported]);
    } finally {
      this.#folder.remove();
    }
  }
}

/** The command line finds its daemon by these. */
async function runDocker(program: string, words: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const names = ['HOME', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'];
  const env = Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']])),
  );
  return await runProgram([program, ...words], {timeoutMs: START_MS, env, ...options});
}

/** Opens `docker`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_MISSING. */
export async function openDocker(options: TargetOptions): Promise<Target> {
  requireRoot('docker');
  await sweepWorkFolders();
  const program = findProgram('docker');
  if (program === undefined)
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target: 'docker',
      why: 'docker is not in PATH',
      mend: 'install it: `apt-get install docker.io`',
    });
  const asked = await runDocker(program, ['info', '--format', '{{.ServerVersion}} {{json .SecurityOptions}}'], {
    timeoutMs: 10_000,
  });
  const [, version, security = ''] = /^(\S+) (\[.*\])$/m.exec(asked.stdout) ?? [];
  if (asked.exitCode !== 0 || version === undefined)
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target: 'docker',
      why: `no daemon answers: ${asked.stderr.trim().split('\n')[0] || 'it said nothing'}`,
      mend: 'start it, or say where it listens: DOCKER_HOST=unix:///run/docker.sock',
    });
  return new DockerTarget(program, `docker ${version}`, /name=userns/.test(security), options);
}
