import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {subrootError} from '../../native-free/errors.ts';
import {errnoName} from './agent.ts';
import {encodeRequest} from './words.ts';

/** The attacker's script: beside the bundle when published, beside this file in development. */
const attackerScript =
  ['./attacker.pl', '../attacker.pl']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path)) ?? fileURLToPath(new URL('./attacker.pl', import.meta.url));

/** Programs of an attempt are found by their full paths; this is for perl. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A step by which a process becomes who it is to be; the names are in attacker.pl. */
export type SetupStep = readonly [name: string, ...words: string[]];

/** A call of an attempt as attacker.pl takes it: name, key of its result, whether it must succeed, arguments. */
export type AttackCall = readonly [call: string, key: string, how: '!' | '?', ...args: string[]];

/** What the kernel answered to one call. */
export interface CallResult {
  readonly result: number;
  /** Name of the errno; absent when it succeeded. */
  readonly errno?: string;
  /** What was read: each as bytes in latin1. */
  readonly texts: readonly string[];
}

/** How an attempt ended: all its calls were made, it was stopped by the time limit or a signal, or it could not be begun. */
export interface AttemptEnd {
  readonly how: 'done' | 'held' | 'timeout' | 'signal' | 'unforked' | 'gone' | 'released';
  readonly number?: number;
  readonly calls: readonly CallResult[];
}

/** A setup that the kernel refused: which step, and its errno. */
export class AttackerRefused extends Error {
  readonly step: string;
  readonly errno: string;
  constructor(step: string, errno: string) {
    super(`${errno}: ${step}`);
    this.name = 'AttackerRefused';
    this.step = step;
    this.errno = errno;
  }
}

interface Running {
  readonly calls: CallResult[];
  settle(end: AttemptEnd): void;
}

/**
 * One process that makes attempts with the credentials that its setup gave it. Attempts run one after the other, each in a child. It ends
 * with our process, and everything that it started ends with it.
 */
export class AttackProcess {
  readonly #child: ChildProcess;
  readonly #running = new Map<string, Running>();
  #buffer = '';
  #stderr = '';
  #ended = false;
  #next = 0;
  #ready: {resolve(pid: number): void; reject(error: Error): void} | undefined;
  #steps: readonly SetupStep[] = [];
  readonly #closed: Promise<void>;
  pid = 0;

  private constructor() {
    this.#child = spawn('perl', [attackerScript, process.arch], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {PATH: searchPath, LC_ALL: 'C'},
      cwd: '/',
    });
    this.#child.stdout?.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    this.#child.stdin?.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      const end = (error?: Error) => {
        this.#ended = true;
        this.#ready?.reject(error ?? new AttackerRefused(this.#stderr.trim() || 'perl', 'EPIPE'));
        for (const {calls, settle} of this.#running.values()) settle({how: 'gone', calls});
        this.#running.clear();
        resolve();
      };
      this.#child.on('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ENOENT' ? subrootError('SUBROOT_PERL_MISSING', {tried: searchPath}) : error),
      );
      this.#child.on('close', () => end());
      // What it has started may have its streams for longer than it lives; its last words are there by then.
      this.#child.on('exit', () => setTimeout(end, 250).unref());
    });
  }

  /** Starts a process and has it become who the steps say. Throws AttackerRefused, SUBROOT_PERL_MISSING. */
  static async start(steps: readonly SetupStep[]): Promise<AttackProcess> {
    const attacker = new AttackProcess();
    attacker.#steps = steps;
    attacker.#child.stdin?.write(encodeRequest(['setup'], steps), 'latin1');
    attacker.pid = await new Promise<number>((resolve, reject) => {
      attacker.#ready = {resolve, reject};
    });
    attacker.#ready = undefined;
    return attacker;
  }

  #read(text: string): void {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf('\n'); end >= 0; end = this.#buffer.indexOf('\n')) {
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 1);
      this.#take(line.split(' '));
    }
  }

  #take([id = '', event = '', ...words]: readonly string[]): void {
    if (id === 'up') {
      this.#ready?.resolve(this.#child.pid ?? Number(event));
      return;
    }
    if (id === 'fail') {
      const step = this.#steps[Number(event)]?.join(' ') ?? '';
      this.#ready?.reject(new AttackerRefused(`${words[1] ?? ''} (${step})`, errnoName(Number(words[0]))));
      return;
    }
    const running = this.#running.get(id);
    if (event === 'op') {
      const [, result = '0', errno = '0', ...texts] = words;
      running?.calls.push({
        result: Number(result),
        ...(Number(result) === -1 ? {errno: errnoName(Number(errno))} : {}),
        texts: texts.map(bytesOf),
      });
    } else if (event === 'end') {
      this.#running.delete(id);
      const number = words[1] === undefined ? {} : {number: Number(words[1])};
      running?.settle({how: words[0] as AttemptEnd['how'], ...number, calls: running.calls});
    }
  }

  #ask(id: string, mode: string, calls: readonly AttackCall[], timeoutMs: number): Promise<AttemptEnd> {
    return new Promise((settle) => {
      if (this.#ended) return settle({how: 'gone', calls: []});
      this.#running.set(id, {calls: [], settle});
      this.#child.stdin?.write(encodeRequest([id, String(timeoutMs), mode], calls), 'latin1');
    });
  }

  /** Makes the calls in a child, until one that must succeed does not. Never throws. */
  run(calls: readonly AttackCall[], timeoutMs = 5000): Promise<AttemptEnd> {
    return this.#ask(`a${this.#next++}`, 'run', calls, timeoutMs);
  }

  /** As `run`, and the child stays as it is until it is released: a victim, or the holder of a budget. `number` is its pid. */
  async hold(
    calls: readonly AttackCall[],
    timeoutMs = 10_000,
  ): Promise<AttemptEnd & {readonly release: () => Promise<void>}> {
    const id = `h${this.#next++}`;
    const end = await this.#ask(id, 'hold', calls, timeoutMs);
    const release = async () => {
      if (end.how === 'held') await this.#ask(id, 'release', [], 0);
    };
    return {...end, release};
  }

  /** Ends it and all that it started; resolves when it is gone. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    // What waits in an attempt is not waited for.
    const stubborn = setTimeout(() => this.#child.kill('SIGKILL'), 1000);
    await this.#closed;
    clearTimeout(stubborn);
  }
}

/** Percent-decoded bytes, not read as UTF-8: they may be a struct. */
function bytesOf(word: string): string {
  if (word === '%') return '';
  return word.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
