import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import type {Socket} from 'node:net';
import {constants} from 'node:os';
import {fileURLToPath} from 'node:url';
import {subrootError} from '../../native-free/errors.ts';
import type {Step} from './step.ts';
import {decodeWord, encodeRequest} from './words.ts';

/** The agent's script: beside the bundle when published, beside this file in development. */
export const agentScript =
  ['./agent.pl', '../agent.pl']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path)) ?? fileURLToPath(new URL('./agent.pl', import.meta.url));

const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));
/** `EPERM` of 1; `E0` stands for "no errno". */
export function errnoName(number: number): string {
  return errnoNames.get(number) ?? `E${number}`;
}

/** A step, verb or handshake that the kernel refused, as the agent told it. `step` is the index in the plan, -1 before it. */
export class AgentFailure extends Error {
  readonly step: number;
  readonly errno: string;
  readonly text: string;
  constructor(step: number, errno: string, text: string) {
    super(`${errno}: ${text}`);
    this.name = 'AgentFailure';
    this.step = step;
    this.errno = errno;
    this.text = text;
  }
}

/** A program's end: `exitCode` is 128 + signal when a signal ended it; `finishedAt` in nanoseconds since the epoch. */
export interface ProgramExit {
  readonly exitCode: number;
  readonly signal: number;
  readonly finishedAt: bigint;
}

/** A process by pid and start time (field 22 of /proc/PID/stat), since pids are re-used within minutes. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

/** A program that the agent started and watches. */
export interface Launched extends ProcessIdentity {
  /** The process that waits for it and records its end: the resident agent, or the supervisor of a detached one. */
  readonly supervisor: ProcessIdentity;
  /** Set for programs the resident agent supervises; never settles for a detached one. */
  readonly exited: Promise<ProgramExit>;
}

/**
 * How an agent becomes the root it needs: as we are, as root of a new outer namespace mapped by `map(pid)`, or as root of the outer
 * namespace that a pod's holder lives in.
 */
export type AgentEntry =
  | {readonly kind: 'direct'}
  | {readonly kind: 'outer'; readonly map: (pid: number) => Promise<{keepGroups: boolean}>}
  | {readonly kind: 'join'; readonly holder: ProcessIdentity; readonly groups: '' | '-'};

function argvOf(entry: AgentEntry): string[] {
  if (entry.kind === 'outer') return ['outer', process.arch];
  if (entry.kind === 'join')
    return ['join', process.arch, String(entry.holder.pid), entry.holder.startTime, entry.groups];
  return ['serve', process.arch];
}

interface Pending {
  onEvent(event: string, words: readonly string[]): void;
}

function failureOf(words: readonly string[]): AgentFailure {
  return new AgentFailure(Number(words[0]), errnoName(Number(words[1])), decodeWord(words[2] ?? '%'));
}

/**
 * The resident agent: one small perl process, forked while we are small, that makes every namespace, mount and process of ours.
 * Requests are written in order and answered by events; a fork of it costs a fifth of a millisecond however large we are.
 */
