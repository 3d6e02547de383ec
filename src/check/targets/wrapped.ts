import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../../native-free/errors.ts';
import {keepProgram} from '../../host/keep-program.ts';
import {findProgram, readText} from '../../host/machine-files.ts';
import {runProgram} from '../../host/run-program.ts';
import type {TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, Target, TargetPod} from '../target.ts';
import {FreeBlocks} from './free-blocks.ts';
import {abilitiesOf, MakingTarget, processOf, requireRoot} from './making-target.ts';
import {makePodRoot, userlandMounts} from './pod-root.ts';
import {sweepWorkFolders, workFolder} from './work-folder.ts';

const START_MS = 15_000;
/** bwrap writes its own uid as a signed number, so that a map with a larger one is refused. Source: bubblewrap.c write_uid_gid_map(), 0.8. */
const SIGNED_LIMIT = 2 ** 31;

/** How a tool that makes namespaces around a program is written. */
interface Wrapper {
  readonly target: string;
  readonly version: string;
  /** What it can do beside what all of them can. */
  readonly more: readonly ('mounts' | 'exec')[];
  readonly notes: readonly string[];
  /** The words before the program. */
  words(request: PodRequest, rootfs: string): readonly string[];
}

/**
 * A tool that an ordinary user runs, as an ordinary user: with the first id of a free block, which becomes uid 0 inside and is all that it
 * can map. Controls run as root, without a user namespace.
 */
class WrappedTarget extends MakingTarget {
  readonly description: TargetDescription;
  readonly #wrapper: Wrapper;
  readonly #folder = workFolder();
  readonly #blocks = new FreeBlocks();

  constructor(wrapper: Wrapper) {
    super();
    this.#wrapper = wrapper;
    for (const text of wrapper.notes) this.note(text);
    this.description = {
      target: wrapper.target,
      version: wrapper.version,
      abilities: abilitiesOf(
        ...(['start', 'two-pods', 'same-range', 'control', 'all-capabilities', 'stdio', 'outside'] as const),
        ...wrapper.more,
      ),
      notes: this.notes,
    };
  }

  protected async make(request: PodRequest, id: string): Promise<TargetPod> {
    const owner = request.userNamespace ? (request.range?.hostId ?? this.#blocks.take(SIGNED_LIMIT).start) : 0;
    const bundle = join(this.#folder.path, id);
    mkdirSync(bundle, {mode: 0o711});
    const rootfs = join(bundle, 'rootfs');
    makePodRoot(rootfs, owner, request.mounts);
    // It dies with us, even when we are killed.
    const argv = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      ...asUser(owner).slice(1),
      ...this.#wrapper.words(request, rootfs),
      'sleep',
      'infinity',
    ];
    const kept = keepProgram(argv, {output: join(bundle, 'output'), ...request.stdio});
    let gone: Promise<void> | undefined;
    const remove = async (): Promise<void> => {
      await kept.end();
      rmSync(bundle, {recursive: true, force: true});
    };
    try {
      const pid = await kept.untilRuns('sleep', START_MS);
      const init = pid === undefined ? undefined : processOf(pid);
      if (init === undefined) throw this.refused(`run pod ${request.name}`, readText(join(bundle, 'output')) ?? '');
      const map = [{containerId: 0, hostId: owner, size: 1}];
      return {
        name: request.name,
        init,
        declared: {userNamespace: request.userNamespace, ...(request.userNamespace ? {uids: map, gids: map} : {})},
        exec: (words, options = {}) => this.#exec(init.pid, owner, words, options),
        remove: async () => {
          gone ??= remove();
          await gone;
        },
      };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** By nsenter(1), as the user whose namespace it is: owning it, they need no rights to join it. */
  async #exec(
    pid: number,
    owner: number,
    argv: readonly string[],
    options: NonNullable<Parameters<TargetPod['exec']>[1]>,
  ): Promise<ExecResult> {
    if (!this.has('exec')) throw this.lacks('exec', 'it has no command for that');
    if ((options.uid ?? 0) !== 0 && owner !== 0)
      throw this.lacks('exec', `uid ${options.uid} is not mapped: its pods have one id`);
    const user = options.uid === undefined ? [] : ['-S', String(options.uid), '-G', String(options.uid)];
    const how = owner === 0 ? user : ['-U', '--preserve-credentials'];
    const words = ['nsenter', '-t', String(pid), ...['-m', '-u', '-i', '-n', '-p', '-C'], ...how, '--', ...argv];
    const ran = await runProgram([...asUser(owner), ...words], {
      timeoutMs: options.timeoutMs ?? START_MS,
      ...(options.input === undefined ? {} : {input: options.input}),
    });
    if (ran.exitCode === undefined) throw this.refused(`run ${argv[0] ?? 'a program'} in a pod`, ran.stderr);
    return {exitCode: ran.exitCode, stdout: ran.stdout, stderr: ran.stderr};
  }

  protected async cleanUp(): Promise<void> {
    this.#folder.remove();
    await Promise.resolve();
  }
}

function asUser(uid: number): readonly string[] {
  return uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
}

function bwrapWords(program: string): Wrapper['words'] {
  return (request, rootfs) => [
    program,
    ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
    ...(request.userNamespace ? ['--unshare-user', '--uid', '0', '--gid', '0'] : []),
    '--as-pid-1',
    '--die-with-parent',
    ...['--bind', rootfs, '/'],
    ...userlandMounts().flatMap(({hostPath, containerPath}) => ['--ro-bind', hostPath, containerPath]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...(request.mounts ?? []).flatMap(({hostPath, containerPath, readonly}) => [
      readonly === true ? '--ro-bind' : '--bind',
      hostPath,
      containerPath,
    ]),
    ...(request.capabilities === 'all' ? ['--cap-add', 'ALL'] : []),
    '--',
  ];
}

/** Opens `bwrap`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_MISSING. */
export async function openBwrap(): Promise<Target> {
  requireRoot('bwrap');
  await sweepWorkFolders();
  const program = requireProgram('bwrap', 'bubblewrap');
  const {stdout} = await runProgram([program, '--version'], {timeoutMs: 5000});
  return new WrappedTarget({
    target: 'bwrap',
    version: stdout.trim(),
    more: ['mounts'],
    notes: [
      'run by an ordinary user, whose one id is root inside',
      'without --cap-add its root has no capability; it runs nothing in a sandbox that is there',
    ],
    words: bwrapWords(program),
  });
}

/** Opens `unshare`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_MISSING. */
export async function openUnshare(): Promise<Target> {
  requireRoot('unshare');
  await sweepWorkFolders();
  const program = requireProgram('unshare', 'util-linux');
  const {stdout} = await runProgram([program, '--version'], {timeoutMs: 5000});
  return new WrappedTarget({
    target: 'unshare',
    version: stdout.trim().replace(/^unshare from /, ''),
    more: ['exec'],
    notes: [
      'run by an ordinary user, whose one id is root inside',
      'it keeps the file system of the host, and gives every capability over the namespace',
    ],
    words: (request) => [
      program,
      ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc', '--uts', '--cgroup'],
      ...(request.userNamespace ? ['--user', '--map-root-user'] : []),
      '--',
    ],
  });
}

function requireProgram(name: string, dpkg: string): string {
  const program = findProgram(name);
  if (program !== undefined) return program;
  throw subrootError('SUBROOT_TARGET_MISSING', {
    target: name,
    why: `${name} is not in PATH`,
    mend: `install it: \`apt-get install ${dpkg}\``,
  });
}
