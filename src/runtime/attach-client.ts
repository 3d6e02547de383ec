import {closeSync, openSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import type {ProgramStream, StreamHandlers} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';

/** Frames of the attach socket: TYPE (1 byte), LENGTH (4 bytes, network order), bytes. The agent speaks the same. */
export const frameType = {stdin: 0, stdout: 1, stderr: 2, resize: 3, endOfStdin: 4, exit: 5} as const;

/** Bytes in one frame of ours; the supervisor lets go of who sends more than 1 MiB in one. */
const frameLimit = 65_536;

/** One frame as bytes. */
export function encodeFrame(type: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + bytes.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, 5);
  return frame;
}

/** Cuts a byte stream into frames; holds back what is not whole yet. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<{readonly type: number; readonly bytes: Buffer}> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const length = this.#rest.readUInt32BE(1);
      if (this.#rest.length < 5 + length) return;
      yield {type: this.#rest.readUInt8(0), bytes: this.#rest.subarray(5, 5 + length)};
      this.#rest = this.#rest.subarray(5 + length);
    }
  }
}

/** A connection to a running container's streams. Ends with the container's exit code, or undefined when it was cut. */
export class AttachConnection implements ProgramStream {
  readonly #socket: Socket;
  readonly ended: Promise<number | undefined>;

  private constructor(socket: Socket, handlers: StreamHandlers) {
    this.#socket = socket;
    const reader = new FrameReader();
    let exitCode: number | undefined;
    socket.on('data', (chunk: Buffer) => {
      for (const {type, bytes} of reader.push(chunk)) {
        if (type === frameType.stdout) handlers.onStdout?.(bytes);
        else if (type === frameType.stderr) handlers.onStderr?.(bytes);
        else if (type === frameType.exit) exitCode = bytes[0];
      }
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => resolve(exitCode));
      socket.on('error', () => resolve(exitCode));
    });
  }

  /** Connects to the socket in a container's folder. Errors: SUBROOT_ATTACH_FAILED. */
  static async open(folder: string, handlers: StreamHandlers): Promise<AttachConnection> {
    // A socket's path holds 108 bytes only; through a descriptor of its folder it is short whatever the folder is.
    const fd = openSync(folder, 'r');
    try {
      const socket = connect(`/proc/self/fd/${fd}/attach.sock`);
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', () => resolve());
        socket.once('error', (error) =>
          reject(
            subrootError(
              'SUBROOT_ATTACH_FAILED',
              {folder, errno: (error as NodeJS.ErrnoException).code ?? 'EIO'},
              error,
            ),
          ),
        );
      });
      return new AttachConnection(socket, handlers);
    } finally {
      closeSync(fd);
    }
  }

  write(bytes: Uint8Array): boolean {
    let hasRoom = true;
    for (let at = 0; at < bytes.length; at += frameLimit)
      hasRoom = this.#socket.write(encodeFrame(frameType.stdin, bytes.subarray(at, at + frameLimit)));
    return hasRoom;
  }

  resize(rows: number, columns: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt16BE(rows, 0);
    size.writeUInt16BE(columns, 2);
    this.#socket.write(encodeFrame(frameType.resize, size));
  }

  endStdin(): void {
    this.#socket.write(encodeFrame(frameType.endOfStdin, new Uint8Array()));
  }

  close(): void {
    this.#socket.destroy();
  }
}
