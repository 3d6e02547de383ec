import {printable} from '../../native-free/errors.ts';

/** A word as it can be pasted into a shell: plain when nothing in it is special, else in single quotes. Only for showing, never for running. */
export function shellWord(text: string): string {
  const word = printable(text);
  return /^[A-Za-z0-9_./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
