import {type Errno, errnoTable, findErrno, isErrno} from '../../native-free/errno.ts';
import {usageError} from './failure.ts';
import {findNearest} from './nearest.ts';

/** What the words of `subroot explain` ask. */
export type Question =
  | {readonly kind: 'code'; readonly code: string}
  | {readonly kind: 'errno'; readonly errno: Errno; readonly call: string; readonly about: string}
  | {readonly kind: 'path'; readonly path: string}
  | {readonly kind: 'text'; readonly text: string}
  | {readonly kind: 'stdin'};

export interface QuestionFlags {
  readonly errno?: string | undefined;
  readonly op?: string | undefined;
  /** Whether --pod, --pid or --map is given. */
  readonly hasView: boolean;
}

/** Reads the words: a code of ours, an errno with an operation, a path with a pod, or a text. Errors: SUBROOT_USAGE. */
export function readQuestion(words: readonly string[], flags: QuestionFlags): Question {
  const [first, ...rest] = words;
  if (flags.errno !== undefined || flags.op !== undefined) {
    if (flags.hasView)
      throw usageError('--pod, --pid and --map go with a path, and --errno with an operation', 'ask for one of them');
    if (flags.errno === undefined)
      throw usageError('--op without --errno', 'give both: `--errno EPERM --op mount:proc`');
    return operation(
      requireErrno(flags.errno, '--errno'),
      flags.op === undefined ? words : [...flags.op.split(':'), ...words],
    );
  }
  if (flags.hasView) {
    if (first === undefined || rest.length > 0)
      throw usageError('--pod, --pid and --map look at one path', 'give it: `subroot explain /data/x --pod POD`');
    return {kind: 'path', path: first};
  }
  if (first === undefined || (first === '-' && rest.length === 0)) return {kind: 'stdin'};
  if (/^SUBROOT_[A-Z_]+$/.test(first) && rest.length === 0) return {kind: 'code', code: first};
  if (/^E[A-Z0-9]{2,}$/.test(first)) return operation(requireErrno(first, 'the errno'), rest);
  if (rest.length === 0 && /^\/\S*$/.test(first))
    throw usageError(`whose view of ${first}?`, 'name it: --pod POD, --pid PID, or --map "0 100000 65536"');
  return {kind: 'text', text: words.join(' ')};
}

function operation(errno: Errno, words: readonly string[]): Question {
  const [call = '', ...about] = words.flatMap((word) => word.split(/\s+/)).filter((word) => word !== '');
  return {kind: 'errno', errno, call, about: about.join(' ')};
}

function requireErrno(word: string, what: string): Errno {
  const name = word.toUpperCase();
  const found = isErrno(name) ? name : /^\d+$/.test(word) ? findErrno(Number(word)) : undefined;
  if (found !== undefined) return found;
  const nearest = findNearest(name, Object.keys(errnoTable));
  throw usageError(
    `${what} cannot be "${word}"`,
    nearest === undefined ? 'give a name (EPERM) or a number of errno(3)' : `did you mean ${nearest}?`,
  );
}
