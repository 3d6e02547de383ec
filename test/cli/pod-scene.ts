import {closeSync, openSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import {dir} from 'tmp-promise';
import {contentsOf, processes, until} from '../helpers/host-test.ts';
import {bundledMain} from './bundle.ts';
import {type CliResult, runCli, type StartedCli, startCli} from './run-cli.ts';

/** A manifest of one pod in a user namespace of its own, on this machine's userland. */
export function manifest(name: string, containers: readonly object[], more: PodParts = {}): string {
  const {namespace, labels, ...spec} = more;
  return `${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name, ...(namespace ? {namespace} : {}), ...(labels ? {labels} : {})},
    spec: {hostUsers: false, ...spec, containers},
  })}\n`;
}

interface PodParts {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** A container that runs a shell script. */
export function shell(name: string, script: string, more: object = {}): object {
  return {name, image: 'host', command: ['sh', '-c', script], ...more};
}

let marks = 0;
/** A number of seconds that nobody else sleeps: its process is ours. */
export function marker(): string {
  marks += 1;
  return `${100_000 + process.pid}.${marks}`;
}

export function isSleeping(mark: string): boolean {
  return processes().some(({commandLine}) => commandLine === `sleep ${mark}`);
}

/** Ends the sleep of that number, so that the script behind it goes on. */
export function wake(mark: string): void {
  const sleeper = processes().find(({commandLine}) => commandLine === `sleep ${mark}`);
  if (sleeper === undefined) throw new Error(`nobody sleeps ${mark}`);
  process.kill(sleeper.pid, 'SIGTERM');
}

/** A state folder of a test's own, and the program on it. */
export class PodScene {
  readonly root: string;
  readonly #held: number[] = [];
  readonly #namespaces = new Set<string>();
  readonly #removeFolder: () => Promise<void>;

  /** The words that start the program. */
  readonly program: readonly string[];

  private constructor(root: string, program: readonly string[], removeFolder: () => Promise<void>) {
    this.root = root;
    this.program = program;
    this.#removeFolder = removeFolder;
  }

  static async open(): Promise<PodScene> {
    const {path, cleanup} = await dir({prefix: 'subroot-cli-', unsafeCleanup: true});
    return new PodScene(join(path, 'state'), [process.execPath, await bundledMain()], cleanup);
  }

  readonly subroot = (args: readonly string[], input?: string): Promise<CliResult> =>
    runCli(args, {SUBROOT_ROOT: this.root}, input, this.program);

  readonly start = (...args: readonly string[]): StartedCli => startCli(args, {SUBROOT_ROOT: this.root}, this.program);

  /** Runs the pods of a manifest; throws what the program says when they do not start. */
  async run(text: string, ...flags: readonly string[]): Promise<CliResult> {
    const result = await this.subroot(['run', '-', ...flags], text);
    if (result.exitCode !== 0) throw new Error(result.stderr);
    this.remember();
    return result;
  }

  /** Notes the user namespaces of the pods that there are, to look for processes in them at the end. */
  remember(): void {
    for (const id of namesIn(join(this.root, 'sandboxes'))) {
      try {
        const {holder} = JSON.parse(readFileSync(join(this.root, 'sandboxes', id, 'state.json'), 'utf8')) as {
          holder: {pid: number};
        };
        const namespace = readlinkSync(`/proc/${holder.pid}/ns/user`);
        if (namespace === readlinkSync('/proc/self/ns/user') || this.#namespaces.has(namespace)) continue;
        // Held open: the number of a namespace that is gone is soon another's, of a test beside this one.
        this.#held.push(openSync(`/proc/${holder.pid}/ns/user`, 'r'));
        this.#namespaces.add(namespace);
      } catch {
        // Not started yet, or gone.
      }
    }
  }

  /** What is there of pods: processes of them or of their supervisors, mounts, records, logs, names, volumes and blocks. */
  left(): string[] {
    const ours = processes().filter(({pid, commandLine}) => {
      if (commandLine.includes(this.root)) return true;
      try {
        if (this.#namespaces.has(readlinkSync(`/proc/${pid}/ns/user`))) return true;
        const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
        return files.some((path) => path.startsWith(this.root));
      } catch {
        return false;
      }
    });
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const kept = /^(version|ledger\/version|[a-z]+\/|ledger\/[a-z]+\/)$/;
    return [
      ...ours.map(({pid, commandLine}) => `process ${pid}: ${commandLine}`),
      ...mounts.filter((line) => line.includes(this.root)).map((line) => `mount: ${line}`),
      ...(namesIn(this.root).length === 0 ? [] : contentsOf(this.root).filter((path) => !kept.test(path))),
    ];
  }

  /** Throws when something of the pods stays; a process that was killed may take a moment to be gone. */
  async expectNothingLeft(): Promise<void> {
    await until('nothing is left', () => this.left().length === 0, {
      deadlineMs: 15_000,
      seen: () => this.left().join('\n'),
    });
  }

  /** Removes all pods and the folder; throws when something stays. */
  async close(): Promise<void> {
    this.remember();
    if (namesIn(join(this.root, 'sandboxes')).length > 0) await this.subroot(['rm', '--all']);
    try {
      await this.expectNothingLeft();
    } finally {
      for (const fd of this.#held.splice(0)) closeSync(fd);
      await this.#removeFolder();
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A scene for one test. */
export async function withScene(t: {teardown(f: () => unknown): void}): Promise<PodScene> {
  const scene = await PodScene.open();
  t.teardown(() => scene.close());
  return scene;
}
