import {constants, openSync, rmdirSync, unlinkSync} from 'node:fs';
import {Socket} from 'node:net';
import {join} from 'node:path';
import type {Agent} from '../host/agent.ts';
import {makeFolder} from '../host/state-files.ts';

/** The streams of one program: FIFOs, since a plan can open them by name and a pod may reopen /dev/stdout. */
export interface ProgramStreams {
  /** Holds the FIFOs `out` and `err`; standard input is /dev/null. */
  readonly folder: string;
  /** What was written, once both ends are closed; both together keep at most the limit, the rest is read and dropped. */
  collect(): Promise<{stdout: Uint8Array; stderr: Uint8Array}>;
  close(): void;
}

/** FIFOs made ahead, a few at a time, so that running a program waits for no mknod(2). */
export class FifoPool {
  readonly #agent: Agent;
  readonly #root: string;
  readonly #ready: string[] = [];
  #next = 0;
  #making: Promise<void> | undefined;

  constructor(agent: Agent, root: string) {
    this.#agent = agent;
    this.#root = root;
  }

  #make(count: number): Promise<void> {
    const folders = Array.from({length: count}, () => join(this.#root, `${process.pid}-${this.#next++}`));
    for (const folder of folders) makeFolder(folder, 0o700);
    this.#agent.tell('leftover', folders);
    const paths = folders.flatMap((folder) => [`${folder}/out`, `${folder}/err`]);
    return this.#agent.request('fifos', paths).then(() => {
      this.#ready.push(...folders);
    });
  }

  async take(limit: number): Promise<ProgramStreams> {
    let folder = this.#ready.pop();
    if (folder === undefined) {
      await (this.#making ?? this.#make(1));
      folder = this.#ready.pop();
    }
    if (folder === undefined) {
      await this.#make(1);
      folder = this.#ready.pop() ?? '';
    }
    if (this.#ready.length < 2 && !this.#making) {
      this.#making = this.#make(4).finally(() => {
        this.#making = undefined;
      });
      this.#making.catch(() => {});
    }
    return openStreams(folder, limit, this.#agent);
  }

  /** Removes what was made and not used. */
  close(): void {
    for (const folder of this.#ready.splice(0)) removeFifos(folder);
  }
}

function removeFifos(folder: string): void {
  for (const name of ['out', 'err']) {
    try {
      unlinkSync(join(folder, name));
    } catch {
      // Gone already.
    }
  }
  try {
    rmdirSync(folder);
  } catch {
    // Gone already.
  }
}

function openStreams(folder: string, limit: number, agent: Agent): ProgramStreams {
  let left = limit;
  const open = (name: string) => {
    // A reader must be there before the writer opens, and must not wait for it.
    const fd = openSync(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({fd, readable: true, writable: false});
    const chunks: Uint8Array[] = [];
    const ended = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        const kept = chunk.subarray(0, Math.max(0, left));
        left -= kept.length;
        if (kept.length > 0) chunks.push(kept);
      });
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
    });
    return {socket, chunks, ended};
  };
  const out = open('out');
  const err = open('err');
  return {
    folder,
    async collect() {
      await Promise.all([out.ended, err.ended]);
      return {stdout: Buffer.concat(out.chunks), stderr: Buffer.concat(err.chunks)};
    },
    close() {
      out.socket.destroy();
      err.socket.destroy();
      removeFifos(folder);
      agent.tell('keep', [folder]);
    },
  };
}
