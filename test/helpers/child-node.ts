import {type ChildProcess, spawn} from 'node:child_process';
import {chmodSync, cpSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type {NodeOptions, PodInput} from '../../src/index.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
let bundle: Promise<string> | undefined;

/**
 * A folder, readable by every user, with the child's program and the CLI as bundles: they start six times as fast as from the source.
 * Removed when this process ends.
 */
export function programs(): Promise<string> {
  bundle ??= (async () => {
    const {build} = await import('esbuild');
    const folder = mkdtempSync(join(tmpdir(), 'subroot-programs-'));
    process.on('exit', () => rmSync(folder, {recursive: true, force: true}));
    await build({
      absWorkingDir: project,
      entryPoints: {'bin/node-child': 'test/fixtures/node-child.ts', 'bin/cli': 'src/cli/main.ts'},
      outdir: join(folder, 'program'),
      outExtension: {'.js': '.mjs'},
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      keepNames: true,
      external: ['node-pty'],
      banner: {js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);"},
    });
    for (const script of ['agent.pl', 'supervise.pl', 'volumes.pl', 'relay.pl', 'attacker.pl'])
      cpSync(join(project, 'src/host', script), join(folder, 'program', script));
    cpSync(join(project, 'package.json'), join(folder, 'package.json'));
    chmodSync(folder, 0o755);
    return join(folder, 'program');
  })();
  return bundle;
}

/** An error that the child threw, with the fields of a SubrootError. */
export class ChildError extends Error {
  readonly code: string | undefined;
  readonly layer: string | undefined;
  readonly mend: string | undefined;
  readonly details: Readonly<Record<string, string | number>>;
  constructor(fields: {
    name: string;
    message: string;
    code?: string;
    layer?: string;
    mend?: string;
    details?: Record<string, string | number>;
  }) {
    super(fields.message);
    this.name = fields.name;
    this.code = fields.code;
    this.layer = fields.layer;
    this.mend = fields.mend;
    this.details = fields.details ?? {};
  }
}

export interface ChildPod {
  readonly id: string;
  readonly name: string;
  readonly uid: string;
  readonly pid: number;
  readonly mode: string;
  readonly block?: {readonly first: number; readonly size: number};
}

export interface ChildOptions {
  /** Words before the program's: `['setpriv', '--reuid=…', '--']`, `['unshare', '-m', 'sh', '-c', 'mount …; exec "$@"', 'sh']`. */
  readonly prefix?: readonly string[];
  /** The whole environment but for what is given here is PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Gets the session that the child leads, so that what it leaves behind can be told from others' processes. */
  readonly sessions?: Set<number>;
}

export function environmentOf(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...env};
}

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the CLI to its end in an environment that holds PATH and what is given. */
export async function runCli(
  args: readonly string[],
  options: ChildOptions & {readonly input?: string} = {},
): Promise<Ran> {
  const program = join(await programs(), 'bin/cli.mjs');
  const [file = '', ...words] = [...(options.prefix ?? []), process.execPath, program, ...args];
  const child = spawn(file, words, {
    cwd: options.cwd ?? '/',
    env: environmentOf(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  options.sessions?.add(child.pid ?? -1);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({exitCode, stdout, stderr}));
  });
}

/** A process of its own with a node in it. It is killed at the end of the test if it still runs. */
export class ChildNode {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, {resolve: (value: never) => void; reject: (error: Error) => void}>();
  #next = 0;
  /** What it wrote to standard error. */
  stderr = '';
  readonly exited: Promise<{code: number | null; signal: string | null}>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    child.stdin?.on('error', () => {});
    if (child.stdout) createInterface({input: child.stdout}).on('line', (line) => this.#read(line));
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) => {
        for (const {reject} of this.#waiting.values())
          reject(new Error(`the child ended (${signal ?? code}): ${this.stderr}`));
        this.#waiting.clear();
        resolve({code, signal});
      };
      child.on('error', () => end(null, null));
      child.on('exit', end);
    });
  }

  static async start(t: ExecutionContext, options: ChildOptions = {}): Promise<ChildNode> {
    const program = join(await programs(), 'bin/node-child.mjs');
    const [file = '', ...args] = [...(options.prefix ?? []), process.execPath, program];
    const child = new ChildNode(
      spawn(file, args, {
        cwd: options.cwd ?? '/',
        env: environmentOf(options.env),
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      }),
    );
    options.sessions?.add(child.pid);
    t.teardown(() => child.kill());
    return child;
  }

  /** As start, and opens a node. */
  static async open(
    t: ExecutionContext,
    options: NodeOptions,
    how: ChildOptions = {},
  ): Promise<ChildNode & {agentPid: number; mode: string; reason: string}> {
    const child = await ChildNode.start(t, how);
    const {agentPid, mode, reason} = await child.call<{agentPid: number; mode: string; reason: string}>(
      'open',
      options,
    );
    return Object.assign(child, {agentPid, mode, reason});
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  #read(line: string): void {
    if (!line.startsWith('{"id":')) {
      this.stderr += `${line}\n`;
      return;
    }
    const {id, result, failure} = JSON.parse(line) as {
      id: number;
      result?: never;
      failure?: ConstructorParameters<typeof ChildError>[0];
    };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(new ChildError(failure));
    else waiting?.resolve(result as never);
  }

  /** Runs an operation of fixtures/node-child.ts. Rejects with ChildError, or when the child ends. */
  call<Result = unknown>(operation: string, ...words: unknown[]): Promise<Result> {
    const id = this.#next++;
    return new Promise<Result>((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        reject(new Error(`the child has ended: ${this.stderr}`));
        return;
      }
      this.#waiting.set(id, {resolve, reject});
      this.#child.stdin?.write(`${JSON.stringify({id, operation, words})}\n`);
    });
  }

  run(input: PodInput = {}): Promise<ChildPod> {
    return this.call('run', input);
  }

  /** The first pod of a manifest, with the ConfigMaps and Secrets beside it. */
  runText(text: string): Promise<ChildPod> {
    return this.call('runText', text);
  }

  /** Standard output of a shell script in a pod. */
  async sh(ref: string, script: string): Promise<string> {
    const {exitCode, stdout, stderr} = await this.call<{exitCode: number; stdout: string; stderr: string}>(
      'exec',
      ref,
      ['sh', '-c', script],
    );
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  /** SIGKILL, and waits until it has ended. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.exited;
  }
}
