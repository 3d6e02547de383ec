import {execFileSync} from 'node:child_process';
import {accessSync, closeSync, constants, lstatSync, openSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {createRequire} from 'node:module';
import {delimiter, join, relative} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {cgroupHost} from '../../src/host/cgroups.ts';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import {createNode, type NodeOptions, type PodNode} from '../../src/index.ts';
import type {RunningPod} from '../../src/node/running-pod.ts';

/** What a test may need of the machine. */
export type Requirement =
  | 'linux'
  | 'root'
  | 'not-root'
  | 'userns'
  | 'newuidmap'
  | 'node-pty'
  | 'script'
  | 'stty'
  | 'bash'
  | 'zsh'
  | 'fish'
  | 'mountns'
  | 'setpriv'
  | 'perl'
  | 'openssl'
  | 'cgroup2'
  | 'cgroup-limits'
  | 'cgroup2-hugetlb'
  | 'runc'
  | 'crun'
  | 'podman'
  | 'bwrap'
  | 'unshare'
  | 'containerd'
  | 'docker-registry'
  | 'busybox'
  | 'zstd'
  | 'htpasswd';

function hasTool(name: string): boolean {
  return `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const tool = (name: string) => () => (hasTool(name) ? undefined : `${name} is not installed`);

const whyNoUnshare = (type: string, what: string) => () => {
  try {
    execFileSync('unshare', [`--${type}`, 'true'], {stdio: ['ignore', 'ignore', 'pipe']});
    return undefined;
  } catch (error) {
    return `no ${what} can be made (${error instanceof Error ? error.message.split('\n').at(-2) : error})`;
  }
};

/** Each answers why the machine lacks it, or undefined. */
const missing: Record<Requirement, () => string | undefined> = {
  linux: () => (process.platform === 'linux' ? undefined : `this is ${process.platform}`),
  root: () => (process.geteuid?.() === 0 ? undefined : `we are uid ${process.geteuid?.() ?? 'none'}, not root`),
  'not-root': () => (process.geteuid?.() === 0 ? 'we are root' : undefined),
  userns: whyNoUnshare('user', 'user namespace'),
  newuidmap: tool('newuidmap'),
  'node-pty': () => {
    try {
      createRequire(import.meta.url)('node-pty');
      return undefined;
    } catch (error) {
      return `node-pty cannot be loaded (${error instanceof Error ? error.message.split('\n')[0] : error})`;
    }
  },
  script: tool('script'),
  stty: tool('stty'),
  bash: tool('bash'),
  zsh: tool('zsh'),
  fish: tool('fish'),
  mountns: whyNoUnshare('mount', 'mount namespace'),
  setpriv: tool('setpriv'),
  perl: tool('perl'),
  runc: tool('runc'),
  crun: tool('crun'),
  podman: tool('podman'),
  bwrap: tool('bwrap'),
  unshare: tool('unshare'),
  containerd: tool('containerd'),
  'docker-registry': tool('docker-registry'),
  busybox: tool('busybox'),
  zstd: tool('zstd'),
  openssl: tool('openssl'),
  htpasswd: tool('htpasswd'),
  'cgroup-limits': () => {
    const {missing: lacking} = cgroupHost();
    const [first] = ['cpu', 'memory', 'pids', 'cpuset'].flatMap((name) => lacking[name] ?? []);
    return first === undefined ? undefined : `no limits can be enforced: ${first}`;
  },
  'cgroup2-hugetlb': () =>
    cgroupHost().bases.some(({hierarchy, controllers}) => hierarchy === 2 && controllers.includes('hugetlb'))
      ? undefined
      : 'the hugetlb controller is not one of cgroup v2',
  cgroup2: () =>
    / - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8')) ? undefined : 'no cgroup v2 hierarchy is mounted',
};

const answers = new Map<Requirement, string | undefined>();
const told = new Set<string>();

/** Why a requirement is not met here, or undefined. */
export function whyMissing(requirement: Requirement): string | undefined {
  if (!answers.has(requirement)) answers.set(requirement, missing[requirement]());
  return answers.get(requirement);
}

type Register = <Args extends unknown[]>(
  title: string,
  implementation: (t: ExecutionContext, ...args: Args) => unknown,
  ...args: Args
) => void;

/**
 * `hostTest('root', 'node-pty')(title, implementation)` or `.serial(…)`: ava's test where the machine has what is named, else a
 * counted skip whose reason is printed. With SUBROOT_REQUIRE_HOST=1 (CI) a test that would skip fails instead.
 */
export function hostTest(...requirements: Requirement[]): Register & {readonly serial: Register} {
  const reasons = requirements.flatMap((requirement) => whyMissing(requirement) ?? []);
  const register =
    (run: typeof test, skip: typeof test.skip): Register =>
    (title, implementation, ...args) => {
      if (reasons.length === 0) run(title, (t) => implementation(t, ...args) as Promise<void>);
      else if (process.env.SUBROOT_REQUIRE_HOST === '1') {
        run(title, (t) => t.fail(`SUBROOT_REQUIRE_HOST=1, and ${reasons.join(', ')}`));
      } else {
        const reason = reasons.join(', ');
        if (!told.has(reason)) console.warn(`skipped: ${reason}`);
        told.add(reason);
        skip(title, (t) => implementation(t, ...args) as Promise<void>);
      }
    };
  return Object.assign(register(test, test.skip), {serial: register(test.serial as typeof test, test.serial.skip)});
}

/** Polls until `probe` answers something other than undefined or false; the failure says what was waited for and `seen()`. */
export async function until<Result>(
  what: string,
  probe: () => Result | undefined | false | Promise<Result | undefined | false>,
  options: {readonly deadlineMs?: number; readonly seen?: () => string} = {},
): Promise<Result> {
  const deadlineMs = options.deadlineMs ?? 15_000;
  const startedAt = performance.now();
  for (let delay = 1; ; delay = Math.min(delay * 2, 25)) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (performance.now() - startedAt > deadlineMs) {
      throw new Error(`not within ${deadlineMs} ms: ${what}${options.seen ? `; seen: ${options.seen()}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}

/** A process as its identity and command line, for messages. */
export interface SeenProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly commandLine: string;
}

/** All processes that we can see; zombies are left out. */
export function processes(): SeenProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const pid = Number(name);
    const startTime = startTimeOf(pid);
    if (startTime === undefined) return [];
    try {
      return [{pid, startTime, commandLine: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}];
    } catch {
      return [];
    }
  });
}

const namespaceTypes = ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt'] as const;
type NamespaceType = (typeof namespaceTypes)[number];

function namespacesOf(pid: number | 'self'): Map<NamespaceType, string> {
  return new Map(
    namespaceTypes.flatMap((type) => {
      try {
        return [[type, readlinkSync(`/proc/${pid}/ns/${type}`)]];
      } catch {
        return [];
      }
    }),
  );
}

/** Everything below a folder, as paths relative to it; `!` marks what is neither a file nor a folder (FIFOs, sockets, links). */
export function contentsOf(folder: string): string[] {
  const walk = (path: string): string[] => {
    let names: string[];
    try {
      names = readdirSync(path);
    } catch (error) {
      // Gone, maybe since it was listed.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return names.flatMap((name) => {
      const full = join(path, name);
      const stat = lstatSync(full, {throwIfNoEntry: false});
      const shown = relative(folder, full);
      if (stat === undefined) return [];
      if (stat.isDirectory()) return [`${shown}/`, ...walk(full)];
      return [stat.isFile() ? shown : `${shown}!`];
    });
  };
  return walk(folder).sort();
}

/** Watches what a node makes, and tells what of it is still there. */
class Footprint {
  readonly #node: PodNode;
  readonly #own = new Set(namespacesOf('self').values());
  /** Held open: the kernel gives the number of a namespace that is gone to the next one, of whoever. */
  readonly #namespaces = new Map<string, number>();
  readonly #processes: SeenProcess[] = [];
  readonly #contents: ReadonlySet<string>;

  constructor(node: PodNode) {
    this.#node = node;
    this.#contents = new Set(contentsOf(node.root));
    this.#watch(node.runtime.agent.pid, 'the agent', namespaceTypes);
  }

  #watch(pid: number, commandLine: string, types: readonly NamespaceType[]): void {
    const startTime = startTimeOf(pid);
    if (startTime !== undefined) this.#processes.push({pid, startTime, commandLine});
    for (const [type, name] of namespacesOf(pid)) {
      if (!types.includes(type) || this.#own.has(name) || this.#namespaces.has(name)) continue;
      const fd = openSync(`/proc/${pid}/ns/${type}`, 'r');
      if (readlinkSync(`/proc/self/fd/${fd}`) === name) this.#namespaces.set(name, fd);
      else closeSync(fd);
    }
  }

  async add(pod: RunningPod): Promise<void> {
    // Not its mount namespaces, lest we keep mounts: whoever is in one of them is in its others too.
    const types = namespaceTypes.filter((type) => type !== 'mnt');
    this.#watch(pod.pid, `the holder of pod ${pod.name}`, types);
    for (const {pid, name} of await pod.containers()) {
      if (pid !== undefined) this.#watch(pid, `container ${name} of pod ${pod.name}`, types);
    }
  }

  close(): void {
    for (const fd of this.#namespaces.values()) closeSync(fd);
    this.#namespaces.clear();
  }

  /** Processes that live in the pods' namespaces, name the state folder, or were watched. */
  #leftProcesses(): string[] {
    const joined = processes().filter(({pid, commandLine}) => {
      if (pid === process.pid) return false;
      return (
        commandLine.includes(this.#node.root) ||
        [...namespacesOf(pid).values()].some((name) => this.#namespaces.has(name))
      );
    });
    const watched = this.#processes.filter(isProcessAlive);
    return [...new Map([...watched, ...joined].map((each) => [each.pid, each])).values()].map(
      ({pid, commandLine}) => `process ${pid}: ${commandLine}`,
    );
  }

  /** A line for each thing that is left, after the node was closed. */
  left(): string[] {
    const {root} = this.#node;
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return [
      ...this.#leftProcesses(),
      ...mounts.filter((line) => line.includes(root)).map((line) => `mount: ${line}`),
      // Empty folders at the top come with a feature's first use (evidence/, logs/NAMESPACE is not one).
      ...contentsOf(root)
        .filter((path) => !this.#contents.has(path) && !/^[^/]+\/$/.test(path))
        .map((path) => `in the state folder: ${path}`),
    ];
  }
}

/**
 * A node in a temporary folder. At the end of the test its pods (detached ones too) are removed and it is closed; then the test
 * fails if anything is left: a process in its pods' namespaces or with its folder in the command line, a mount, a block or pod in
 * the ledger, a plan, FIFO, socket, log or record in the folder.
 */
export async function withNode(t: ExecutionContext, options: NodeOptions = {}): Promise<PodNode> {
  const folder = await dir({prefix: 'subroot-test', unsafeCleanup: true});
  const node = await createNode({root: folder.path, ...options}).catch(async (error: unknown) => {
    await folder.cleanup();
    throw error;
  });
  const footprint = new Footprint(node);
  const runPod = node.runPod.bind(node);
  node.runPod = async (...args) => {
    const pod = await runPod(...args);
    await footprint.add(pod).catch(() => {});
    return pod;
  };
  t.teardown(async () => {
    const problems: string[] = [];
    for (const {id} of await node.pods()) await node.pod(id).remove();
    await node.close();
    // A process that was killed may take a moment to be gone; what stays is a leftover.
    await until('nothing is left of the node', () => footprint.left().length === 0, {deadlineMs: 15_000}).catch(() =>
      problems.push(...footprint.left()),
    );
    footprint.close();
    await folder.cleanup();
    if (problems.length > 0) throw new Error(`left behind by the node:\n  ${problems.join('\n  ')}`);
  });
  return node;
}
