import {randomUUID} from 'node:crypto';
import {mkdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {Mount, PodSandboxConfig} from '../../../native-free/cri.ts';
import {subrootError} from '../../../native-free/errors.ts';
import type {IdMapping} from '../../../native-free/id-map.ts';
import {findProgram} from '../../host/machine-files.ts';
import {namespaceOf} from '../../host/proc.ts';
import {runProgram} from '../../host/run-program.ts';
import type {Refusal, RefusalRule, RefusingTarget} from '../refusals.ts';
import type {TargetDescription} from '../result.ts';
import type {ExecResult, PodRequest, Target, TargetPod} from '../target.ts';
import {CriClient} from './cri-client.ts';
import {type SandboxVerbs, tryCriRule} from './cri-rules.ts';
import {FreeBlocks} from './free-blocks.ts';
import {writeImage} from './image-archive.ts';
import {abilitiesOf, isOfDeadRun, MakingTarget, processOf, requireRoot} from './making-target.ts';
import {maskedPaths, readonlyPaths} from './oci-config.ts';
import type {TargetOptions} from './open-target.ts';
import {makePodRoot, userlandMounts} from './pod-root.ts';
import {sweepWorkFolders, workFolder} from './work-folder.ts';

/** Our own image: folders and small files. Its programs are this machine's, mounted. */
const OWN_IMAGE = 'subroot.local/check:1';

/** As long as anybody waits; busybox knows no `infinity`. */
const STAYS = ['sleep', '2147483647'];

interface Facts {
  readonly version: string;
  /** The runtime says that it can. */
  readonly userNamespaces: boolean;
  readonly network: 'POD' | 'NODE';
}

/** A CRI runtime behind its socket, asked as the kubelet asks it. */
class CriTarget extends MakingTarget implements RefusingTarget {
  readonly description: TargetDescription;
  readonly #client: CriClient;
  readonly #socket: string;
  readonly #options: TargetOptions;
  readonly #network: 'POD' | 'NODE';
  readonly #folder = workFolder();
  readonly #blocks = new FreeBlocks();
  #image: Promise<string> | undefined;
  #imported = false;

  constructor(client: CriClient, target: string, socket: string, facts: Facts, options: TargetOptions) {
    super();
    this.#client = client;
    this.#socket = socket;
    this.#options = options;
    this.#network = facts.network;
    if (!facts.userNamespaces) this.note('the runtime does not say that it supports user namespaces');
    if (facts.network === 'NODE')
      this.note("the runtime has no network for pods (NetworkReady is false): pods share the host's network");
    this.description = {
      target,
      version: facts.version,
      abilities: abilitiesOf(
        ...(['start', 'two-pods', 'same-range', 'control', 'exec', 'all-capabilities', 'mounts', 'outside'] as const),
        ...(facts.userNamespaces ? (['idmapped-mounts'] as const) : []),
      ),
      notes: this.notes,
    };
  }

  get #handler(): string {
    return this.#options.runtimeHandler ?? '';
  }

  async tryRule(rule: RefusalRule): Promise<Refusal | undefined> {
    const client = this.#client;
    const verbs: SandboxVerbs = {
      runPodSandbox: (request) => client.call('RunPodSandbox', request),
      stopPodSandbox: async (request) => {
        await client.call('StopPodSandbox', request);
      },
      removePodSandbox: async (request) => {
        await client.call('RemovePodSandbox', request);
      },
      createContainer: (request) => client.call('CreateContainer', request),
    };
    const {start: firstId} = this.#blocks.take();
    const container = {image: {image: await this.#imageName()}, command: STAYS, mounts: []};
    return await tryCriRule({verbs, firstId, network: this.#network, runtimeHandler: this.#handler, container}, rule);
  }

  protected async make(request: PodRequest, id: string): Promise<TargetPod> {
    const image = await this.#imageName();
    const {start, size} = request.range ? {start: request.range.hostId, size: request.range.size} : this.#blocks.take();
    const map: readonly IdMapping[] = [{containerId: 0, hostId: start, size}];
    const mapping = [{containerId: 0, hostId: start, length: size}];
    const usernsOptions = request.userNamespace
      ? {mode: 'POD' as const, uids: mapping, gids: mapping}
      : {mode: 'NODE' as const, uids: [], gids: []};
    const namespaceOptions = {network: this.#network, pid: 'CONTAINER' as const, ipc: 'POD' as const, usernsOptions};
    const config: PodSandboxConfig = {
      metadata: {name: id, uid: randomUUID(), namespace: 'subroot-check', attempt: 0},
      // The host's own name belongs to the host's network.
      ...(this.#network === 'POD' ? {hostname: 'subroot-check'} : {}),
      linux: {securityContext: {namespaceOptions}},
    };
    let podSandboxId: string | undefined;
    let gone: Promise<void> | undefined;
    const remove = async (): Promise<void> => {
      if (podSandboxId === undefined) return;
      await this.#client.call('StopPodSandbox', {podSandboxId});
      await this.#client.call('RemovePodSandbox', {podSandboxId});
    };
    try {
      ({podSandboxId} = await this.#client.call<{podSandboxId: string}>('RunPodSandbox', {
        config,
        runtimeHandler: this.#handler,
      }));
      const {containerId} = await this.#client.call<{containerId: string}>('CreateContainer', {
        podSandboxId,
        sandboxConfig: config,
        config: {
          metadata: {name: 'check', attempt: 0},
          image: {image},
          command: STAYS,
          mounts: this.#mounts(request, request.userNamespace ? mapping : []),
          linux: {
            securityContext: {
              namespaceOptions,
              maskedPaths,
              readonlyPaths,
              ...(request.capabilities === 'all' ? {capabilities: {addCapabilities: ['ALL']}} : {}),
            },
          },
        },
      });
      await this.#client.call('StartContainer', {containerId});
      const {info = {}} = await this.#client.call<{info?: Record<string, string>}>('ContainerStatus', {
        containerId,
        verbose: true,
      });
      const pid = pidOf(info.info);
      const init = pid === undefined ? undefined : processOf(pid);
      if (init === undefined) throw new Error('the runtime names no process of the container that lives');
      if (request.userNamespace && namespaceOf(init.pid, 'user') === namespaceOf('self', 'user'))
        this.note('the runtime was asked for a user namespace, and made none without a word');
      return {
        name: request.name,
        init,
        declared: {userNamespace: request.userNamespace, ...(request.userNamespace ? {uids: map, gids: map} : {})},
        exec: (argv, options = {}) => this.#exec(containerId, argv, options),
        remove: async () => {
          gone ??= remove();
          await gone;
        },
      };
    } catch (error) {
      await remove().catch(() => {});
      throw this.refused(`run pod ${request.name}`, error instanceof Error ? error.message : String(error));
    }
  }

  /** The kubelet has every mount of a pod with a user namespace shifted; a plain one is what the request says. */
  #mounts(request: PodRequest, mapping: Mount['uidMappings']): Mount[] {
    const shifted = this.has('idmapped-mounts') ? {uidMappings: mapping ?? [], gidMappings: mapping ?? []} : {};
    return [
      ...(this.#options.image === undefined
        ? userlandMounts().map((mount) => ({...mount, readonly: true, ...shifted}))
        : []),
      ...(request.mounts ?? []).map(({hostPath, containerPath, readonly = false, idmapped}) => ({
        hostPath,
        containerPath,
        readonly,
        ...(idmapped === true ? shifted : {}),
      })),
    ];
  }

  async #exec(
    containerId: string,
    argv: readonly string[],
    options: NonNullable<Parameters<TargetPod['exec']>[1]>,
  ): Promise<ExecResult> {
    if (options.input !== undefined) throw this.lacks('exec', 'ExecSync has no standard input');
    if ((options.uid ?? 0) !== 0) throw this.lacks('exec', 'ExecSync has no choice of the user');
    const timeout = Math.ceil((options.timeoutMs ?? 30_000) / 1000);
    try {
      const {stdout, stderr, exitCode} = await this.#client.call<{
        stdout?: Buffer;
        stderr?: Buffer;
        exitCode?: number;
      }>('ExecSync', {containerId, cmd: argv, timeout}, (timeout + 5) * 1000);
      return {
        exitCode: exitCode ?? 0,
        stdout: Buffer.from(stdout ?? []).toString('utf8'),
        stderr: Buffer.from(stderr ?? []).toString('utf8'),
      };
    } catch (error) {
      throw this.refused(
        `run ${argv[0] ?? 'a program'} in a pod`,
        error instanceof Error ? error.message : String(error),
      );
    }
  }

  /** The image that was named; else our own, imported once. */
  #imageName(): Promise<string> {
    this.#image ??= this.#options.image === undefined ? this.#importOwn() : this.#requireImage(this.#options.image);
    return this.#image;
  }

  async #requireImage(name: string): Promise<string> {
    const {image} = await this.#client.call<{image?: {id?: string}}>('ImageStatus', {image: {image: name}});
    if (image?.id !== undefined && image.id !== '') return image.id;
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target: this.description.target,
      why: `it has no image ${name}`,
      mend: `pull it first (\`crictl pull ${name}\`); it must have \`sleep\` in it`,
    });
  }

  async #importOwn(): Promise<string> {
    const ctr = findProgram('ctr');
    if (ctr === undefined)
      throw subrootError('SUBROOT_TARGET_MISSING', {
        target: this.description.target,
        why: 'there is no ctr to bring an image into it',
        mend: 'name an image that it has: --image NAME; it must have `sleep` in it',
      });
    const folder = join(this.#folder.path, 'image');
    mkdirSync(folder, {mode: 0o700});
    makePodRoot(join(folder, 'root'), 0);
    const archive = await writeImage({
      root: join(folder, 'root'),
      folder,
      name: OWN_IMAGE,
      command: STAYS,
    });
    const words = ['--address', this.#socket, '--namespace', 'k8s.io', 'images', 'import', archive];
    const ran = await runProgram([ctr, ...words]);
    if (ran.exitCode !== 0) throw this.refused('import an image', ran.stderr || ran.stdout);
    this.#imported = true;
    return OWN_IMAGE;
  }

  protected async cleanUp(): Promise<void> {
    try {
      if (this.#imported) await this.#client.call('RemoveImage', {image: {image: OWN_IMAGE}});
    } finally {
      this.#client.close();
      this.#folder.remove();
    }
  }
}

/** containerd and CRI-O put JSON with the pid there. */
function pidOf(info: string | undefined): number | undefined {
  try {
    const {pid} = JSON.parse(info ?? '') as {pid?: unknown};
    return typeof pid === 'number' && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Opens `cri:unix:///PATH` or `cri:/PATH`. Throws SUBROOT_TARGET_NEEDS_ROOT, SUBROOT_TARGET_UNKNOWN, SUBROOT_TARGET_MISSING. */
export async function openCri(address: string, options: TargetOptions): Promise<Target> {
  const target = `cri:${address}`;
  requireRoot(target);
  await sweepWorkFolders();
  const socket = address.replace(/^unix:(\/\/)?/, '');
  if (!socket.startsWith('/'))
    throw subrootError('SUBROOT_TARGET_UNKNOWN', {target, why: 'the address of a socket is unix:///PATH'});
  if (statSync(socket, {throwIfNoEntry: false})?.isSocket() !== true)
    throw subrootError('SUBROOT_TARGET_MISSING', {
      target,
      why: `there is no socket ${socket}`,
      mend: 'start the runtime, or write where its socket is: cri:unix:///run/containerd/containerd.sock',
    });
  const client = await CriClient.connect(socket);
  try {
    await removeDead(client);
    return new CriTarget(client, target, socket, await factsOf(client, options.runtimeHandler ?? ''), options);
  } catch (error) {
    client.close();
    throw subrootError(
      'SUBROOT_TARGET_MISSING',
      {
        target,
        why: `nobody who speaks CRI v1 answers: ${error instanceof Error ? error.message : String(error)}`,
        mend: 'see that the runtime runs, and that its CRI plugin is not disabled',
      },
      error,
    );
  }
}

/** Removes pods of runs that were killed. */
async function removeDead(client: CriClient): Promise<void> {
  const {items = []} = await client.call<{items?: {id: string; metadata?: {name?: string; namespace?: string}}[]}>(
    'ListPodSandbox',
    {},
    5000,
  );
  for (const {id: podSandboxId, metadata} of items) {
    if (metadata?.namespace !== 'subroot-check' || !isOfDeadRun(metadata.name ?? '')) continue;
    await client.call('StopPodSandbox', {podSandboxId});
    await client.call('RemovePodSandbox', {podSandboxId});
  }
}

async function factsOf(client: CriClient, handler: string): Promise<Facts> {
  const {runtimeName = '', runtimeVersion = ''} = await client.call<{runtimeName?: string; runtimeVersion?: string}>(
    'Version',
    {},
    5000,
  );
  const {status, runtimeHandlers = []} = await client.call<{
    status?: {conditions?: {type?: string; status?: boolean}[]};
    runtimeHandlers?: {name?: string; features?: {userNamespaces?: boolean}}[];
  }>('Status', {}, 5000);
  const ready = status?.conditions?.find(({type}) => type === 'NetworkReady')?.status === true;
  const own = runtimeHandlers.find(({name = ''}) => name === handler);
  return {
    version: `${runtimeName} ${runtimeVersion}`,
    userNamespaces: own?.features?.userNamespaces === true,
    network: ready ? 'POD' : 'NODE',
  };
}
