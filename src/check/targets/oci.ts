import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {subrootError} from '../../../native-free/errors.ts';
import {findProgram} from '../../host/machine-files.ts';
import {readIdMapText} from '../../host/proc.ts';
import {type ProgramOptions, type ProgramRun, runProgram} from '../../host/run-program.ts';
import type {Refusal, RefusalRule, RefusingTarget} from '../refusals.ts';
import type {TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, Target, TargetPod} from '../target.ts';
import {cgroup2AloneNote, refusesHybrid, withCgroup2Alone} from './cgroup2-alone.ts';
import {FreeBlocks} from './free-blocks.ts';
import {abilitiesOf, MakingTarget, processOf, requireRoot} from './making-target.ts';
import {type OciMaps, ociConfig} from './oci-config.ts';
import {makePodRoot} from './pod-root.ts';
import {sweepWorkFolders, workFolder} from './work-folder.ts';

const START_MS = 30_000;

/** An OCI runtime by its command line (`create`, `start`, `state`, `exec`, `delete`), on bundles that we make. */
export class OciTarget extends MakingTarget implements RefusingTarget {
  readonly description: TargetDescription;
  readonly #program: string;
  readonly #folder = workFolder();
  readonly #blocks = new FreeBlocks();
  #alone = false;

  constructor(program: string, target: string, version: string, idmaps: boolean) {
    super();
    this.#program = program;
    this.description = {
      target,
      version,
      abilities: abilitiesOf(
        'start',
        'two-pods',
        'same-range',
        'control',
        'exec',
        'all-capabilities',
        'mounts',
        'stdio',
        'outside',
        ...(idmaps ? (['idmapped-mounts'] as const) : []),
      ),
      notes: this.notes,
    };
    mkdirSync(join(this.#folder.path, 'state'), {mode: 0o700});
  }

  #words(words: readonly string[]): string[] {
    return [this.#program, '--root', join(this.#folder.path, 'state'), ...words];
  }

  /** Runs the runtime with its words. */
  async #run(words: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
    const argv = this.#words(words);
    return await runProgram(this.#alone ? withCgroup2Alone(argv) : argv, {timeoutMs: START_MS, ...options});
  }

  /**
   * Hands a configuration to `create` and answers how it ended; what was made is removed again. For rules about what a runtime must refuse.
   */
  async tryConfig(change: (config: Record<string, unknown>) => void): Promise<{created: boolean; said: string}> {
    const id = `subroot-check-${process.pid}-try`;
    const bundle = join(this.#folder.path, id);
    try {
      const {start, size} = this.#blocks.take();
      const maps = mapsOf(start, size);
      makePodRoot(join(bundle, 'rootfs'), start);
      const request: PodRequest = {name: id, userNamespace: true, capabilities: 'default'};
      const config = structuredClone(ociConfig({rootfs: join(bundle, 'rootfs'), id, request, maps}));
      change(config as Record<string, unknown>);
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
      const created = await this.#create(id, bundle, {output: join(bundle, 'output')});
      if (created.exitCode !== 0) return {created: false, said: created.stderr};
      const pid = createdPid((await this.#run(['state', id])).stdout);
      const map =
        pid === undefined
          ? undefined
          : readIdMapText(pid, 'uid_map')
              ?.trim()
              .replaceAll(/[ \t]+/g, ' ');
      return {created: true, said: `${created.stderr}it made a container with the uid_map ${map || '(empty)'}`};
    } finally {
      await this.#run(['delete', '--force', id]);
      rmSync(bundle, {recursive: true, force: true});
    }
  }

  /** Rules that the runtime specification and the kernel have for a configuration. Source: RefusingTarget. */
  async tryRule(rule: RefusalRule): Promise<Refusal | undefined> {
    const change = changes[rule];
    if (change === undefined) return undefined;
    const {created, said} = await this.tryConfig(change);
    return {refused: !created, said};
  }

  async #create(id: string, bundle: string, leaves: NonNullable<ProgramOptions['leaves']>): Promise<ProgramRun> {
    const words = ['create', '--bundle', bundle, id];
    const created = await this.#run(words, {leaves});
    if (created.exitCode === 0 || this.#alone || !refusesHybrid(created.stderr)) return created;
    this.#alone = true;
    this.note(cgroup2AloneNote);
    return await this.#run(words, {leaves});
  }

  protected async make(request: PodRequest, id: string): Promise<TargetPod> {
    const {start, size} = request.range ? {start: request.range.hostId, size: request.range.size} : this.#blocks.take();
    const maps = request.userNamespace ? mapsOf(start, size) : undefined;
    const bundle = join(this.#folder.path, id);
    const rootfs = join(bundle, 'rootfs');
    const remove = async (): Promise<void> => {
      const deleted = await this.#run(['delete', '--force', id]);
      rmSync(bundle, {recursive: true, force: true});
      if (deleted.exitCode !== 0) throw this.refused(`remove pod ${request.name}`, deleted.stderr || deleted.stdout);
    };
    try {
      mkdirSync(bundle, {mode: 0o711});
      const away = this.#words(['delete', '--force', id]);
      // Where the runtime had to be shown cgroup v2 alone, it must be for this too.
      this.#folder.note(withCgroup2Alone(away));
      this.#folder.note(away);
      makePodRoot(rootfs, maps === undefined ? 0 : start, request.mounts);
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(ociConfig({rootfs, id, request, maps})));
      const leaves = {output: join(bundle, 'output'), ...request.stdio};
      const created = await this.#create(id, bundle, leaves);
      if (created.exitCode !== 0) throw this.refused(`create pod ${request.name}`, created.stderr);
      const started = await this.#run(['start', id]);
      if (started.exitCode !== 0) throw this.refused(`start pod ${request.name}`, started.stderr);
      const state = await this.#run(['state', id]);
      const pid = pidOf(state.stdout);
      const init = pid === undefined ? undefined : processOf(pid);
      if (init === undefined) {
        const said = readFileSync(join(bundle, 'output'), 'utf8') || state.stderr || state.stdout;
        throw this.refused(`keep pod ${request.name} running`, said);
      }
      let gone: Promise<void> | undefined;
      return {
        name: request.name,
        init,
        declared: {userNamespace: request.userNamespace, ...(maps === undefined ? {} : maps)},
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
    const ran = await this.#run(['exec', ...user, id, ...argv], {
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
    this.#folder.remove();
    await Promise.resolve();
  }
}

interface LinuxPart {
  uidMappings: {containerID: number; hostID: number; size: number}[];
  gidMappings: {containerID: number; hostID: number; size: number}[];
}

const linuxOf = (config: Record<string, unknown>) => config.linux as LinuxPart;

/** How a good configuration is made one that breaks a rule. */
const changes: Partial<Record<RefusalRule, (config: Record<string, unknown>) => void>> = {
  'refuses-overlapping-maps': (config) => {
    const linux = linuxOf(config);
    const hostID = linux.uidMappings[0]?.hostID ?? 0;
    linux.uidMappings.push({containerID: 65_536, hostID: hostID + 10, size: 10});
  },
  'refuses-empty-extent': (config) => {
    const linux = linuxOf(config);
    linux.uidMappings = linux.uidMappings.map((line) => ({...line, size: 0}));
  },
  'refuses-last-id': (config) => {
    const linux = linuxOf(config);
    linux.uidMappings = [{containerID: 0, hostID: 4_294_901_760, size: 65_536}];
  },
  'refuses-no-mapping': (config) => {
    const linux = linuxOf(config);
    linux.uidMappings = [];
    linux.gidMappings = [];
  },
};

function mapsOf(hostId: number, size: number): OciMaps {
  const map = [{containerId: 0, hostId, size}];
  return {uids: map, gids: map};
}

/** The pid of a container that was created and not started. */
function createdPid(state: string): number | undefined {
  return /"pid": *([1-9]\d*)/.exec(state)?.[1] === undefined ? undefined : Number(/"pid": *(\d+)/.exec(state)?.[1]);
}

/** The pid in the state of a container, as runtime.md has it; undefined when it does not run. */
function pidOf(state: string): number | undefined {
  try {
    const {pid, status} = JSON.parse(state) as {pid?: unknown; status?: unknown};
    return typeof pid === 'number' && pid > 0 && status === 'running' ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * True when the runtime can shift the ids of a mount: by its own word (`features`, runc 1.2 and crun 1.9), or because it is a crun that is
 * too old to be asked (1.5 to 1.8 can).
 */
export async function canIdmap(program: string, version: string): Promise<boolean> {
  const asked = await runProgram([program, 'features'], {timeoutMs: 5000});
  try {
    const features = JSON.parse(asked.stdout) as {linux?: {mountExtensions?: {idmap?: {enabled?: boolean}}}};
    return features.linux?.mountExtensions?.idmap?.enabled === true;
  } catch {
    return /^crun 1\.[5-8](\.|$)/.test(version);
  }
}

/** Opens `oci:NAME` or `oci:/PATH`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_MISSING. */
export async function openOci(name: string): Promise<Target> {
  const target = `oci:${name}`;
  requireRoot(target);
  await sweepWorkFolders();
  const program = findProgram(name);
  if (program === undefined)
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target,
      why: name.includes('/') ? 'it is not there, or no program' : `${name} is not in PATH`,
      mend: `install it (\`apt-get install ${basename(name)}\`), or write its path: oci:/usr/local/bin/${basename(name)}`,
    });
  const asked = await runProgram([program, '--version'], {timeoutMs: 5000});
  const [first = ''] = asked.stdout.split('\n');
  const version = first.replace(/ version:?/, '').trim() || basename(program);
  return new OciTarget(program, target, version, await canIdmap(program, version));
}
