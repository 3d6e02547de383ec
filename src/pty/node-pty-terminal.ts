import {readSync, writeSync} from 'node:fs';
import {StringDecoder} from 'node:string_decoder';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';
import {EarlyText} from './early-text.ts';
import type {Terminal, TerminalOptions} from './terminal.ts';
import {terminalEnvironment} from './terminal-environment.ts';
import {requireArgv, requireSize, requireText} from './terminal-input.ts';

/** Milliseconds between attempts to write to a terminal whose program does not read. */
const LONGEST_PAUSE_MS = 16;

/** The part of node-pty 1.1.0 that is used. It is optional: where it did not compile its types are missing too, and ours are enough. */
interface NodePty {
  spawn(
    file: string | undefined,
    args: readonly string[],
    options: {
      readonly name: string;
      readonly rows: number;
      readonly cols: number;
      readonly cwd: string;
      readonly env: Readonly<Record<string, string | undefined>>;
      readonly encoding: null;
    },
  ): Pty;
}

interface Pty extends Insides {
  readonly pid: number;
  onData(listener: (bytes: unknown) => void): unknown;
  onExit(listener: (end: {exitCode: number; signal?: number}) => void): unknown;
  resize(columns: number, rows: number): void;
  kill(signal?: string): void;
}

/** What it has besides its public interface, in the exact version that we depend on. */
interface Insides {
  readonly fd: number;
  readonly _socket: {readonly destroyed: boolean; destroy(error?: Error): unknown};
}

/** More than a terminal holds; a program left in the background may go on writing for ever. */
const REST_BYTES = 1 << 20;

/**
 * What a terminal still holds when it is closed. libuv takes a short read together with a hang-up for the end, but a terminal gives
 * at most 4096 bytes at a time: who is behind when the program ends would lose the last of its output. Source: libuv
 * src/unix/stream.c uv__stream_io().
 */
function readRest(fd: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let size = 0; size < REST_BYTES; ) {
    const chunk = Buffer.alloc(4096);
    try {
      const length = readSync(fd, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      size += length;
    } catch {
      // EAGAIN or EIO: that was all.
      break;
    }
  }
  return chunks;
}

/**
 * Types into a terminal. node-pty's own writer hands the descriptor's number to a thread and tries again after EAGAIN, also when
 * the descriptor was closed meanwhile and its number belongs to another file; here each write is made while it is known to be open.
 */
class Typist {
  readonly #insides: Insides;
  #queue: Buffer[] = [];
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = 1;

  constructor(insides: Insides) {
    this.#insides = insides;
  }

  type(text: string): void {
    if (text === '') return;
    this.#queue.push(Buffer.from(text));
    if (this.#timer === undefined) this.#flush();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #flush(): void {
    this.#timer = undefined;
    for (let bytes = this.#queue[0]; bytes !== undefined; bytes = this.#queue[0]) {
      let written: number;
      try {
        if (this.#insides._socket.destroyed) throw new Error('it is closed');
        written = writeSync(this.#insides.fd, bytes);
      } catch (error) {
        // Anything but "not now" means that the program has left the terminal: nobody will read it.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
          this.close();
          return;
        }
        this.#timer = setTimeout(() => this.#flush(), this.#pauseMs);
        this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
        return;
      }
      this.#pauseMs = 1;
      if (written === bytes.length) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(written);
    }
  }
}

/** Starts `argv` in a terminal of node-pty. Throws what loading node-pty or forkpty(3) throws, and SUBROOT_USAGE. */
export async function openNodePty(argv: readonly string[], options: TerminalOptions): Promise<Terminal> {
  const {rows, columns} = options;
  requireArgv(argv);
  requireSize(rows, columns);
  const moduleName: string = 'node-pty';
  const {spawn} = (await import(moduleName)) as NodePty;
  const [file, ...args] = argv;
  const pty = spawn(file, args, {
    name: 'xterm-256color',
    rows,
    cols: columns,
    cwd: '/',
    env: terminalEnvironment(),
    // Bytes: a decoder of node-pty's would end a character where libuv stopped reading. (It costs IUTF8, which decides what one
    // backspace erases before the program has set the terminal up.)
    encoding: null,
  });
  const insides: Insides = pty;
  const typist = new Typist(insides);
  const output = new EarlyText();
  const decoder = new StringDecoder('utf8');
  const push = (bytes: Buffer) => output.push(decoder.write(bytes));
  const identity = {pid: pty.pid, startTime: startTimeOf(pty.pid) ?? ''};
  let hasEnded = false;
  pty.onData((bytes) => push(bytes as Buffer));
  const {_socket: socket} = insides;
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error) => {
    if (!socket.destroyed) readRest(insides.fd).forEach(push);
    return destroy(error);
  };
  const exited = new Promise<{exitCode: number}>((resolve) => {
    pty.onExit(({exitCode, signal}) => {
      hasEnded = true;
      output.push(decoder.end());
      typist.close();
      resolve({exitCode: signal ? 128 + signal : exitCode});
    });
  });
  return {
    backend: 'node-pty',
    pid: pty.pid,
    exited,
    onData: (listener) => output.listen(listener),
    write(text) {
      requireText(text);
      if (!hasEnded) typist.type(text);
    },
    resize(newRows, newColumns) {
      requireSize(newRows, newColumns);
      if (!hasEnded && !insides._socket.destroyed) pty.resize(newColumns, newRows);
    },
    kill(signal = 'SIGHUP') {
      if (isProcessAlive(identity)) pty.kill(signal);
    },
  };
}
