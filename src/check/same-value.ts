import {readFileSync} from 'node:fs';
import type {Attempt} from './attempt.ts';
import {O, open, write} from './operation.ts';
import type {Place} from './place.ts';

/** Writes a file of /proc or /sys the value that it has: what a success shows is the permission, and nothing changes. */
export function sameValue(path: string, parts: Partial<Attempt> & {readonly shown?: RegExp} = {}): Attempt {
  const {shown, ...rest} = parts;
  return {
    name: path.replace(/^\/(?:proc\/sys|sys)\//, ''),
    prepare: (place: Place) => {
      let text: string;
      try {
        text = readFileSync(path, 'latin1');
      } catch {
        throw new Error(`there is no ${path}, or it cannot be read`);
      }
      // Some files list all values and mark the one that is set.
      place.keep('value', (shown?.exec(text)?.[1] ?? text).trim());
    },
    calls: (place: Place) => [open(path, O.WRONLY), write(`${place.kept<string>('value')}\n`)],
    ...rest,
  };
}
