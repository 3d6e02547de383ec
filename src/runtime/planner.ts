import {readFileSync, statSync} from 'node:fs';
import {isAbsolute, join} from 'node:path';
import type {ContainerConfig, Mount, PodSandboxConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import type {Step} from '../host/step.ts';
import {type PlannedMount, planContainer, type RootSource} from './container-plan.ts';
import {builtinEtc, hostsFile, resolvFile} from './etc-files.ts';
import {mappingsOf, type PodMappings} from './mappings.ts';
import {hostnameOf, sharesOf, sysctlsOf} from './node-namespaces.ts';
import {accountingOf, type ProgramSource, programOf} from './program.ts';
import {planSandbox, planUserns, type SeccompFilter} from './sandbox-plan.ts';
import type {ContainerRecord, SandboxRecord} from './state-store.ts';
import {readAlternatives, readUserland, type UserlandEntry} from './userland.ts';

/** What OCI runtimes hide and protect when the request does not say. */
const defaultMaskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const defaultReadonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Turns CRI configurations into plans for this machine. It reads what the machine has and changes nothing. */
export class Planner {
  /** The links of /etc/alternatives that the image `host` gets, and where the agent keeps them. */
  readonly alternatives:
    | {readonly folder: string; readonly links: readonly (readonly [name: string, target: string])[]}
    | undefined;
  readonly #userland: readonly UserlandEntry[] = readUserland();
  readonly #cgroup2 = readFileSync('/proc/self/mountinfo', 'latin1').includes(' - cgroup2 ');

  constructor(root: string) {
    const links = readAlternatives();
    this.alternatives = links.length === 0 ? undefined : {folder: join(root, 'alternatives'), links};
  }

  /** What every root here is made of, but those of images. */
  get userland(): readonly UserlandEntry[] {
    return this.#userland;
  }

  /** The part of a sandbox's plan that can run ahead of its pod: its mapped user namespace; without mappings it shares the node's. */
  userns(input: {readonly mappings: PodMappings | undefined; readonly groups: '' | '-'}): Step[] {
    return planUserns({userland: this.#userland, ...input});
  }

  /** The rest of a sandbox's plan; without a configuration that of one which gets its pod later. */
  sandbox(
    config: PodSandboxConfig | undefined,
    input: {readonly bound: boolean; readonly seccomp?: SeccompFilter},
  ): Step[] {
    return planSandbox({
      userland: this.#userland,
      hostname: config ? hostnameOf(config) : 'localhost',
      shares: config ? sharesOf(config) : {network: false, pid: false, ipc: false},
      sysctls: config ? sysctlsOf(config) : [],
      ...input,
    });
  }

  /** The plan of a container's init; `mountOf` says what its mounts are. */
  container(
    container: ProgramSource & Pick<ContainerRecord, 'image'>,
    sandbox: SandboxRecord,
    holderPid: number,
    mountOf: (mount: Mount) => PlannedMount,
  ): Step[] {
    const {config, image} = container;
    const context = config.linux?.securityContext;
    const mappings = mappingsOf(sandbox.config);
    const pid = sandbox.config.linux?.securityContext?.namespaceOptions?.pid ?? 'CONTAINER';
    const hostname = hostnameOf(sandbox.config);
    const shares = sharesOf(sandbox.config);
    const root: RootSource =
      config.image.image === 'host'
        ? {kind: 'host', userland: this.#userland, alternatives: this.alternatives?.folder}
        : {
            kind: 'directory',
            paths: image?.lowers ?? [config.image.image],
            idmapped: mappings !== undefined && (image?.isShifted ?? sandbox.mode === 'host'),
          };
    const etc: Record<string, string> = {
      ...(root.kind === 'host' ? builtinEtc : {}),
      '/etc/hostname': `${hostname}\n`,
      '/etc/hosts': (shares.network && readNodeFile('/etc/hosts')) || hostsFile(hostname),
      '/etc/resolv.conf': resolvFile(
        sandbox.config.dnsConfig,
        shares.network ? readNodeFile('/etc/resolv.conf') : undefined,
      ),
    };
    const mounts = (config.mounts ?? []).map(mountOf);
    for (const {containerPath} of mounts) delete etc[containerPath];
    return planContainer({
      root,
      holderPid,
      hasUserns: mappings !== undefined,
      groups: sandbox.mode === 'single' ? '-' : '',
      ownPid: pid === 'CONTAINER',
      shares,
      ownsNode: sandbox.mode === 'host',
      cgroup2: this.#cgroup2,
      ttyGroup: mappings ? mappings.gids.length > 5 : sandbox.mode === 'host',
      etc,
      mounts,
      maskedPaths: context?.privileged ? [] : (context?.maskedPaths ?? defaultMaskedPaths),
      readonlyPaths: context?.privileged ? [] : (context?.readonlyPaths ?? defaultReadonlyPaths),
      readonlyRoot: context?.readonlyRootfs ?? false,
      terminal: config.tty ?? false,
      accounting: accountingOf(container),
      program: programOf(container, sandbox),
      argv: argvOf(config),
    });
  }
}

/** A file that a pod on the node's network has as the node has it; undefined where the node has none. */
function readNodeFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The words of a container's own program, its image's included by then. Throws SUBROOT_CONFIG_INVALID when there are none. */
export function argvOf(config: ContainerConfig): string[] {
  const argv = [...(config.command ?? []), ...(config.args ?? [])];
  if (argv.length === 0)
    throw subrootError('SUBROOT_CONFIG_INVALID', {
      field: 'command',
      why: 'neither the container nor its image names a program (the image `host`, a folder and an imported root have no entrypoint)',
    });
  return argv;
}

/** True for an image that is no folder and not this machine's userland: one of the store, if it is any. */
export function isStoreImage({image}: ContainerConfig): boolean {
  return image.image !== 'host' && !isAbsolute(image.image);
}

/** The error for an image that is not there. */
export function unknownImage({image: {image, userSpecifiedImage}}: ContainerConfig, why: string): Error {
  return subrootError('SUBROOT_IMAGE_UNKNOWN', {image: userSpecifiedImage ?? image, why});
}

/** Throws SUBROOT_IMAGE_UNKNOWN unless an image that is a path is one of a folder. */
export function requireFolder(config: ContainerConfig): void {
  const {image} = config.image;
  if (image === 'host') return;
  let isFolder: boolean;
  try {
    isFolder = statSync(image).isDirectory();
  } catch {
    throw unknownImage(config, `there is nothing at ${image}`);
  }
  if (!isFolder) throw unknownImage(config, `${image} is not a folder`);
}
