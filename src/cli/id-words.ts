import type {IdRange} from '../../native-free/id-range.ts';
import {MAX_ID, parseId} from '../../native-free/ids.ts';
import {usageError} from './failure.ts';

/** The ids of a word: `1000`, or `0-65535` with both ends in it. Throws SUBROOT_USAGE; `what` names the word in the message. */
export function parseRange(word: string, what: string): IdRange {
  const [firstText = '', lastText = firstText, ...more] = word.split('-');
  const first = parseId(firstText);
  const last = parseId(lastText);
  const mend = `write an id (1000) or a range (0-65535); ids are plain decimal, 0-${MAX_ID}`;
  if (first === undefined || last === undefined || more.length > 0)
    throw usageError(`${what} cannot be "${word}"`, mend);
  if (last < first) throw usageError(`${what} "${word}" ends before it begins`, `write ${last}-${first}`);
  return {start: first, size: last - first + 1};
}

/** The number of a word such as a pid or a uid. Throws SUBROOT_USAGE. */
export function parseNumberWord(word: string, what: string): number {
  const value = parseId(word);
  if (value === undefined) throw usageError(`${what} cannot be "${word}"`, 'write a plain decimal number');
  return value;
}