export class Agent {
  readonly #child: ChildProcess;
  readonly #pending = new Map<string, Pending>();
  #buffer = '';
  #told = '';
  #next = 0;
  #stderr = '';
  #ended = false;
  #missing = false;
  #expected = 1;
  readonly closed: Promise<void>;
  pid = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.stdin?.on('error', () => {});
    this.closed = new Promise((resolve) => {
      child.on('error', (error) => this.#fail(error, resolve));
      child.on('close', () => this.#fail(undefined, resolve));
    });
  }

  /** Starts an agent. Errors: SUBROOT_PERL_MISSING, SUBROOT_AGENT_FAILED, and what `entry.map` throws. */
  static async start(entry: AgentEntry, options: {perl?: string} = {}): Promise<Agent> {
    const child = spawn(options.perl ?? 'perl', [agentScript, ...argvOf(entry)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'},
      cwd: '/',
    });
    const agent = new Agent(child);
    await agent.#handshake(entry);
    agent.#expect(-1);
    return agent;
  }

  /** Counts answers waited for: an idle agent does not keep our process from ending (it goes when we do), a busy one does. */
  #expect(change: 1 | -1): void {
    this.#expected += change;
    if (this.#expected === 0 || (this.#expected === 1 && change === 1)) {
      const verb = this.#expected === 0 ? 'unref' : 'ref';
      this.#child[verb]();
      for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr])
        (stream as unknown as Partial<Socket> | null)?.[verb]?.();
    }
  }

  async #handshake(entry: AgentEntry): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#pending.set('agent', {
        onEvent: (event, words) => {
          if (event === 'up') {
            this.pid = Number(words[0]);
            resolve();
          } else if (event === 'map' && entry.kind === 'outer') {
            entry.map(Number(words[0])).then(
              ({keepGroups}) => this.#child.stdin?.write(`go ${keepGroups ? '-' : '%'}\n`),
              (error: unknown) => {
                reject(error instanceof Error ? error : new Error(String(error)));
                this.close().catch(() => {});
              },
            );
          } else if (event === 'fail')
            reject(new AgentFailure(-1, errnoName(Number(words[1])), `${words[0]}: ${decodeWord(words[2] ?? '%')}`));
          else if (event === 'closed') reject(this.#gone());
        },
      });
    });
    this.#pending.delete('agent');
  }

  #gone(): Error {
    if (this.#missing) return subrootError('SUBROOT_PERL_MISSING', {tried: process.env.PATH ?? ''});
    return subrootError('SUBROOT_AGENT_FAILED', {what: this.#stderr.trim() || 'it ended'});
  }

  #fail(error: Error | undefined, resolve: () => void): void {
    if (error) this.#stderr += error.message;
    this.#missing = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    this.#ended = true;
    for (const pending of [...this.#pending.values()]) pending.onEvent('closed', []);
    this.#pending.clear();
    resolve();
  }

  #read(text: string): void {
    this.#buffer += text;
    let from = 0;
    for (let end = this.#buffer.indexOf('\n', from); end >= 0; end = this.#buffer.indexOf('\n', from)) {
      const [id = '', event = '', ...words] = this.#buffer.slice(from, end).split(' ');
      from = end + 1;
      this.#pending.get(id)?.onEvent(event, words);
    }
    this.#buffer = this.#buffer.slice(from);
  }

  #send(words: readonly string[], steps: readonly Step[], onEvent: Pending['onEvent']): string {
    const id = `r${this.#next++}`;
    if (this.#ended) {
      queueMicrotask(() => onEvent('closed', []));
      return id;
    }
    this.#pending.set(id, {onEvent});
    this.#flush(encodeRequest([id, ...words], steps));
    return id;
  }

  /**
   * Tells the agent what it need not answer. It travels with the next request, or at the end of this turn of the event loop: every
   * write wakes the agent, which costs a tenth of a millisecond.
   */
  tell(verb: 'leftover' | 'keep', words: readonly string[]): void {
    if (this.#ended) return;
    if (this.#told === '') setImmediate(() => this.#flush(''));
    this.#told += encodeRequest(['-', verb, ...words], []);
  }

  #flush(request: string): void {
    const text = this.#told + request;
    this.#told = '';
    if (text !== '' && !this.#ended) this.#child.stdin?.write(text);
  }

  /** Runs one verb and answers its words. Throws AgentFailure. */
  request(verb: string, words: readonly string[] = [], steps: readonly Step[] = []): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.#expect(1);
      const id = this.#send([verb, ...words], steps, (event, answer) => {
        this.#expect(-1);
        this.#pending.delete(id);
        if (event === 'ok') resolve(answer);
        else reject(event === 'fail' ? failureOf(answer) : this.#gone());
      });
    });
  }

  /**
   * Runs a plan that ends in `exec`; resolves when the program runs, with its pid as we see it. `until: 'pid'` resolves at the
   * plan's `whoami` instead: what the steps before it made is ready, the exec is still to come.
   * `options` are the agent's (log, exitfile, socket, fifo, …). Throws AgentFailure with the index of the step that failed.
   */
  launch(
    options: Readonly<Record<string, string>>,
    steps: readonly Step[],
    until: 'pid' | 'exec' = 'exec',
  ): Promise<Launched & {id: string}> {
    let settleExit: (exit: ProgramExit) => void = () => {};
    const exited = new Promise<ProgramExit>((resolve) => {
      settleExit = resolve;
    });
    return new Promise((resolve, reject) => {
      let identity: (ProcessIdentity & {supervisor: ProcessIdentity}) | undefined;
      let starting = true;
      const started = () => {
        if (starting) this.#expect(-1);
        starting = false;
      };
      this.#expect(1);
      const id = this.#send(
        ['start', ...Object.entries(options).map(([key, value]) => `${key}=${value}`)],
        steps,
        (event, words) => {
          if (event === 'pid') {
            identity = {
              pid: Number(words[0]),
              startTime: words[1] ?? '',
              supervisor: {pid: Number(words[2]), startTime: words[3] ?? ''},
            };
            if (until === 'pid') {
              started();
              resolve({id, ...identity, exited});
            }
          } else if (event === 'ready') {
            started();
            if (identity) resolve({id, ...identity, exited});
            if (options.detached) this.#pending.delete(id);
          } else if (event === 'exit') {
            this.#pending.delete(id);
            settleExit({exitCode: Number(words[0]), signal: Number(words[1]), finishedAt: BigInt(words[2] ?? 0)});
          } else {
            started();
            this.#pending.delete(id);
            reject(event === 'fail' ? failureOf(words) : this.#gone());
            settleExit({exitCode: 255, signal: 0, finishedAt: 0n});
          }
        },
      );
    });
  }

  /**
   * Has a process run the first part of a plan and wait with what it has made; `launch` with `key` gives it the rest.
   * It ends with its agent. Throws AgentFailure with the index of the step that failed.
   */
  park(steps: readonly Step[]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#expect(1);
      const id = this.#send(['start', 'holder=1'], steps, (event, words) => {
        this.#expect(-1);
        this.#pending.delete(id);
        if (event === 'parked') resolve(id);
        else reject(event === 'fail' ? failureOf(words) : this.#gone());
      });
    });
  }

  /** Waits for something of a running program; our process does not end meanwhile. */
  async await<Result>(promise: Promise<Result>): Promise<Result> {
    this.#expect(1);
    try {
      return await promise;
    } finally {
      this.#expect(-1);
    }
  }

  /** Ends the agent: everything bound to it is killed and its leftovers are removed. Resolves when it is gone. */
  async close(): Promise<void> {
    if (!this.#ended) {
      this.#expect(1);
      this.#flush('');
      this.#child.stdin?.end();
    }
    await this.closed;
  }
}
