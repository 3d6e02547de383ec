import {open} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {type LogRecord, parseLogLine} from '../runtime/log-reader.ts';

/** Longest pause between looks at a log that is followed, in milliseconds. */
const PAUSE_MS = 50;

/**
 * The records of a CRI log, in order; nothing when there is no file. Their text has a character per byte (latin1), so that whatever the
 * container wrote can be written again. With `isOver` it goes on until that is true and all was read.
 */
export async function* readRecords(path: string, isOver?: () => Promise<boolean>): AsyncGenerator<LogRecord> {
  for await (const line of readLines(path, isOver)) {
    const record = parseLogLine(line);
    if (record) yield record;
  }
}

async function* readLines(path: string, isOver: (() => Promise<boolean>) | undefined): AsyncGenerator<string> {
  const buffer = Buffer.alloc(65_536);
  let file = await open(path, 'r').catch(() => undefined);
  let rest = '';
  let isLast = isOver === undefined;
  try {
    for (let pause = 1; ; ) {
      file ??= await open(path, 'r').catch(() => undefined);
      const bytesRead = file ? (await file.read(buffer, 0, buffer.length)).bytesRead : 0;
      if (bytesRead === 0) {
        if (isLast) return;
        // What was written up to its end is read once more.
        isLast = (await isOver?.()) === true;
        if (!isLast) await sleep(pause);
        pause = Math.min(pause * 2, PAUSE_MS);
        continue;
      }
      pause = 1;
      const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    await file?.close();
  }
}

/** Tells which records begin a line; the others go on with the last one of their stream. */
export class LineStarts {
  readonly #isOpen = {stdout: false, stderr: false};

  isStart({stream, partial}: LogRecord): boolean {
    const isStart = !this.#isOpen[stream];
    this.#isOpen[stream] = partial;
    return isStart;
  }
}

/** Index of the record that begins the last `count` lines of the log as it is now. */
export async function indexOfTail(path: string, count: number): Promise<number> {
  const starts: number[] = [];
  const lines = new LineStarts();
  let index = 0;
  for await (const record of readRecords(path)) {
    if (lines.isStart(record)) starts.push(index);
    if (starts.length > count) starts.shift();
    index += 1;
  }
  return count === 0 ? index : (starts[0] ?? 0);
}

export interface Selection {
  /** Only the last lines of what is there now. */
  readonly tail?: number | undefined;
  /** Only what was written since that moment, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Goes on until that is true. */
  readonly isOver?: (() => Promise<boolean>) | undefined;
}

/** The records of a log that are asked for. */
export async function* selectRecords(path: string, {tail, since, isOver}: Selection): AsyncGenerator<LogRecord> {
  const first = tail === undefined ? 0 : await indexOfTail(path, tail);
  let index = -1;
  for await (const record of readRecords(path, isOver)) {
    index += 1;
    if (index < first || (since !== undefined && Date.parse(record.time) < since)) continue;
    yield record;
  }
}
