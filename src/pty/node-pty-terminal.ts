import {writeSync} from 'node:fs';
import type {IPty} from 'node-pty';
import {isProcessAlive, startTimeOf} from '../host/proc.ts';
import {EarlyText} from './early-text.ts';
import type {Terminal, TerminalOptions} from './terminal.ts';
import {terminalEnvironment} from './terminal-environment.ts';
import {requireArgv, requireSize, requireText} from './terminal-input.ts';

/** Milliseconds between attempts to write to a terminal whose program does not read. */
const LONGEST_PAUSE_MS = 16;

/** What node-pty has besides its public interface, in the exact version that we depend on. */
interface Insides {
  readonly fd: number;
  readonly _socket: {readonly destroyed: boolean};
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
  const {spawn} = await import('node-pty');
  const [file, ...args] = argv;
  const pty = spawn(file, args, {
    name: 'xterm-256color',
    rows,
    cols: columns,
    cwd: '/',
    env: terminalEnvironment(),
    encoding: 'utf8',
  });
  const insides = pty as IPty & Insides;
  const typist = new Typist(insides);
  const output = new EarlyText();
  const identity = {pid: pty.pid, startTime: startTimeOf(pty.pid) ?? ''};
  let hasEnded = false;
  pty.onData((text) => output.push(text));
  const exited = new Promise<{exitCode: number}>((resolve) => {
    pty.onExit(({exitCode, signal}) => {
      hasEnded = true;
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
