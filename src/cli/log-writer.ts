import type {LogRecord} from '../runtime/log-reader.ts';
import {LineStarts} from './log-records.ts';

export interface LogWriterOptions {
  readonly timestamps?: boolean;
  /** Before each line, to tell several containers apart. */
  readonly prefix?: string;
  /** Bytes of output, then no more. */
  readonly limitBytes?: number | undefined;
  /** Where the container's standard output goes; ours by default. */
  readonly stdout?: NodeJS.WriteStream;
}

/** Writes records of a log, byte by byte as the container wrote them, each stream to its own. */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #lines = new LineStarts();
  #left: number;

  constructor(options: LogWriterOptions = {}) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  /** False when no more bytes are wanted. */
  write(record: LogRecord): boolean {
    const {timestamps, prefix = '', stdout = process.stdout} = this.#options;
    const head = this.#lines.isStart(record) ? `${prefix}${timestamps ? `${record.time} ` : ''}` : '';
    const bytes = Buffer.from(`${head}${record.text}${record.partial ? '' : '\n'}`, 'latin1');
    const part = bytes.subarray(0, Math.min(bytes.length, this.#left));
    this.#left -= part.length;
    (record.stream === 'stderr' ? process.stderr : stdout).write(part);
    return this.#left > 0;
  }
}
