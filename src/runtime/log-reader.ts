import {readFileSync} from 'node:fs';

/** One record of a CRI log. `partial` lines go on in the next record of their stream. */
export interface LogRecord {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly text: string;
}

const record = /^(\S+) (stdout|stderr) ([PF])(?::\S*)? (.*)$/s;

/** One line of a log, or undefined when it is none of CRI's form (a crash can leave half a line). */
export function parseLogLine(line: string): LogRecord | undefined {
  const [, time, stream, tag, text] = record.exec(line) ?? [];
  if (time === undefined || text === undefined) return undefined;
  return {time, stream: stream === 'stderr' ? 'stderr' : 'stdout', partial: tag === 'P', text};
}

/** The records of a log file so far; none when there is no file. */
export function readLog(path: string): LogRecord[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => parseLogLine(line) ?? []);
}
