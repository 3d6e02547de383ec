import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {isIP, type Socket} from 'node:net';
import {fileURLToPath} from 'node:url';
import type {OnceProgram} from './once.ts';
import type {Step} from './step.ts';

/** The script that connects: beside the bundle when published, beside this file in development. */
const relayScript =
  ['./relay.pl', '../relay.pl']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path)) ?? fileURLToPath(new URL('./relay.pl', import.meta.url));

/**
 * The plan of a connection inside a pod's network: a process that joins that namespace and nothing else of the pod's, and has no
 * capability. `mode` `only` connects and ends. Throws RangeError for what is no IP address.
 */
export function planDial(address: string, port: number, mode: 'only' | 'relay'): Step[] {
  return [
    ['whoami'],
    ['join', 'net'],
    ['pdeathsig', 'KILL'],
    ['setsid'],
    ['bounding', '0'],
    ['capabilities', '0', '0', '0'],
    ['nonewprivs'],
    ['env', 'PATH', process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'],
    ['env', 'LC_ALL', 'C'],
    ['exec', 'perl', relayScript, addressDigits(address), String(port), mode],
  ];
}

function addressDigits(address: string): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  if (isIP(address) === 4)
    return address
      .split('.')
      .map((part) => hex(Number(part), 2))
      .join('');
  if (isIP(address) !== 6) throw new RangeError(`${address} is no IP address`);
  // The form with a dotted end, and a zone, which no loopback has.
  const plain = address
    .replace(/%.*$/, '')
    .replace(
      /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
      (_, a, b, c, d) => `${hex(a * 256 + Number(b), 1)}:${hex(c * 256 + Number(d), 1)}`,
    );
  const [head = '', tail] = plain.split('::');
  const [before, after] = [head, tail ?? ''].map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({length: 8 - (before?.length ?? 0) - (after?.length ?? 0)}, () => '0');
  return [...(before ?? []), ...(tail === undefined ? [] : zeros), ...(after ?? [])]
    .map((part) => hex(Number.parseInt(part, 16), 4))
    .join('');
}

/** A connection that a process of ours holds in another network namespace. */
export interface Dialed {
  readonly stream: Socket;
  /** Resolves when the process has ended, with why it could not connect, or undefined. */
  readonly ended: Promise<string | undefined>;
  /** Ends it at once. */
  close(): void;
}

/** Starts a prepared connection. The stream ends when the other side's does. */
export function startDial(program: OnceProgram): Dialed {
  const [file = '', ...args] = program.argv;
  const child: ChildProcess = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: {LC_ALL: 'C', PATH: process.env.PATH},
  });
  let said = '';
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    said = (said + text).slice(-1000);
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => {
      const refused = program.failure();
      if (refused) resolve(`cannot get into the network of the pod: ${refused.message}`);
      // Without a code it was cut by us.
      else
        resolve(code === 0 || code === null ? undefined : said.trim() || `the connection's process ended with ${code}`);
    });
  });
  // Both ways in one: on Linux a pipe of a child is a socket pair. TLS and HTTP/2 over a Duplex that is no Socket die of an assertion of Node's
  // own (ERR_INTERNAL_ASSERTION) when it is destroyed while they write. Source: node lib/internal/js_stream_socket.js, 20.20.
  const stream = child.stdout as Socket;
  stream.on('error', () => {});
  return {
    stream,
    ended,
    close: () => {
      child.kill('SIGKILL');
      program.discard();
    },
  };
}
