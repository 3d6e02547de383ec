import type {OutputFormat} from './command.ts';
import {escapeInvisible} from './escape-invisible.ts';
import {type Paint, plainPaint, terminalPaint} from './paint.ts';

/** Where a command prints. Everything foreign in a text must be `printable` already. */
export interface Output {
  readonly paint: Paint;
  /** Columns to draw in: the terminal's, at most 120; 80 when piped. */
  readonly width: number;
  readonly format: OutputFormat;
  /** Text to standard output; a final newline is added when missing. */
  print(text: string): void;
  /** Text to standard error. */
  note(text: string): void;
  /** What long work is at, for people: to standard error, and only when that is a terminal. */
  progress(text: string): void;
  /** The value as JSON or YAML, or the text that `table` draws. */
  emit(value: object, table: () => string): Promise<void>;
}

const MAX_WIDTH = 120;

/** Output to this process's streams: colour only on a terminal, and never with NO_COLOR, --no-color or TERM=dumb. */
export function openOutput(format: OutputFormat, noColor: boolean): Output {
  const {stdout, stderr, env} = process;
  const color = stdout.isTTY === true && !noColor && !env.NO_COLOR && env.TERM !== 'dumb';
  const columns = stdout.isTTY === true ? stdout.columns || 80 : 80;
  const print = (text: string): void => {
    stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  };
  return {
    paint: color ? terminalPaint : plainPaint,
    width: Math.min(MAX_WIDTH, columns),
    format,
    print,
    note: (text) => {
      stderr.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    progress: (text) => {
      if (stderr.isTTY === true) stderr.write(`subroot: ${text}\n`);
    },
    emit: async (value, table) => {
      if (format === 'table') print(table());
      else print(await encode(value, format));
    },
  };
}

/** The text of a value in one of the two machine formats; no byte of it can steer a terminal, and it parses to the same value. */
export async function encode(value: object, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return escapeInvisible(JSON.stringify(value, null, 2));
  const {yamlOf} = await import('./yaml-text.ts');
  return yamlOf(value);
}
