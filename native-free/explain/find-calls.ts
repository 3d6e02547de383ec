import {type Errno, errnoTable, isErrno} from '../errno.ts';
import {isCall} from './operations.ts';

/** A refused call that a text tells of. */
export interface FoundCall {
  readonly call: string;
  /** What stands beside it: arguments, a path. */
  readonly about: string;
  readonly errno: Errno;
  /** Where in the text. */
  readonly start: number;
  readonly text: string;
}

const byText: ReadonlyMap<string, Errno> = new Map(
  (Object.keys(errnoTable) as Errno[]).map((name) => [errnoTable[name][1].toLowerCase(), name]),
);
const texts = [...byText.keys()].map((text) => text.replace(/[/()]/g, '\\$&')).join('|');

/** `mount("proc", "/proc", …) = -1 EPERM (Operation not permitted)`, as strace prints it. */
const traced = /\b(?<call>[a-z_]\w*)\((?<about>[^\n]{0,400}?)\)\s*=\s*-1\s+(?<errno>E[A-Z0-9]+)\b/g;
/** `EACCES: permission denied, open '/x'`, as Node prints it. */
const ofNode = /\b(?<errno>E[A-Z0-9]+): [^,\n]{1,60}, (?<call>[a-z_]+)(?: '(?<about>[^'\n]{0,400})')?/g;
/** `open /x: permission denied`, `setns: Operation not permitted`, as Go and perror(3) print it. */
const printed = new RegExp(
  String.raw`(?:^|[\s:"'\`(])(?<call>[a-z_]\w*)(?:\(\))?(?: [\`"']?(?<about>[^\s:]{1,400}?)[\`"']?)?: (?<errno>${texts})\b`,
  'gim',
);

/** The refused calls that a text tells of in one of the three ways in which programs tell it; calls that the table does not know are left out. */
export function findCalls(text: string): readonly FoundCall[] {
  return [traced, ofNode, printed].flatMap((shape) =>
    [...text.matchAll(shape)].flatMap((match) => {
      const {call = '', about = '', errno: word = ''} = match.groups ?? {};
      const errno = isErrno(word) ? word : byText.get(word.toLowerCase());
      if (errno === undefined || !isCall(call)) return [];
      return [{call, about, errno, start: match.index, text: match[0].trim()}];
    }),
  );
}

/** The errnos that a text names, by name or in the words of strerror(3), each once. */
export function findErrnos(text: string): readonly Errno[] {
  const names = [...text.matchAll(/\bE[A-Z0-9]{2,}\b/g)].map(([name]) => name).filter(isErrno);
  const said = [...text.matchAll(new RegExp(`(?:${texts})\\b`, 'gi'))].flatMap(
    ([words]) => byText.get(words.toLowerCase()) ?? [],
  );
  return [...new Set([...names, ...said])];
}
