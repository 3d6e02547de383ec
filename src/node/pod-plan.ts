import {execFileSync} from 'node:child_process';
import {readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {Mount} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import {parseImageReference} from '../../native-free/image-reference.ts';
import {
  type ConfinementOptions,
  confinementOf,
  containerConfigOf,
  type GetsubidsResult,
  type IdBlock,
  type IdPool,
  localVolumeHost,
  type Pod,
  plannedPodFiles,
  plannedSources,
  planVolumes,
  poolFrom,
  requireAdmitted,
  requireValidPod,
  sandboxConfigOf,
  startedContainers,
  type VolumeHost,
  type VolumePlan,
  wantsUserNamespace,
} from '../../sim/index.ts';
import {agentScript} from '../host/agent.ts';
import type {Step} from '../host/step.ts';
import {imageStoreRoot} from '../images/store-root.ts';
import {cgroupsOf, enforceableOf} from '../runtime/accounting.ts';
import {mappingsOf} from '../runtime/mappings.ts';
import {mountAs} from '../runtime/mount-plan.ts';
import {Planner} from '../runtime/planner.ts';
import {capabilitiesOf} from '../runtime/program.ts';
import {filterOf, refuseSecurityModules} from '../runtime/security-profile.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';
import {stateRoot} from '../state-root.ts';
import {chooseMode, type Mode, type ModeSetup} from '../userns/mode.ts';
import {readNodeFacts, readNodeFile} from './node-facts.ts';
import type {NodeOptions, PodInput} from './node-options.ts';
import {planImage} from './planned-image.ts';
import {isPod, objectsOf, podOf} from './pod-input.ts';
import {nodeResourcesFor} from './pod-limits.ts';

/** A volume of a plan. */
export interface PlannedVolumeView {
  readonly name: string;
  /** The field of the API: `emptyDir`, `hostPath`, `configMap`, … */
  readonly kind: string;
  readonly path: string;
  /**
   * Whose its files are: `shifted` by the mount, so that they look as on disk; `given` to the pod's ids; `nobody` in the pod; or as on
   * the `node`, for a pod without a user namespace.
   */
  readonly ids: 'shifted' | 'given' | 'nobody' | 'node';
  /** Of a tmpfs (`emptyDir.medium: Memory`). */
  readonly memory?: {readonly sizeBytes: number | null};
  /** Of a volume from the API: path, permission bits in octal, bytes. */
  readonly files?: readonly {readonly path: string; readonly mode: string; readonly bytes: number}[];
}

function viewOf(plan: VolumePlan, hasUserns: boolean, shiftsOwn: boolean): PlannedVolumeView[] {
  return plan.volumes.map((planned): PlannedVolumeView => {
    const {volume, path} = planned;
    const chosen = plan.volumeIds === 'idmap' ? 'shifted' : plan.volumeIds === 'chown' ? 'given' : 'nobody';
    const own = shiftsOwn ? 'shifted' : 'given';
    const ids = !hasUserns ? 'node' : volume.kind === 'hostPath' ? chosen : own;
    const isMemory = volume.kind === 'emptyDir' && volume.medium === 'Memory' && 'sizeBytes' in planned;
    return {
      name: volume.name,
      kind: volume.kind,
      path,
      ids,
      ...(isMemory && {memory: {sizeBytes: planned.sizeBytes === undefined ? null : Number(planned.sizeBytes)}}),
      ...('files' in planned && {
        files: planned.files.map((file) => ({
          path: file.path,
          mode: file.mode.toString(8).padStart(4, '0'),
          bytes: file.bytes.length,
        })),
      }),
    };
  });
}

/** Everything that starting a pod would do, as a value: `--dry-run` prints it, and the agent executes the same steps. */
export interface PodPlan {
  readonly pod: string;
  readonly mode: Mode;
  readonly reason: string;
  /** Absent for a pod in the node's own user namespace. */
  readonly userNamespace?: {
    /** Whose ids the creating process takes first, so that the pod's budgets are its own. */
    readonly owner: {readonly uid: number; readonly gid: number};
    readonly uidMap: string;
    readonly gidMap: string;
  };
  /** Tools that are run for the outer namespace, with PID for its process. */
  readonly tools: readonly (readonly string[])[];
  /** What each volume will be. Contents are not told: they may be secret. */
  readonly volumes: readonly PlannedVolumeView[];
  readonly parts: readonly {readonly what: string; readonly argv: readonly string[]; readonly steps: readonly Step[]}[];
}

/** The pod of a manifest or of an input, checked by the rules of the Kubernetes version. Errors: SUBROOT_IMAGE_NAME_INVALID, SUBROOT_POD_*. */
export function resolvePod(input: PodInput | Pod, options: NodeOptions): Pod {
  const pod = isPod(input) ? input : podOf(input, (image) => isStoreName(imageTarget(image, options)));
  const kubernetes = options.kubernetes ?? '1.37';
  requireValidPod(pod, {kubernetes});
  const {allowedUnsafeSysctls} = options;
  requireAdmitted(pod, {kubernetes, ...(allowedUnsafeSysctls ? {allowedUnsafeSysctls} : {})});
  for (const container of startedContainers(pod)) refuseSecurityModules(confinementOf(pod, container));
  for (const {image} of startedContainers(pod)) {
    const target = imageTarget(image, options);
    if (!isStoreName(target)) continue;
    const parsed = parseImageReference(target);
    if (!parsed.ok) throw subrootError('SUBROOT_IMAGE_NAME_INVALID', {image, why: parsed.why});
  }
  return pod;
}

/** What a node's kubelet is told of seccomp. */
export function confinementOptionsOf(root: string, {seccompDefault, seccompRoot}: NodeOptions): ConfinementOptions {
  return {seccompRoot: seccompRoot ?? join(root, 'seccomp'), seccompDefault: seccompDefault ?? false};
}

/** `host`, a folder, or the name of an image: what the node's table says (a tag is ignored where the table has none), else the name itself. */
export function imageTarget(image: string, {images = {}}: NodeOptions): string {
  const of = (name: string) => (Object.hasOwn(images, name) ? images[name] : undefined);
  return of(image) ?? of(image.replace(/:[^:/]*$/, '')) ?? image;
}

/** True for what is neither this machine's userland nor a folder. */
export function isStoreName(target: string): boolean {
  return target !== 'host' && !target.startsWith('/');
}

function runGetsubids(args: readonly string[]): GetsubidsResult {
  try {
    return {
      kind: 'exited',
      code: 0,
      stdout: execFileSync('getsubids', [...args], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']}),
      stderr: '',
    };
  } catch (error) {
    const failure = error as {code?: string; status?: number; stdout?: string; stderr?: string};
    if (failure.code === 'ENOENT') return {kind: 'missing'};
    return {kind: 'exited', code: failure.status ?? 1, stdout: failure.stdout ?? '', stderr: failure.stderr ?? ''};
  }
}

function hasAccount(name: string): boolean {
  return readFileSync('/etc/passwd', 'latin1').includes(`\n${name}:`);
}

/** Where a mode's pods get their ids: the kubelet's pool for `host`, the granted blocks for the others. */
export function poolOf(setup: ModeSetup, options: NodeOptions): {pool: IdPool; idsPerPod: number; maxPods: number} {
  const idsPerPod = options.idsPerPod ?? BLOCK_SIZE;
  if (setup.blocks === undefined) {
    const {pool} = poolFrom({
      ...(options.pool ? {explicit: options.pool} : {}),
      lookupAccount: (name) => ({kind: hasAccount(name) ? 'found' : 'unknown'}),
      getsubids: runGetsubids,
      idsPerPod,
      maxPods: 1,
    });
    return {pool, idsPerPod, maxPods: 1};
  }
  const [first] = setup.blocks;
  if (first === undefined || first.reduced)
    return {pool: {first: BLOCK_SIZE, length: BLOCK_SIZE}, idsPerPod: BLOCK_SIZE, maxPods: 1};
  return {pool: {first: first.start, length: setup.blocks.length * idsPerPod}, idsPerPod, maxPods: 1};
}

/** What can be said of volumes without an agent: only root of the machine shifts the ids of the machine's file systems. */
function dryVolumeHost({mode}: ModeSetup): VolumeHost {
  const why = mode === 'host' ? undefined : `only root of the machine may shift its ids, and this is mode ${mode}`;
  return {...localVolumeHost, whyNotIdmapped: async () => why};
}

/**
 * What starting a pod would do, without doing any of it: no id is claimed, no file is written, no process is made. The block is the
 * pool's first; the real one is picked at random. Errors: as createNode's and runPod's that can be known before.
 */
export async function planPod(input: PodInput | Pod, options: NodeOptions = {}): Promise<PodPlan> {
  const pod = resolvePod(input, options);
  const setup = await chooseMode(
    options.mode ?? 'auto',
    options.idsPerPod === undefined ? {} : {blockSize: options.idsPerPod},
  );
  const root = stateRoot(options.root);
  const granted = setup.blocks?.[0];
  const {pool, idsPerPod} = poolOf(setup, options);
  const sample: IdBlock = granted ? {hostId: granted.start, size: granted.size} : {hostId: pool.first, size: idsPerPod};
  const block = wantsUserNamespace(pod) ? sample : undefined;
  const config = sandboxConfigOf(pod, block, {logRoot: join(root, 'logs'), readNodeFile});
  const sandbox: SandboxRecord = {id: '', config, runtimeHandler: '', mode: setup.mode, createdAt: '0', bootId: ''};
  const nodeResources = await nodeResourcesFor(pod, {requireLimits: options.requireLimits ?? false});
  const planner = new Planner(root);
  const argv = ['perl', agentScript, 'serve', process.arch];
  const objects = objectsOf(options.objects);
  // The state folder need not be there.
  const node = () => readNodeFacts('/');
  const podDir = join(root, 'ledger', 'pods', pod.metadata.uid);
  const volumes = await planVolumes(pod, podDir, {
    sources: {objects, node},
    host: dryVolumeHost(setup),
    volumeIds: options.volumeIds ?? 'idmap',
  });
  const sourceOf = plannedSources(pod, volumes, setup.mode === 'host');
  const mountContext = {mode: setup.mode, mappings: mappingsOf(config), agentFolder: join(root, 'ledger', 'pods')};
  const map = block && `0 ${block.hostId} ${block.size}`;
  const containers: PodPlan['parts'][number][] = [];
  for (const container of pod.spec.containers) {
    const asked = containerConfigOf(pod, container, block, {
      sourceOf,
      ownMounts: plannedPodFiles(pod, podDir, container),
      resolveImage: (image) => imageTarget(image, options),
      objects,
      node,
      ...(options.kubernetes === undefined ? {} : {kubernetes: options.kubernetes}),
      confinement: confinementOptionsOf(root, options),
      ...(nodeResources ? {nodeResources} : {}),
    });
    const planned = isStoreName(asked.image.image)
      ? await planImage(imageStoreRoot(options), asked, sandbox, setup)
      : {config: asked};
    const context = planned.config.linux?.securityContext;
    const seccomp = await filterOf(context, capabilitiesOf(context).bounding);
    const resources = await enforceableOf(planned.config, false);
    const cgroups = await cgroupsOf('CONTAINER-ID', {...sandbox, id: 'SANDBOX-ID'}, resources);
    const mountOf = (mount: Mount) =>
      mountAs(mount, mountContext, statSync(mount.hostPath, {throwIfNoEntry: false})?.isDirectory() ?? true);
    const source = {
      ...planned,
      ...(seccomp ? {seccomp} : {}),
      ...(cgroups ? {cgroups} : {}),
      ...(resources ? {resources} : {}),
    };
    const steps = planner.container(source, sandbox, 0, mountOf);
    containers.push({what: `container ${container.name}`, argv, steps});
  }
  return {
    pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
    mode: setup.mode,
    reason: setup.reason,
    ...(block && map ? {userNamespace: {owner: {uid: block.hostId, gid: block.hostId}, uidMap: map, gidMap: map}} : {}),
    tools: setup.tools,
    volumes: viewOf(volumes, block !== undefined, setup.mode === 'host'),
    parts: [
      {
        what: 'sandbox: the process that keeps the namespaces',
        argv,
        steps: [
          ...planner.userns({mappings: mappingsOf(config), groups: setup.groups}),
          ...planner.sandbox(config, {bound: options.lifetime !== 'detached'}),
        ],
      },
      ...containers,
    ],
  };
}
